//! Packs that the server did not come with.

use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

/// Puts a detector and an embedder into a folder as a pack without an analyzer.
fn bring(folder: &Path, detector: &Path, embedder: &Path, normalisation: &str) {
    let bring = |source: &Path, name: &str| {
        let bytes = std::fs::read(source).unwrap();
        std::fs::write(folder.join(name), &bytes).unwrap();
        format!("{:x}", Sha256::digest(&bytes))
    };
    let (detector, embedder) = (bring(detector, "detector.onnx"), bring(embedder, "embedder.onnx"));
    let pack = format!(
        r#"
        name = "brought"
        version = "1"
        license = "Apache-2.0"
        description = "A pack for a test."
        [detector]
        file = "detector.onnx"
        sha256 = "{detector}"
        family = "yunet"
        color = "bgr"
        mean = [0.0, 0.0, 0.0]
        std = [1.0, 1.0, 1.0]
        score_threshold = 0.6
        nms_iou = 0.45
        [embedder]
        file = "embedder.onnx"
        sha256 = "{embedder}"
        size = 112
        color = "rgb"
        {normalisation}
        alignment = "arcface-5"
        dimensions = 128
        [calibration]
        cosine = [-1.0, 0.0, 0.36, 0.49, 1.0]
        similarity = [0.0, 0.0, 80.0, 99.0, 100.0]
        "#
    );
    std::fs::write(folder.join("pack.toml"), pack).unwrap();
}

/// Serves a pack and recognizes a person with it.
async fn recognizes(pack: &Path) {
    let server = TestServer::with(&["--pack", pack.to_str().unwrap()]).await;
    server.collection("staff").await;
    let one = server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
    server.index_one("staff", &Photo::of(2, 1).jpeg()).await;
    let search =
        json!({ "CollectionId": "staff", "Image": bytes(&Photo::of(1, 2).jpeg()), "MaxFaces": 1 });
    let found = server.ok("SearchFacesByImage", search).await;
    assert_eq!(found["FaceMatches"][0]["Face"]["FaceId"], one);
    let all = server
        .ok(
            "DetectFaces",
            json!({ "Image": bytes(&Photo::of(1, 1).jpeg()), "Attributes": ["ALL"] }),
        )
        .await;
    assert!(
        all["FaceDetails"][0].get("Smile").is_none(),
        "a pack without an analyzer tells no attributes"
    );
    assert_eq!(all["FaceDetails"][0]["Landmarks"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_of_ones_own_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let normalisation = "mean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]";
    bring(
        folder.path(),
        &default.join("detector.onnx"),
        &default.join("embedder.onnx"),
        normalisation,
    );
    recognizes(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a folder with models/mobilefacenet.onnx, named by LOOKALIKE_SHARED"]
async fn the_reference_models_are_served() {
    let shared = std::env::var_os("LOOKALIKE_SHARED").expect("names a folder");
    let models = Path::new(&shared).join("models");
    let folder = tempfile::tempdir().unwrap();
    let normalisation = "mean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]";
    bring(
        folder.path(),
        &models.join("yunet_n_dynamic.onnx"),
        &models.join("mobilefacenet.onnx"),
        normalisation,
    );
    recognizes(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_stays_with_its_pack() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path().to_str().unwrap();
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    // With another mean it is another vector space, though the embedder is the same.
    bring(
        folder.path(),
        &default.join("detector.onnx"),
        &default.join("embedder.onnx"),
        "mean = [120.0, 120.0, 120.0]\nstd = [127.5, 127.5, 127.5]",
    );
    {
        let pack = folder.path().to_str().unwrap();
        let server = TestServer::with(&["--data", data, "--pack", pack]).await;
        server.collection("staff").await;
        server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
        server.store().close().await;
    }
    // The folder of packs does not have it.
    let server = TestServer::with(&["--data", data]).await;
    let image = bytes(&Photo::of(1, 2).jpeg());
    for operation in ["IndexFaces", "SearchFacesByImage"] {
        let (code, text) =
            server.refusal(operation, json!({ "CollectionId": "staff", "Image": image })).await;
        assert_eq!(code, "InvalidParameterException");
        assert!(
            text.starts_with("The collection staff was indexed with model pack brought"),
            "{text}"
        );
    }
    assert_eq!(
        server.ok("ListFaces", json!({ "CollectionId": "staff" })).await["Faces"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_beside_the_served_one_serves_the_collections_it_made() {
    let (data, packs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let older = packs.path().join("older");
    std::fs::create_dir(&older).unwrap();
    // With another mean it is another vector space, though the embedder is the same.
    bring(
        &older,
        &default.join("detector.onnx"),
        &default.join("embedder.onnx"),
        "mean = [120.0, 120.0, 120.0]\nstd = [127.5, 127.5, 127.5]",
    );
    let data = data.path().to_str().unwrap();
    let one = {
        let server = TestServer::with(&["--data", data, "--pack", older.to_str().unwrap()]).await;
        server.collection("staff").await;
        let one = server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
        server.index_one("staff", &Photo::of(2, 1).jpeg()).await;
        server.store().close().await;
        one
    };
    let served = default.to_str().unwrap();
    let options = ["--data", data, "--pack", served, "--models", packs.path().to_str().unwrap()];
    let server = TestServer::with(&options).await;
    let search = json!({ "CollectionId": "staff", "Image": bytes(&Photo::of(1, 2).jpeg()) });
    let found = server.ok("SearchFacesByImage", search).await;
    assert_eq!(found["FaceMatches"][0]["Face"]["FaceId"], one);
    let again = server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
    assert_eq!(again, one, "the same image is the same face");
    server.collection("new").await;
    server.index_one("new", &Photo::of(1, 1).jpeg()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_embedder_under_the_same_version_is_another_pack() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let normalisation = "mean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]";
    let options =
        ["--data", data.path().to_str().unwrap(), "--pack", folder.path().to_str().unwrap()];
    bring(
        folder.path(),
        &default.join("detector.onnx"),
        &default.join("embedder.onnx"),
        normalisation,
    );
    {
        let server = TestServer::with(&options).await;
        server.collection("staff").await;
        server.index_one("staff", &Photo::of(1, 1).jpeg()).await;
        server.store().close().await;
    }
    // A field `doc_string` behind the rest: another file that computes the same.
    let other = folder.path().join("other.onnx");
    let mut bytes_of_other = std::fs::read(default.join("embedder.onnx")).unwrap();
    bytes_of_other.extend([6 << 3 | 2, 1, b'x']);
    std::fs::write(&other, bytes_of_other).unwrap();
    bring(folder.path(), &default.join("detector.onnx"), &other, normalisation);
    let server = TestServer::with(&options).await;
    let search = json!({ "CollectionId": "staff", "Image": bytes(&Photo::of(1, 2).jpeg()) });
    let (code, text) = server.refusal("SearchFacesByImage", search).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(
        text.starts_with("The collection staff was indexed with model pack brought 1+"),
        "{text}"
    );
    assert!(text.contains("; this server runs brought 1+"), "{text}");
}
