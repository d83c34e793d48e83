//! The control plane: who may use it, and what it does.

use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::{Client, TestServer};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let reply = client.admin("GET", path, headers, None).await;
    (reply.status, reply.body)
}

async fn reset(client: &Client, body: Option<Value>) -> Value {
    let reply = client.admin("POST", "/_lookalike/reset", &[], body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

fn keys() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let key = "[[key]]\naccess_key_id = \"AKIDALICE\"\nsecret_access_key = \"hush\"\n\
               account = \"123456789012\"\nuser = \"alice\"\n";
    std::fs::write(file.path(), key).expect("writes");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_a_line_or_json_under_both_names() {
    let server = TestServer::start().await;
    for path in ["/_lookalike/health", "/_localstack/health"] {
        assert_eq!(get(&server, path, &[]).await, (200, json!("ok\n")), "{path}");
        let (status, health) = get(&server, path, &[("accept", "application/json")]).await;
        assert_eq!((status, &health["status"]), (200, &json!("ok")));
        assert_eq!(health["pack"], "default");
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        assert!(health["uptime_seconds"].is_u64(), "{health}");
    }
    assert_eq!(get(&server, "/_lookalike/ready", &[]).await, (200, json!("ready\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_counts_what_there_is_and_keeps_secrets() {
    let options = ["--admin-token", "s3cret", "--forward", "http://user:hush@localhost:5000/api"];
    let server = TestServer::with(&options).await;
    server.collection("staff").await;
    server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
    server.call_as("eu-west-1", "CreateCollection", json!({ "CollectionId": "staff" })).await;
    let token = ("authorization", "Bearer s3cret");
    let (status, system) = get(&server, "/_lookalike/system", &[token]).await;
    assert_eq!(status, 200);
    assert_eq!((&system["collections"], &system["faces"]), (&json!(2), &json!(1)));
    let regions: Vec<_> =
        system["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["region"]).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(system["pack"]["name"], "default");
    assert_eq!(system["queue"], json!({ "waiting": 0, "most": 64 }));
    assert_eq!(system["settings"]["forward"], "http://localhost:5000");
    assert!(system["pack"]["accuracy"]["false_match_rate_at_80"].is_f64(), "{system}");
    let text = system.to_string();
    assert!(!text.contains("s3cret") && !text.contains("hush"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_collection_is_what_its_searches_have_loaded() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    let face = server.index_one("staff", &Photo::of(1, 0).jpeg()).await;
    let of = |collection: &str| {
        format!("/_lookalike/memory?account=000000000000&region=us-east-1&collection={collection}")
    };
    let (_, memory) = get(&server, &of("staff"), &[]).await;
    assert_eq!(memory, json!({ "faces": null, "users": null }));

    server.ok("SearchFaces", json!({ "CollectionId": "staff", "FaceId": face })).await;
    let (status, memory) = get(&server, &of("staff"), &[]).await;
    assert_eq!((status, &memory["faces"]["vectors"]), (200, &json!(1)), "{memory}");
    assert!(memory["faces"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{memory}");
    assert_eq!(memory["users"], Value::Null);

    assert_eq!(get(&server, &of("nobody"), &[]).await.0, 404);
    assert_eq!(get(&server, "/_lookalike/memory?collection=staff", &[]).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_verifies_needs_a_token() {
    let keys = keys();
    let credentials = ["--credentials", keys.path().to_str().unwrap()];
    let closed = TestServer::with(&credentials).await;
    let (status, body) = get(&closed, "/_lookalike/system", &[]).await;
    assert_eq!(status, 403);
    assert!(body["error"].as_str().unwrap().contains("--admin-token"), "{body}");
    assert_eq!(get(&closed, "/_lookalike/health", &[]).await.0, 200);

    let guarded =
        TestServer::with(&[&credentials[..], &["--admin-token", "s3cret"]].concat()).await;
    let token = ("authorization", "Bearer s3cret");
    let (_, system) = get(&guarded, "/_lookalike/system", &[token]).await;
    assert_eq!(system["keys"][0]["access_key_id"], "AKIDALICE");
    assert_eq!(system["keys"][0]["user"], "alice");
    assert!(!system.to_string().contains("hush"), "{system}");
    for path in ["/_lookalike/system", "/_lookalike/openapi.json"] {
        let refused = guarded.admin("GET", path, &[], None).await;
        assert_eq!(
            (refused.status, &refused.headers["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
        assert_eq!(get(&guarded, path, &[("authorization", "Bearer s3cret1")]).await.0, 401);
        assert_eq!(get(&guarded, path, &[("authorization", "Bearer s3cret")]).await.0, 200);
    }
    for path in ["/_lookalike/reset", "/moto-api/reset"] {
        assert_eq!(guarded.admin("POST", path, &[], None).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_page_is_let_in_whatever_the_api_allows() {
    let server = TestServer::with(&["--cors-origin", "*"]).await;
    let own = server.url().to_owned();
    let foreign = ("origin", "https://app.example");
    for (method, path) in
        [("GET", "/_lookalike/system"), ("POST", "/_lookalike/reset"), ("POST", "/moto-api/reset")]
    {
        let reply = server.admin(method, path, &[foreign, ("x-lookalike-admin", "1")], None).await;
        assert_eq!(reply.status, 403, "{path}");
        assert!(reply.body["error"].as_str().unwrap().contains("https://app.example"));
    }
    let own = ("origin", own.as_str());
    assert_eq!(get(&server, "/_lookalike/system", &[own]).await.0, 200);
    let careless = server.admin("POST", "/_lookalike/reset", &[own], None).await;
    assert_eq!(careless.status, 403);
    assert!(careless.body["error"].as_str().unwrap().contains("x-lookalike-admin"));
    let deliberate = [own, ("x-lookalike-admin", "1")];
    assert_eq!(server.admin("POST", "/_lookalike/reset", &deliberate, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_its_own_takes_the_control_plane_from_the_api() {
    let server = TestServer::with(&["--admin-listen", "127.0.0.1:0"]).await;
    let own = server.admin_listener();
    for client in [&*server, own] {
        assert_eq!(get(client, "/_lookalike/health", &[]).await.0, 200);
        assert_eq!(get(client, "/_lookalike/ready", &[]).await.0, 200);
        client.ok("ListCollections", json!({})).await;
    }
    assert_eq!(get(own, "/_lookalike/system", &[]).await.0, 200);
    for path in ["/_lookalike/system", "/_lookalike/ui/", "/_lookalike/openapi.json"] {
        let (status, body) = get(&server, path, &[]).await;
        assert_eq!(status, 404, "{path}");
        assert!(body["error"].as_str().unwrap().contains("--admin-listen"), "{body}");
    }
    server.collection("staff").await;
    server.admin("POST", "/moto-api/reset", &[], None).await;
    server.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_led_to_a_page_and_an_sdk_to_the_api() {
    let server = TestServer::start().await;
    let led = server.admin("GET", "/", &[HTML], None).await;
    assert_eq!((led.status, &led.headers["location"]), (307, &"_lookalike/ui/".parse().unwrap()));
    let page = server.admin("GET", "/_lookalike/ui/", &[HTML], None).await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.headers.contains_key("content-security-policy"));
    assert_eq!(get(&server, "/", &[]).await.0, 403, "as AWS answers");

    let off = TestServer::with(&["--console", "off"]).await;
    let greeted = off.admin("GET", "/", &[HTML], None).await;
    assert_eq!(greeted.status, 200);
    assert!(greeted.body.as_str().unwrap().contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(get(&off, "/_lookalike/ui/", &[]).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_in_json() {
    let server = TestServer::start().await;
    for (method, path, body, status) in [
        ("GET", "/_lookalike/nothing", None, 404),
        ("GET", "/_lookalike/reset", None, 405),
        ("POST", "/_lookalike/reset", Some(json!({ "acount": "1" })), 400),
        ("POST", "/_lookalike/reset", Some(json!([])), 400),
        ("POST", "/_lookalike/reset", Some(json!({ "account": 12 })), 400),
    ] {
        let reply = server.admin(method, path, &[], body).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert!(reply.body["error"].is_string(), "{path}: {}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_deletes_what_it_names_and_no_more() {
    let server = TestServer::start().await;
    let photo = Photo::of(1, 0).jpeg();
    for region in ["us-east-1", "eu-west-1"] {
        server.call_as(region, "CreateCollection", json!({ "CollectionId": "staff" })).await;
    }
    let first = server.index_one("staff", &photo).await;
    let search = json!({ "CollectionId": "staff", "FaceId": first });
    server.ok("SearchFaces", search.clone()).await;

    let deleted = reset(&server, Some(json!({ "region": "us-east-1" }))).await;
    assert_eq!(
        deleted["deleted"],
        json!([{ "account": "000000000000", "region": "us-east-1", "collections": 1, "faces": 1, "users": 0 }])
    );
    assert_eq!(server.refusal("SearchFaces", search).await.0, "ResourceNotFoundException");
    let kept = json!({ "CollectionId": "staff" });
    assert_eq!(server.call_as("eu-west-1", "DescribeCollection", kept).await.status, 200);

    server.collection("staff").await;
    assert_ne!(server.index_one("staff", &photo).await, first, "an id was given again");
    let other_account = json!({ "account": "123456789012" });
    assert_eq!(reset(&server, Some(other_account)).await["deleted"], json!([]));
    assert_eq!(reset(&server, None).await["deleted"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.ok("ListCollections", json!({})).await["CollectionIds"], json!([]));
    let (_, system) = get(&server, "/_lookalike/system", &[]).await;
    assert_eq!(system["memory"]["loaded_collections"], 0, "{}", system["memory"]);

    server.collection("staff").await;
    assert_eq!(server.admin("POST", "/moto-api/reset", &[], None).await.status, 200);
    assert_eq!(server.ok("ListCollections", json!({})).await["CollectionIds"], json!([]));
}
