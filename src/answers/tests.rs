use super::*;

fn declare(answers: &Answers, json: &str) -> u64 {
    let declaration: Declaration = serde_json::from_str(json).expect("a declaration");
    answers.declare(vec![declaration]).expect("a sound declaration")[0]
}

fn tenant() -> Tenant {
    Tenant { account: "000000000000".to_owned(), region: "us-east-1".to_owned() }
}

#[test]
fn the_latest_declaration_that_fits_is_found() {
    let answers = Answers::default();
    let tenant = tenant();
    let image = Shown {
        operation: "IndexFaces",
        tenant: &tenant,
        external_image_id: Some("ann-1"),
        s3_object: Some("photos/ann/1.jpg"),
        digest: Some(&[0xab; 32]),
    };
    let found = |shown| answers.find(shown).map(|entry| entry.declaration.id);
    assert_eq!(found(image), None);
    let every = declare(&answers, r#"{"faces": []}"#);
    assert_eq!(found(image), Some(every));
    let by_digest = declare(
        &answers,
        &format!(r#"{{"image": {{"sha256": "{}"}}, "faces": []}}"#, "aB".repeat(32)),
    );
    assert_eq!(found(image), Some(by_digest));
    assert_eq!(found(Shown { digest: Some(&[0xac; 32]), ..image }), Some(every));
    assert_eq!(found(Shown { digest: None, ..image }), Some(every));
    let by_id = declare(&answers, r#"{"image": {"external_image_id": "ann-?"}, "faces": []}"#);
    let by_object = declare(
        &answers,
        r#"{"image": {"s3_object": "photos/ann/*"}, "operations": ["Search*"], "faces": []}"#,
    );
    assert_eq!(found(image), Some(by_id));
    let search = Shown { operation: "SearchFacesByImage", external_image_id: None, ..image };
    assert_eq!(found(search), Some(by_object));
    let once = declare(&answers, r#"{"error": "ThrottlingException", "times": 1}"#);
    assert_eq!((found(image), found(image)), (Some(once), Some(by_id)));
    let elsewhere = declare(&answers, r#"{"region": "eu-west-1", "faces": []}"#);
    assert_eq!(found(image), Some(by_id));
    assert!(answers.list().iter().any(|report| report.id == elsewhere && report.used == 0));
    answers.forget(&Scope { account: None, region: Some("eu-west-1".to_owned()) });
    assert!(answers.list().iter().all(|report| report.id != elsewhere));
    assert_eq!(answers.list().len(), 5);
    answers.forget(&Scope::default());
    assert!(answers.is_empty());
}

#[test]
fn a_declaration_that_makes_no_sense_is_refused_and_none_beside_it_kept() {
    let answers = Answers::default();
    for (json, word) in [
        (r"{}", "answers nothing"),
        (r#"{"image": {"sha256": "abc"}, "faces": []}"#, "SHA-256"),
        (r#"{"error": "Oops"}"#, "ThrottlingException"),
        (r#"{"error": "ThrottlingException", "faces": []}"#, "both"),
        (r#"{"faces": [{"similarity": 101}]}"#, "faces[0]: similarity"),
        (r#"{"faces": [{"person": "ann", "user_id": "ann"}]}"#, "more than one"),
        (r#"{"faces": [{"detail": {"AgeRange": {"Low": 9, "High": 9}}}]}"#, "AgeRange"),
        (r#"{"faces": [{"detail": {"Smile": {"Value": true, "Confidence": 40}}}]}"#, "50"),
        (r#"{"faces": [{"detail": {"Landmarks": [{"Type": "ear", "X": 0, "Y": 0}]}}]}"#, "ear"),
    ] {
        let wrong: Declaration = serde_json::from_str(json).expect(json);
        let right: Declaration = serde_json::from_str(r#"{"faces": []}"#).expect("sound");
        let refusal = answers.declare(vec![right, wrong]).expect_err(json);
        assert!(refusal.starts_with("answers[1]: ") && refusal.contains(word), "{refusal}");
        assert!(answers.is_empty());
    }
}

#[test]
fn a_detail_comes_back_as_it_was_declared() {
    let json = r#"{"detail": {
        "BoundingBox": {"Width": 0.25, "Height": 0.5, "Left": 0.125, "Top": 0.0},
        "Smile": {"Value": false, "Confidence": 75}, "Gender": {"Value": "Male", "Confidence": 90},
        "Emotions": [{"Type": "SAD", "Confidence": 10}, {"Type": "HAPPY", "Confidence": 80}],
        "Landmarks": [{"Type": "nose", "X": 0.3, "Y": 0.4}]
    }}"#;
    let declared: DeclaredFace = serde_json::from_str(json).expect("a face");
    let face = declared.face(0, 1);
    assert_eq!((face.bounding_box.left, face.bounding_box.height), (0.125, 0.5));
    let attributes = face.attributes.expect("attributes");
    assert_eq!((attributes.smile, attributes.male), (0.25, 0.9));
    assert_eq!(attributes.emotions[0], (lookalike_vision::Emotion::Happy, 0.8));
    assert_eq!(attributes.emotions[1], (lookalike_vision::Emotion::Sad, 0.1));
    assert_eq!((face.landmarks[4].x, face.landmarks[4].y), (0.3, 0.4));
    assert_eq!(face.landmarks.len(), 30);
    let again = serde_json::to_value(&declared).expect("plain JSON");
    assert_eq!(again["detail"]["Emotions"][1]["Type"], "HAPPY");
    assert!(again["detail"].get("Beard").is_none(), "{again}");
}

#[test]
fn faces_without_a_box_lie_side_by_side() {
    for count in [1, 2, 5, 100] {
        let boxes: Vec<_> = (0..count)
            .map(|index| DeclaredFace::default().face(index, count).bounding_box)
            .collect();
        for (index, a) in boxes.iter().enumerate() {
            assert!(a.left >= 0.0 && a.left + a.width <= 1.0 && a.top + a.height <= 1.0);
            for b in &boxes[..index] {
                assert!(b.width * b.height > a.width * a.height, "the first is the largest");
                let apart = a.left >= b.left + b.width
                    || b.left >= a.left + a.width
                    || a.top >= b.top + b.height
                    || b.top >= a.top + a.height;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }
}
