//! What operators see of requests.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{TestServer, bytes};

async fn requests(server: &TestServer, query: &str) -> Vec<Value> {
    let path = format!("/_lookalike/requests{query}");
    let reply = server.admin("GET", &path, &[], None).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["requests"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn recent_requests_show_who_what_and_where_the_time_went() {
    let server = TestServer::with(&["--recent-requests", "3"]).await;
    server.collection("staff").await;
    let image = Photo::of(1, 0).jpeg();
    server.index_one("staff", &image).await;
    let search = json!({ "CollectionId": "staff", "Image": bytes(&image) });
    server.ok("SearchFacesByImage", search).await;
    server.refusal("DetectFaces", json!({ "Image": bytes(b"GIF89a") })).await;

    let list = requests(&server, "").await;
    let operations: Vec<_> = list.iter().map(|request| &request["operation"]).collect();
    assert_eq!(operations, ["DetectFaces", "SearchFacesByImage", "IndexFaces"]);
    let [refused, searched, indexed] = &list[..] else { panic!("{list:?}") };
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&json!(400), &json!("InvalidImageFormatException"))
    );
    assert_eq!(refused["cause"], "neither JPEG nor PNG");
    assert_eq!(
        (&indexed["account"], &indexed["region"]),
        (&json!("000000000000"), &json!("us-east-1"))
    );
    assert_eq!(
        (&indexed["access_key_id"], &indexed["collection"]),
        (&json!("AKIATEST"), &json!("staff"))
    );
    assert_eq!((&indexed["faces"], &indexed["top_similarity"]), (&json!(1), &Value::Null));
    assert!(searched["top_similarity"].as_f64() > Some(99.0), "{searched}");
    assert!(indexed["client"].as_str().expect("an address").starts_with("127.0.0.1:"));
    let stages = |request: &Value| -> Vec<String> {
        let stages = request["stages"].as_array().expect("a list");
        stages.iter().map(|stage| stage["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(
        stages(indexed),
        ["store", "queue_wait", "decode", "detect", "analyze", "embed", "store"]
    );
    assert_eq!(
        stages(searched),
        ["store", "queue_wait", "decode", "detect", "analyze", "embed", "search", "store"]
    );
    let total = indexed["milliseconds"].as_f64().expect("a number");
    for stage in indexed["stages"].as_array().expect("a list") {
        let (start, took) = (stage["start_ms"].as_f64(), stage["ms"].as_f64());
        assert!(start.zip(took).is_some_and(|(start, took)| start + took <= total), "{indexed}");
    }
    assert_eq!(requests(&server, "?limit=1").await.len(), 1);
    let text = Value::from(list).to_string();
    assert!(!text.contains("GIF89a") && text.len() < 8000, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_has_what_follows_and_ends_with_the_server() {
    let server = TestServer::start().await;
    let stream = reqwest::get(format!("{}/_lookalike/requests/stream", server.url())).await;
    let stream = stream.expect("an answer");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    server.collection("staff").await;
    let mut chunks = stream.bytes_stream();
    let first = chunks.next().await.expect("an event").expect("bytes");
    let event = std::str::from_utf8(&first).expect("UTF-8");
    let data = event.strip_prefix("data: ").expect("data").trim_end();
    let request: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(request["operation"], "CreateCollection");
    drop(server);
    let rest = tokio::time::timeout(Duration::from_secs(10), chunks.count());
    rest.await.expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_state_what_awss_text_leaves_out_unless_strict() {
    let server = TestServer::start().await;
    let broken = json!({ "Image": bytes(b"GIF89a") });
    let header = |reply: &crate::support::Reply| {
        reply
            .headers
            .get("x-lookalike-cause")
            .map(|value| value.to_str().expect("ASCII").to_owned())
    };
    let reply = server.call("DetectFaces", broken.clone()).await;
    assert_eq!(header(&reply).as_deref(), Some("neither JPEG nor PNG"));
    let missing = server.call("DescribeCollection", json!({ "CollectionId": "none" })).await;
    assert_eq!(header(&missing), None, "AWS's own text says it all");
    let strict = TestServer::with(&["--strict"]).await;
    assert_eq!(header(&strict.call("DetectFaces", broken).await), None);
}

async fn metrics(server: &TestServer, path: &str, accept: &str) -> (String, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", server.url()));
    let response = request.header("accept", accept).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().expect("ASCII").to_owned();
    (kind, response.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let image = Photo::of(1, 0).jpeg();
    let face = server.index_one("staff", &image).await;
    let search = json!({ "CollectionId": "staff", "Image": bytes(&image) });
    server.ok("SearchFacesByImage", search).await;
    server.refusal("DetectFaces", json!({ "Image": bytes(b"GIF89a") })).await;
    server.refusal("Invented", json!({})).await;

    let (kind, text) = metrics(&server, "/_lookalike/metrics", "*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    for line in [
        "lookalike_operation_duration_seconds_count{operation=\"IndexFaces\",code=\"ok\"} 1",
        "lookalike_operation_duration_seconds_count{operation=\"DetectFaces\",code=\"InvalidImageFormatException\"} 1",
        "lookalike_operation_duration_seconds_count{operation=\"other\",code=\"UnknownOperationException\"} 1",
        "lookalike_stage_duration_seconds_count{stage=\"detect\"} 2",
        "lookalike_stage_duration_seconds_count{stage=\"search\"} 1",
        "lookalike_images_total{source=\"bytes\",format=\"jpeg\",result=\"faces\"} 2",
        "lookalike_images_total{source=\"bytes\",format=\"other\",result=\"invalid\"} 1",
        "lookalike_faces_detected_total 2",
        "lookalike_faces_indexed_total 1",
        "lookalike_search_top_similarity_bucket{operation=\"SearchFacesByImage\",le=\"99\"} 0",
        "lookalike_search_candidates_sum{operation=\"SearchFacesByImage\"} 1.0",
        "lookalike_store_commit_batch_size_count 2",
        "lookalike_collections 1",
        "lookalike_faces 1",
        "lookalike_collections_loaded 1",
        "lookalike_inference_queue_depth 0",
        "lookalike_inference_workers_busy 0",
        "http_server_active_requests 1",
    ] {
        assert!(text.lines().any(|own| own == line), "no line {line} in\n{text}");
    }
    for secret in ["staff", "AKIATEST", "000000000000", "Invented", face.as_str()] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    let (kind, text) =
        metrics(&server, "/metrics", "application/openmetrics-text;version=1.0.0").await;
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(
        text.ends_with("# EOF\n") && text.contains("\nlookalike_build_info{version=\""),
        "{text}"
    );
    assert!(text.contains("http_route=\"/_lookalike/metrics\"} 1"), "{text}");
}

/// The value of a line of metrics.
fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_and_size_are_measured_in_every_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = lookalike_store::testing::server().schema().await;
    for data in [":memory:", folder.path().to_str().expect("UTF-8"), &database] {
        let server = TestServer::with(&["--data", data, "--workers", "1"]).await;
        server.collection("staff").await;
        server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
        let (_, text) = metrics(&server, "/metrics", "text/plain").await;
        let commits = value(&text, "lookalike_store_commit_batch_size_count");
        assert!(commits >= 2.0, "{data}: {commits}");
        assert!(commits <= value(&text, "lookalike_store_commit_batch_size_sum"), "{data}");
        assert!(value(&text, "lookalike_store_commit_duration_seconds_sum") > 0.0, "{data}");
        let bytes = value(&text, "lookalike_store_bytes{file=\"db\"}");
        assert!(bytes >= 4096.0, "{data}: {bytes}");
        assert_eq!(
            text.contains("lookalike_store_bytes{file=\"wal\"}"),
            data.starts_with('/'),
            "{data}"
        );
    }
}
