//! Packs fetched from a local server that misbehaves in every way that servers do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use super::command::pull;
use super::list::{Format, list};
use super::verify::verify;
use super::*;
use lookalike_vision::Pack;

/// How the server treats the embedder; the detector is always served properly.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Proper,
    /// Cuts each answer off after so many bytes.
    Cuts(usize),
    /// Cuts off too, and answers every range with the whole file.
    CutsFirstIgnoresRange(usize),
    /// Answers a range with another one.
    WrongRange,
    OtherContent,
    OtherSize,
    Missing,
    Broken,
    /// Fails once, then serves.
    Busy,
}

struct Mirror {
    manner: Manner,
    /// The range of each request for the embedder.
    asked: Mutex<Vec<Option<String>>>,
}

fn detector() -> Vec<u8> {
    (0..40_000_u32).map(|index| (index % 251) as u8).collect()
}

fn embedder() -> Vec<u8> {
    (0..300_000_u32).map(|index| (index % 241) as u8).collect()
}

async fn serve(State(mirror): State<Arc<Mirror>>, request: Request) -> Response {
    match request.uri().path() {
        "/mirror/sample/detector.onnx" => return detector().into_response(),
        "/mirror/sample/embedder.onnx" => {}
        _ => return StatusCode::NOT_FOUND.into_response(),
    }
    let range = request.headers().get(RANGE).map(|value| value.to_str().expect("text").to_owned());
    let request_number = {
        let mut asked = mirror.asked.lock().expect("the log");
        asked.push(range.clone());
        asked.len()
    };
    let file = embedder();
    let start: usize = range.as_deref().map_or(0, |range| {
        range
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'))
            .expect("an open range")
            .parse()
            .expect("a number")
    });
    match mirror.manner {
        Manner::Missing => StatusCode::NOT_FOUND.into_response(),
        Manner::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Busy if request_number == 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Manner::OtherContent => vec![0; file.len()].into_response(),
        Manner::OtherSize => "version https://git-lfs.github.com/spec/v1".into_response(),
        Manner::Cuts(length) => part(&file, start, start, Some(length)),
        Manner::CutsFirstIgnoresRange(length) if request_number == 1 => {
            part(&file, 0, 0, Some(length))
        }
        Manner::WrongRange if start > 0 => part(&file, start, 0, None),
        Manner::CutsFirstIgnoresRange(_) => file.into_response(),
        Manner::Proper | Manner::WrongRange | Manner::Busy => part(&file, start, start, None),
    }
}

/// The file from `start` on, in an answer that claims to begin at `claimed`, cut off after some
/// bytes if asked.
fn part(file: &[u8], start: usize, claimed: usize, cut: Option<usize>) -> Response {
    if start >= file.len() {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    let rest = Bytes::copy_from_slice(&file[start..]);
    let sent = cut.map_or(rest.len(), |length| length.min(rest.len()));
    let sent_bytes = stream::iter([Ok(rest.slice(..sent))]);
    let cut_off = stream::iter((sent < rest.len()).then_some(())).then(|()| async {
        // Long enough for what came before to be on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::other("cut"))
    });
    let status = if start == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let range = format!("bytes {claimed}-{}/{}", file.len() - 1, file.len());
    let headers = [(CONTENT_LENGTH, rest.len().to_string()), (CONTENT_RANGE, range)];
    (status, headers, Body::from_stream(sent_bytes.chain(cut_off))).into_response()
}

/// A mirror, a pack to fetch from it, and a folder to fetch it into.
struct Bench {
    mirror: Arc<Mirror>,
    url: String,
    entry: Entry,
    models: tempfile::TempDir,
}

impl Bench {
    async fn with(manner: Manner) -> Self {
        let mirror = Arc::new(Mirror { manner, asked: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&mirror));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mirror/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut entry = Entry::find("mobilefacenet").expect("a pack of the catalog").clone();
        entry.name = "sample".to_owned();
        for (network, bytes) in
            [(&mut entry.detector, detector()), (&mut entry.embedder, embedder())]
        {
            network.bytes = bytes.len() as u64;
            network.sha256 = format!("{:x}", Sha256::digest(&bytes));
        }
        Self { mirror, url, entry, models: tempfile::tempdir().expect("a folder") }
    }

    async fn pull(&self) -> Result<String, CatalogError> {
        let mut output = Vec::new();
        pull(self.models.path(), &self.entry, Some(&self.url), &mut output).await?;
        Ok(String::from_utf8(output).expect("text"))
    }

    async fn failure(&self) -> String {
        self.pull().await.expect_err("a failed pull").to_string()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.models.path().join("sample").join(file)
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.mirror.asked.lock().expect("the log").clone()
    }

    /// Nothing but checked files is under the name that the server would load.
    fn assert_unusable(&self) {
        assert!(!self.path("embedder.onnx").exists() && !self.path("pack.toml").exists());
    }
}

#[tokio::test]
async fn a_fresh_pull_makes_a_pack_that_opens_and_verifies() {
    let bench = Bench::with(Manner::Proper).await;
    let output = bench.pull().await.expect("a pack");
    assert!(output.contains("embedder.onnx fetched: 300.00 kB, SHA-256 checked"), "{output}");
    let pack = Pack::open(bench.models.path().join("sample")).expect("a valid pack");
    pack.verify().expect("right digests");
    assert_eq!(
        (pack.name.as_str(), pack.embedder.crop.size, pack.embedder.dimensions),
        ("sample", 112, 128)
    );

    let again = bench.pull().await.expect("the same pack");
    assert_eq!(again.matches("is already there").count(), 2, "{again}");
    assert_eq!(bench.asked().len(), 1, "nothing is fetched twice");
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let bench = Bench::with(Manner::Cuts(120_000)).await;
    bench.pull().await.expect("a pack");
    assert_eq!(std::fs::read(bench.path("embedder.onnx")).expect("the file"), embedder());
    let asked = bench.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].is_none() && asked[1..].iter().all(Option::is_some), "{asked:?}");
}

#[tokio::test]
async fn a_later_pull_takes_up_the_part_of_an_earlier_one() {
    let bench = Bench::with(Manner::Proper).await;
    std::fs::create_dir_all(bench.models.path().join("sample")).expect("a folder");
    std::fs::write(bench.path("embedder.onnx.part"), &embedder()[..123_456]).expect("a part");
    bench.pull().await.expect("a pack");
    assert_eq!(bench.asked(), [Some("bytes=123456-".to_owned())]);
    assert_eq!(std::fs::read(bench.path("embedder.onnx")).expect("the file"), embedder());
    assert!(!bench.path("embedder.onnx.part").exists());
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_understood() {
    let bench = Bench::with(Manner::CutsFirstIgnoresRange(50_000)).await;
    bench.pull().await.expect("a pack");
    assert_eq!(std::fs::read(bench.path("embedder.onnx")).expect("the file"), embedder());
    let wrong = Bench::with(Manner::WrongRange).await;
    std::fs::create_dir_all(wrong.models.path().join("sample")).expect("a folder");
    std::fs::write(wrong.path("embedder.onnx.part"), &embedder()[..1000]).expect("a part");
    wrong.pull().await.expect("a pack");
    assert_eq!(wrong.asked(), [Some("bytes=1000-".to_owned()), None], "it begins again");
}

#[tokio::test]
async fn parts_that_are_no_beginning_of_the_file_are_dropped() {
    for part in [vec![9; 300_001], vec![9; 300_000], vec![9; 1000]] {
        let bench = Bench::with(Manner::Proper).await;
        std::fs::create_dir_all(bench.models.path().join("sample")).expect("a folder");
        std::fs::write(bench.path("embedder.onnx.part"), &part).expect("a part");
        if part.len() <= 300_000 {
            let failure = bench.failure().await;
            assert!(failure.contains("the download was deleted"), "{failure}");
            bench.assert_unusable();
        }
        bench.pull().await.expect("a pack");
        assert_eq!(std::fs::read(bench.path("embedder.onnx")).expect("the file"), embedder());
    }
}

#[tokio::test]
async fn a_wrong_file_is_never_kept() {
    let other = Bench::with(Manner::OtherContent).await;
    let failure = other.failure().await;
    let found = format!("{:x}", Sha256::digest(vec![0; 300_000]));
    assert!(
        failure.contains(&found) && failure.contains(&other.entry.embedder.sha256),
        "{failure}"
    );
    other.assert_unusable();
    assert!(!other.path("embedder.onnx.part").exists());

    let pointer = Bench::with(Manner::OtherSize).await;
    let failure = pointer.failure().await;
    assert!(failure.contains("has 42 bytes, but the catalog says 300000"), "{failure}");
    pointer.assert_unusable();
    assert_eq!(pointer.asked().len(), 1, "another attempt would not help");
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again() {
    let bench = Bench::with(Manner::Proper).await;
    bench.pull().await.expect("a pack");
    std::fs::write(bench.path("embedder.onnx"), "damaged").expect("damage");
    let mut output = Vec::new();
    let error =
        verify(&[bench.models.path().into()], Some("sample"), &mut output).expect_err("damage");
    assert_eq!(
        error.to_string(),
        "damaged packs: 1 of 1; `lookalike models pull NAME` repairs one of the catalog"
    );
    assert!(String::from_utf8(output).expect("text").starts_with("sample: "));
    bench.pull().await.expect("a repaired pack");
    verify(&[bench.models.path().into()], None, &mut Vec::new()).expect("no damage");
}

#[tokio::test]
async fn failures_of_the_server_say_what_to_do() {
    let missing = Bench::with(Manner::Missing).await;
    let failure = missing.failure().await;
    assert!(
        failure.contains("/mirror/sample/embedder.onnx: the server answers 404 Not Found"),
        "{failure}"
    );
    assert!(failure.contains("pull --from a mirror, or put the file at"), "{failure}");
    assert_eq!(missing.asked().len(), 1);

    let broken = Bench::with(Manner::Broken).await;
    assert!(broken.failure().await.contains("500 Internal Server Error"));
    assert_eq!(broken.asked().len(), 4);

    Bench::with(Manner::Busy).await.pull().await.expect("a pack at the second attempt");

    let mut nobody = Bench::with(Manner::Proper).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    nobody.url = format!("http://{free}");
    let failure = nobody.failure().await;
    assert!(failure.contains("onnection refused") && failure.contains("--from"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_at_the_same_time_do_not_mix() {
    let bench = Bench::with(Manner::Cuts(150_000)).await;
    let (first, second, third) = tokio::join!(bench.pull(), bench.pull(), bench.pull());
    for result in [first, second, third] {
        result.expect("a pack");
    }
    assert_eq!(std::fs::read(bench.path("embedder.onnx")).expect("the file"), embedder());
    assert_eq!(bench.asked().len(), 2, "only one of them fetched");
}

#[test]
fn the_catalog_is_sound() {
    for entry in CATALOG.iter() {
        assert!(entry.accuracy.contains_key("measured"), "{} says who measured", entry.name);
        for network in entry.networks() {
            assert!(network.url.starts_with("https://") && network.bytes > 0, "{network:?}");
            let commit = network
                .url
                .split('/')
                .find(|part| part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(commit.is_some(), "{} names a fixed commit", network.url);
        }
        // Everything else is checked by the reader of packs.
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pack.toml"), entry.manifest()).expect("a manifest");
        let pack = Pack::open(folder.path()).expect("a valid pack");
        assert_eq!((&pack.name, &pack.license), (&entry.name, &entry.license));
    }
    assert_eq!(
        CATALOG.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
        ["mobilefacenet", "opencv-zoo"]
    );
}

#[tokio::test]
async fn a_list_shows_what_is_here_and_what_is_not() {
    let bench = Bench::with(Manner::Proper).await;
    bench.pull().await.expect("a pack");
    let broken = bench.models.path().join("broken");
    std::fs::create_dir(&broken).expect("a folder");
    std::fs::write(broken.join("pack.toml"), "name = 1").expect("a manifest");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let listed = |format| {
        let mut output = Vec::new();
        list(&[bench.models.path().into(), shipped.clone()], format, &mut output).expect("a list");
        String::from_utf8(output).expect("text")
    };

    let long = listed(Format::Long);
    for expected in [
        "sample 1 (here: ",
        "mobilefacenet 1 (4.32 MB to pull)",
        "broken - (unusable: ",
        "lfw_accuracy: 0.9915",
        "license: Apache-2.0",
    ] {
        assert!(long.contains(expected), "{expected} in {long}");
    }

    let short = listed(Format::Short);
    for (line, name) in
        short.lines().zip(["broken", "default", "sample", "mobilefacenet", "opencv-zoo"])
    {
        assert!(line.starts_with(name), "{short}");
    }
    assert_eq!(short.lines().count(), 5);

    let packs: serde_json::Value = serde_json::from_str(&listed(Format::Json)).expect("JSON");
    let states: Vec<_> = packs.as_array().expect("packs").iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["unusable", "here", "here", "pullable", "pullable"]);
    assert_eq!(packs[1]["name"], "default");
    assert!(packs[1]["accuracy"].is_object() && packs[3]["bytes"].as_u64() > Some(4_000_000));
}

#[test]
fn a_pack_that_is_not_the_catalogs_does_not_pass_for_it() {
    let models = tempfile::tempdir().expect("a folder");
    let folder = models.path().join("mobilefacenet");
    std::fs::create_dir(&folder).expect("a folder");
    let mut entry = Entry::find("mobilefacenet").expect("an entry").clone();
    for network in [&mut entry.detector, &mut entry.embedder] {
        std::fs::write(folder.join(&network.file), "another").expect("a file");
        network.sha256 = format!("{:x}", Sha256::digest("another"));
    }
    std::fs::write(folder.join("pack.toml"), entry.manifest()).expect("a manifest");
    let mut output = Vec::new();
    verify(&[models.path().into()], Some("mobilefacenet"), &mut output).expect_err("a forged pack");
    let text = String::from_utf8(output).expect("text");
    assert_eq!(text, "mobilefacenet: detector.onnx is not the file of the catalog\n");
    assert!(matches!(
        verify(&[models.path().into()], Some("../x"), &mut Vec::new()),
        Err(CatalogError::Absent { .. })
    ));
    for nothing in [tempfile::tempdir().expect("a folder").path(), Path::new("/nonexistent/models")]
    {
        let error = verify(&[nothing.into()], None, &mut Vec::new()).expect_err("no packs");
        assert!(
            error.to_string().starts_with(&format!("no packs in {}", nothing.display())),
            "{error}"
        );
    }
}
