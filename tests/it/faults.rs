//! Faults: what goes wrong on purpose.

use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

async fn put(server: &TestServer, plan: Value) -> Value {
    let reply = server.admin("PUT", "/_lookalike/faults", &[], Some(plan)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

/// What ListCollections answers to forty requests.
async fn outcomes(server: &TestServer) -> Vec<u16> {
    let mut outcomes = Vec::new();
    for _ in 0..40 {
        outcomes.push(server.call("ListCollections", json!({})).await.status);
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_replayed_counted_and_turned_off() {
    let server = TestServer::start().await;
    let plan = json!({ "seed": 11, "rules": [{ "operations": ["List*"], "probability": 0.3, "error": "ThrottlingException" }] });
    put(&server, plan.clone()).await;
    let first = outcomes(&server).await;
    let refused = first.iter().filter(|status| **status == 500).count();
    assert!((4..=22).contains(&refused), "{first:?}");
    let report = server.admin("GET", "/_lookalike/faults", &[], None).await.body;
    assert_eq!((&report["on"], &report["seed"]), (&json!(true), &json!(11)));
    assert_eq!(report["rules"][0]["struck"], refused);
    let (code, text) = loop {
        let reply = server.call("ListCollections", json!({})).await;
        if reply.status != 200 {
            break reply.refusal();
        }
    };
    assert_eq!((code.as_str(), text.as_str()), ("ThrottlingException", "Service Unavailable"));
    put(&server, plan).await;
    assert_eq!(outcomes(&server).await, first);
    let off = server.admin("DELETE", "/_lookalike/faults", &[], None).await.body;
    assert_eq!(off["on"], false);
    assert!(outcomes(&server).await.iter().all(|status| *status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_of_the_command_line_return_with_a_reset() {
    let server = TestServer::with(&["--faults", "throttle,aws-quotas", "--fault-seed", "3"]).await;
    let system = server.admin("GET", "/_lookalike/system", &[], None).await.body;
    assert_eq!(system["faults_on"], true);
    server.admin("DELETE", "/_lookalike/faults", &[], None).await;
    let reset = |body| {
        let server = &server;
        async move { server.admin("POST", "/_lookalike/reset", &[], Some(body)).await }
    };
    reset(json!({ "keep": ["faults"] })).await;
    let kept = server.admin("GET", "/_lookalike/faults", &[], None).await.body;
    assert_eq!(kept["on"], false);
    reset(json!({})).await;
    let report = server.admin("GET", "/_lookalike/faults", &[], None).await.body;
    assert_eq!(report["presets"], json!(["throttle", "aws-quotas"]));
    assert_eq!(report["seed"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_s3_strike_objects_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    std::fs::write(folder.path().join("photos/ann.jpg"), Photo::of(1, 0).jpeg()).unwrap();
    let server = TestServer::with(&["--s3", folder.path().to_str().unwrap()]).await;
    put(
        &server,
        json!({ "rules": [{ "target": "s3", "times": 1, "error": "InvalidS3ObjectException" }] }),
    )
    .await;
    let object = json!({ "Image": { "S3Object": { "Bucket": "photos", "Name": "ann.jpg" } } });
    server.ok("DetectFaces", json!({ "Image": bytes(&Photo::of(1, 0).jpeg()) })).await;
    let (code, text) = server.refusal("DetectFaces", object.clone()).await;
    assert_eq!(code, "InvalidS3ObjectException");
    assert!(text.starts_with("Unable to get object metadata from S3"), "{text}");
    server.ok("DetectFaces", object).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_plan_changes_nothing() {
    let server = TestServer::start().await;
    put(&server, json!({ "presets": ["slow"] })).await;
    for wrong in [
        json!({ "presets": ["fast"] }),
        json!({ "rules": [{ "error": "Oops" }] }),
        json!({ "rules": [{ "latency": 5 }] }),
        json!({ "rules": [{ "latency_ms": 5, "struck": 0 }] }),
        json!({ "sed": 1 }),
    ] {
        let refused = server.admin("PUT", "/_lookalike/faults", &[], Some(wrong.clone())).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    let report = server.admin("GET", "/_lookalike/faults", &[], None).await.body;
    assert_eq!(report["presets"], json!(["slow"]));
}
