//! AWS JSON 1.1 as clients meet it.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::TestServer;

const LIST: (&str, &str) = ("x-amz-target", "RekognitionService.ListCollections");

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_the_protocols_headers() {
    let server = TestServer::start().await;
    let reply = server.post(&[LIST], "{}").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/x-amz-json-1.1");
    assert!(uuid::Uuid::parse_str(reply.headers["x-amzn-requestid"].to_str().unwrap()).is_ok());
    assert!(reply.headers.contains_key("date") && reply.headers.contains_key("content-length"));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_type_parameters_and_paths_do_not_matter() {
    let server = TestServer::start().await;
    for content_type in
        ["application/x-amz-json-1.1; charset=utf-8", "Application/X-Amz-Json-1.1 ;charset=UTF-8"]
    {
        assert_eq!(
            server.post(&[LIST, ("content-type", content_type)], "{}").await.status,
            200,
            "{content_type}"
        );
    }
    let client = reqwest::Client::new();
    let request = client.post(format!("{}/ListCollections", server.url())).header(LIST.0, LIST.1);
    let response = request
        .header("content-type", "application/x-amz-json-1.1")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn service_errors_and_front_end_errors_have_their_own_envelopes() {
    let server = TestServer::start().await;
    let reply = server.call("DeleteCollection", json!({ "CollectionId": "none" })).await;
    assert_eq!(reply.status, 400);
    let request_id = reply.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(
        reply.body,
        json!({
            "__type": "ResourceNotFoundException", "Code": "ResourceNotFoundException", "Logref": request_id,
            "Message": "The collection id: none does not exist"
        })
    );
    let reply = server.call("DeleteCollection", json!({})).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.body,
        json!({
            "__type": "ValidationException",
            "message": "1 validation error detected: Value null at 'collectionId' failed to satisfy constraint: Member must not be null"
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_operation_is_told_which_there_are() {
    let server = TestServer::start().await;
    for (target, named) in [
        ("RekognitionService.DetectLabels", "DetectLabels is not here"),
        ("RekognitionService.listCollections", "listCollections is not here"),
        ("ListCollections", "X-Amz-Target names no operation"),
        ("Other.ListCollections", "X-Amz-Target names no operation"),
        ("", "X-Amz-Target names no operation"),
    ] {
        let reply = server.post(&[("x-amz-target", target)], "{}").await;
        let (code, message) = reply.refusal();
        assert_eq!((reply.status, code.as_str()), (400, "UnknownOperationException"), "{target}");
        assert!(message.starts_with(named), "{message}");
        assert!(
            message.contains("SearchUsersByImage") && message.contains("--forward"),
            "{message}"
        );
    }
    let (code, _) = server.post(&[], "{}").await.refusal();
    assert_eq!(code, "UnknownOperationException");
}

/// A server that answers with what it received: path and query, host, signature and body.
async fn echo() -> std::net::SocketAddr {
    let answer = |request: axum::extract::Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
        let echoed = json!({
            "uri": parts.uri.to_string(), "host": header("host"), "target": header("x-amz-target"),
            "authorization": header("authorization"), "body": String::from_utf8_lossy(&body)
        });
        (
            http::StatusCode::IM_A_TEAPOT,
            [("x-echo", "yes"), ("access-control-allow-origin", "*")],
            echoed.to_string(),
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn other_operations_are_passed_on_as_they_came() {
    let other = format!("http://{}/moto", echo().await);
    let server = TestServer::with(&["--forward", &other]).await;
    let headers = [
        ("x-amz-target", "RekognitionService.DetectLabels"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=x, Signature=y"),
        ("host", "127.0.0.1:1"),
    ];
    let reply = server.post(&headers, "{\"MaxLabels\": 3}").await;
    assert_eq!(reply.status, 418);
    assert_eq!(reply.headers["x-echo"], "yes");
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    assert_eq!(
        reply.body,
        json!({
            "uri": "/moto/", "host": "127.0.0.1:1", "target": headers[0].1,
            "authorization": headers[1].1, "body": "{\"MaxLabels\": 3}"
        })
    );
    assert_eq!(server.post(&[LIST], "{}").await.status, 200, "its own operations stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_an_error_of_ours() {
    let server = TestServer::with(&["--forward", "http://127.0.0.1:9"]).await;
    let (code, message) = server.call("DetectLabels", json!({})).await.refusal();
    assert_eq!(code, "InternalServerError");
    assert!(message.contains("--forward"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_object_are_serialization_errors() {
    let server = TestServer::start().await;
    for body in ["{", "", "null", "\"x\"", "{\"a\":1,}", "{} {}", "12"] {
        let reply = server.post(&[LIST], body).await;
        assert_eq!(
            (reply.status, reply.body),
            (400, json!({ "__type": "SerializationException" })),
            "{body}"
        );
    }
    let reply = server.post(&[LIST], "[]").await;
    assert_eq!(
        reply.body,
        json!({ "__type": "SerializationException", "Message": "Start of list found where not expected" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_are_told_before_missing_members() {
    let server = TestServer::start().await;
    for (operation, input, text) in [
        (
            "ListCollections",
            json!({ "MaxResults": "3" }),
            "STRING_VALUE can not be converted to an Integer",
        ),
        (
            "ListCollections",
            json!({ "MaxResults": true }),
            "TRUE_VALUE can not be converted to an Integer",
        ),
        ("ListCollections", json!({ "MaxResults": [] }), "Start of list found where not expected"),
        (
            "ListCollections",
            json!({ "NextToken": 7 }),
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            "DeleteCollection",
            json!({ "CollectionId": {} }),
            "Start of structure or map found where not expected.",
        ),
        ("DeleteFaces", json!({ "FaceIds": "x" }), "Expected list or null"),
        ("IndexFaces", json!({ "Image": "x" }), "Expected null"),
        ("IndexFaces", json!({ "Image": [] }), "Start of list found where not expected"),
        (
            "IndexFaces",
            json!({ "Image": { "Bytes": "abcde" } }),
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        ("IndexFaces", json!({ "Image": { "Bytes": "ab*d" } }), "Invalid Base64 character: '*'"),
        (
            "SearchFaces",
            json!({ "FaceMatchThreshold": "80" }),
            "STRING_VALUE can not be converted to a Float",
        ),
    ] {
        let refusal = server.refusal(operation, input.clone()).await;
        assert_eq!(
            refusal,
            ("SerializationException".to_owned(), text.to_owned()),
            "{operation} {input}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fractions_are_truncated_and_unknown_members_ignored() {
    let server = TestServer::start().await;
    for name in ["a", "b"] {
        server.collection(name).await;
    }
    let page = server
        .ok(
            "ListCollections",
            json!({ "MaxResults": 1.9, "Unheard": { "of": [1] }, "NextToken": null }),
        )
        .await;
    assert_eq!(page["CollectionIds"], json!(["a"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_gets_the_front_ends_xml() {
    let server = TestServer::start().await;
    let client = reqwest::Client::new();
    let reply = client.get(server.url()).send().await.unwrap();
    assert_eq!(reply.status(), 403);
    assert_eq!(
        reply.text().await.unwrap(),
        "<MissingAuthenticationTokenException>\n  <Message>Missing Authentication Token</Message>\n</MissingAuthenticationTokenException>\n"
    );
    let call = |query: &str| {
        client.post(format!("{}/{query}", server.url())).header(LIST.0, LIST.1).body("{}")
    };
    let foreign = |query: &str| call(query).header("content-type", "application/x-amz-json-1.0");
    for (request, status) in [
        (call(""), 403),
        (foreign(""), 403),
        (call("").header("authorization", "AWS4-HMAC-SHA256 Credential=x"), 404),
        (foreign("").header("authorization", "AWS4-HMAC-SHA256 Credential=x"), 404),
        (foreign("?X-Amz-Algorithm=AWS4-HMAC-SHA256"), 404),
    ] {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), status, "a signed call is one of another protocol");
        assert!(
            !reply.headers().contains_key("content-type")
                && reply.headers().contains_key("x-amzn-requestid")
        );
        if status == 404 {
            assert_eq!(reply.text().await.unwrap(), "<UnknownOperationException/>\n");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_larger_than_any_request_is_refused() {
    let server = TestServer::start().await;
    // Images may come to operations that are not here.
    for (operation, most) in
        [("ListCollections", 1 << 20), ("DetectFaces", 20 << 20), ("DetectLabels", 20 << 20)]
    {
        let padded = |bytes: usize| format!("{{{}}}", " ".repeat(bytes - 2));
        assert_ne!(server.post_as(operation, padded(most)).await.status, 413, "{operation}");
        assert_eq!(server.post_as(operation, padded(most + 1)).await.status, 413, "{operation}");
    }
    assert_eq!(server.post(&[LIST], "{}").await.status, 200, "and the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_chunks_are_a_bad_request() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).await.unwrap();
    let request = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: RekognitionService.ListCollections\r\n\
                   content-type: application/x-amz-json-1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// A preflight as browsers send it, by this name of the server.
async fn preflight(server: &TestServer, origin: &str, host: &str) -> reqwest::Response {
    let asked = "authorization,content-type,x-amz-date,x-amz-target,x-secret";
    reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, server.url())
        .header("host", host)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", asked)
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_this_machine_may_call() {
    let server = TestServer::start().await;
    let origin = "http://localhost:3000";
    let answer = preflight(&server, origin, "localhost").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], origin);
    assert_eq!(answer.headers()["access-control-allow-methods"], "POST");
    assert_eq!(answer.headers()["vary"], "Origin");
    let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("x-amz-target") && !allowed.contains("x-secret"), "{allowed}");
    let reply = server.post(&[LIST, ("origin", origin)], "{}").await;
    assert_eq!(
        (reply.status, &reply.headers["access-control-allow-origin"]),
        (200, &origin.parse().unwrap())
    );
    let exposed = reply.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("x-amzn-RequestId"));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_and_rebound_names_are_refused_everywhere() {
    let server = TestServer::start().await;
    for (origin, host, status) in [
        ("https://evil.example", "localhost", 403),
        ("http://evil.example:9340", "evil.example:9340", 421),
    ] {
        let answer = preflight(&server, origin, host).await;
        assert_eq!(answer.status(), status);
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        let reply = server.post(&[LIST, ("origin", origin), ("host", host)], "{}").await;
        let (code, message) = reply.refusal();
        assert_eq!((reply.status, code.as_str()), (status, "AccessDeniedException"));
        assert!(message.contains("evil.example"), "{message}");
        let ready = format!("{}/_lookalike/ready", server.url());
        let request = reqwest::Client::new().get(ready).header("host", host);
        let answer = request.header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    assert_eq!(server.post(&[LIST], "{}").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_and_names_are_allowed_by_options() {
    let options = ["--cors-origin", "https://app.example", "--host-name", "faces.example"];
    let server = TestServer::with(&options).await;
    let headers = [LIST, ("origin", "https://app.example"), ("host", "faces.example:9340")];
    let reply = server.post(&headers, "{}").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["access-control-allow-origin"], "https://app.example");
}
