//! The web console's files over HTTP; `tests/console` drives its pages in a browser.

use reqwest::header::{ACCEPT, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, IF_NONE_MATCH, LOCATION};
use reqwest::{Client, Response, redirect};

use crate::support::TestServer;

async fn get(server: &TestServer, path: &str, headers: HeaderMap) -> Response {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    client.get(format!("{}{path}", server.url())).headers(headers).send().await.unwrap()
}

fn one(name: reqwest::header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, value.parse().unwrap())])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_at_the_front_door_is_shown_the_console_and_an_sdk_is_not() {
    let server = TestServer::start().await;
    let answer = get(&server, "/", one(ACCEPT, "text/html,*/*;q=0.8")).await;
    assert_eq!(answer.status(), 307);
    let place = format!("/{}", answer.headers()[LOCATION].to_str().unwrap());
    let page = get(&server, &place, HeaderMap::new()).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("<title>Lookalike</title>"));
    assert_eq!(get(&server, "/", one(ACCEPT, "*/*")).await.status(), 403);
    assert_eq!(server.call("ListCollections", serde_json::json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_load_and_call_nothing_but_the_server() {
    let template = "https://app.example/people/{ExternalImageId}.jpg";
    let server = TestServer::with(&["--console-thumbnails", template]).await;
    for path in ["/_lookalike/ui/", "/_lookalike/ui/app.js", "/_lookalike/ui/no-such-file"] {
        let answer = get(&server, path, HeaderMap::new()).await;
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(policy.contains("img-src 'self' blob: data: https://app.example;"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let facts = get(&server, "/_lookalike/ui/facts.json", HeaderMap::new()).await;
    let facts: serde_json::Value = serde_json::from_slice(&facts.bytes().await.unwrap()).unwrap();
    assert_eq!(facts["thumbnails"], template);
    assert_eq!(facts["verify"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = TestServer::start().await;
    let path = "/_lookalike/ui/app.js";
    let first = get(&server, path, HeaderMap::new()).await;
    let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let again = get(&server, path, one(IF_NONE_MATCH, &format!("\"other\", W/{etag}"))).await;
    assert_eq!(again.status(), 304);
    assert_eq!(get(&server, path, one(IF_NONE_MATCH, "\"other\"")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_console_has_none_of_its_files() {
    let server = TestServer::with(&["--console", "off"]).await;
    for path in ["/_lookalike/ui/", "/_lookalike/ui/app.js"] {
        assert_eq!(get(&server, path, one(ACCEPT, "text/html")).await.status(), 404);
    }
}
