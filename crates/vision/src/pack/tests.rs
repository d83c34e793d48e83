use super::*;

fn manifest() -> String {
    let section = |name: &str, rest: &str| {
        format!(
            "[{name}]\nfile = \"{name}.onnx\"\nsha256 = \"{}\"\ncolor = \"rgb\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n{rest}\n",
            hex(&Sha256::digest(name.as_bytes()))
        )
    };
    let mut text = String::from("name = \"test\"\nversion = \"1\"\nlicense = \"none\"\n");
    text += &section("detector", "family = \"yunet\"\nscore_threshold = 0.6\nnms_iou = 0.45");
    text += &section("embedder", "size = 112\nalignment = \"arcface-5\"\ndimensions = 128");
    text += &section("analyzer", "size = 96\nalignment = \"arcface-5\"\nscale = 0.7");
    text +=
        "[calibration]\ncosine = [-1.0, 1.0]\nsimilarity = [0.0, 100.0]\n[accuracy]\nlfw = 0.99\n";
    text
}

fn folder_with(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::write(folder.path().join("pack.toml"), manifest).expect("write");
    for name in ["detector", "embedder", "analyzer"] {
        fs::write(folder.path().join(format!("{name}.onnx")), name).expect("write");
    }
    folder
}

#[test]
fn opens_and_verifies() {
    let folder = folder_with(&manifest());
    let pack = Pack::open(folder.path()).expect("valid");
    pack.verify().expect("all digests match");
    assert_eq!((pack.name.as_str(), pack.models().count(), pack.embedder.flip), ("test", 3, false));
    assert_eq!(pack.accuracy["lfw"].as_float(), Some(0.99));
}

#[test]
fn a_changed_file_is_not_handed_out() {
    let folder = folder_with(&manifest());
    fs::write(folder.path().join("embedder.onnx"), "tampered").expect("write");
    let pack = Pack::open(folder.path()).expect("valid");
    assert!(pack.read(&pack.detector.model).is_ok());
    let error = pack.verify().expect_err("digest differs");
    assert!(
        matches!(&error, PackError::Digest { path, .. } if path.ends_with("embedder.onnx")),
        "{error}"
    );
}

#[test]
fn says_which_field_is_wrong() {
    for (from, to, field) in [
        ("score_threshold = 0.6", "score_threshold = 60", "detector.score_threshold"),
        ("scale = 0.7", "scale = 7", "analyzer.scale"),
        ("detector.onnx", "../detector.onnx", "detector"),
        ("cosine = [-1.0, 1.0]", "cosine = [1.0, -1.0]", "calibration"),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", "detector"),
    ] {
        let error =
            Pack::open(folder_with(&manifest().replacen(from, to, 1)).path()).expect_err(to);
        assert!(
            matches!(&error, PackError::Invalid { field: found, .. } if found == field),
            "{error}"
        );
    }
    let error = Pack::open(folder_with(&manifest().replacen("yunet", "retina", 1)).path())
        .expect_err("unknown family");
    assert!(error.to_string().contains("retina"), "{error}");
    assert!(matches!(Pack::open("/no/such/folder"), Err(PackError::Read { .. })));
}

/// Collections keep these digits: a change would part every collection from its pack.
#[test]
fn a_vector_space_never_changes_its_name() {
    let open = |manifest: &str| Pack::open(folder_with(manifest).path()).expect("valid");
    let plain = open(&manifest());
    assert_eq!(plain.vector_space(), "74f32a1b93d8");
    let rated = "[quality]\ncosine = [0.0, 0.5, 1.0]\nweight = [0.25, 0.5, 1.0]\nlow = 0.1\nauto = 0.2\nmedium = 0.3\nhigh = 0.4\n[calibration]";
    let rated = open(&manifest().replacen("[calibration]", rated, 1));
    assert_eq!(rated.vector_space(), "430c305e2ab2");
    let of_0_2_0 = &plain.embedder.crop.model.sha256[..12];
    assert!(plain.shares(of_0_2_0) && plain.shares(plain.vector_space()));
    assert!(!plain.shares(rated.vector_space()) && !plain.shares(""));
}
