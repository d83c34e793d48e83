//! An HTTP client that says what an SDK says.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Calls one server.
#[derive(Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
}

/// An answer of the server.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { url: url.to_owned(), http: http.build().expect("a client") }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends the control plane a request.
    pub async fn admin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        Reply::of(request.send().await.expect("the server answers")).await
    }

    /// Calls an operation with a signature made by `aws-sigv4`, the signer of the AWS SDK for Rust.
    pub async fn signed(
        &self,
        access_key: &str,
        secret: &str,
        operation: &str,
        input: Value,
    ) -> Reply {
        let identity = Credentials::new(access_key, secret, None, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("rekognition")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are set")
            .into();
        let host = self.url.trim_start_matches("http://");
        let target = format!("RekognitionService.{operation}");
        let body = input.to_string();
        let headers = [
            ("host", host),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let url = format!("{}/", self.url);
        let request = SignableRequest::new(
            "POST",
            &url,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .expect("signable");
        let (instructions, _) = sign(request, &parameters).expect("signs").into_parts();
        let (signed, _) = instructions.into_parts();
        let signed: Vec<(&str, &str)> =
            signed.iter().map(|header| (header.name(), header.value())).collect();
        let mut all = headers[1..].to_vec();
        all.extend(signed);
        self.post(&all, body.clone()).await
    }

    /// Calls an operation as an SDK does, without a signature.
    pub async fn call(&self, operation: &str, input: Value) -> Reply {
        self.call_as("us-east-1", operation, input).await
    }

    /// The same with a credential of another region.
    pub async fn call_as(&self, region: &str, operation: &str, input: Value) -> Reply {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/{region}/rekognition/aws4_request, SignedHeaders=host, Signature=0"
        );
        let target = format!("RekognitionService.{operation}");
        self.post(&[("x-amz-target", &target), ("authorization", &scope)], input.to_string()).await
    }

    /// Posts a body with the protocol's content type and these headers, where they do not say
    /// otherwise.
    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Reply {
        let mut request = self.http.post(&self.url).body(body);
        let mut all = HeaderMap::new();
        all.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
        for (name, value) in headers {
            all.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        request = request.headers(all);
        Reply::of(request.send().await.expect("the server answers")).await
    }

    /// Posts a body to an operation as it is.
    pub async fn post_as(&self, operation: &str, body: String) -> Reply {
        self.post(&[("x-amz-target", &format!("RekognitionService.{operation}"))], body).await
    }

    /// Calls an operation that has to succeed, of a server that may be killed meanwhile.
    pub async fn try_call(&self, operation: &str, input: Value) -> Option<Value> {
        let target = format!("RekognitionService.{operation}");
        let request = self
            .http
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1");
        let response = request.body(input.to_string()).send().await.ok()?;
        let status = response.status();
        let body = response.text().await.ok()?;
        assert_eq!(status, 200, "{operation}: {body}");
        serde_json::from_str(&body).ok()
    }

    /// Calls an operation that has to succeed or to fail in a way that SDKs try again after.
    pub async fn attempt(&self, operation: &str, input: &Value) -> Option<Value> {
        let target = format!("RekognitionService.{operation}");
        let request = self
            .http
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1");
        let response = request.body(input.to_string()).send().await.ok()?;
        let status = response.status();
        let body = response.text().await.ok()?;
        assert!(status == 200 || status.is_server_error(), "{operation}: {status} {body}");
        if status == 200 { serde_json::from_str(&body).ok() } else { None }
    }

    /// Calls an operation that has to succeed.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        let reply = self.call(operation, input).await;
        assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
        reply.body
    }

    /// Calls an operation that has to be refused; the error's name and text.
    pub async fn refusal(&self, operation: &str, input: Value) -> (String, String) {
        self.call(operation, input).await.refusal()
    }

    /// Makes a collection.
    pub async fn collection(&self, id: &str) {
        self.ok("CreateCollection", json!({ "CollectionId": id })).await;
    }

    /// Indexes an image and answers what IndexFaces does.
    pub async fn index(&self, collection: &str, image: &[u8]) -> Value {
        self.ok("IndexFaces", json!({ "CollectionId": collection, "Image": bytes(image) })).await
    }

    /// Indexes an image of one person; the id of the face.
    pub async fn index_one(&self, collection: &str, image: &[u8]) -> String {
        let answer = self.index(collection, image).await;
        assert_eq!(answer["FaceRecords"].as_array().map(Vec::len), Some(1), "{answer}");
        answer["FaceRecords"][0]["Face"]["FaceId"].as_str().expect("a face id").to_owned()
    }
}

impl Reply {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub fn refusal(&self) -> (String, String) {
        assert_ne!(self.status, 200, "{}", self.body);
        let text = |name: &str| self.body[name].as_str().map(str::to_owned);
        (
            text("__type").unwrap_or_default(),
            text("Message").or_else(|| text("message")).unwrap_or_default(),
        )
    }
}

/// An image in the request itself.
pub fn bytes(image: &[u8]) -> Value {
    json!({ "Bytes": STANDARD.encode(image) })
}
