//! A snippet of the documents; `SNIPPET` names a file that has it as a block.

use aws_sdk_rekognition::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::Image;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    include!(env!("SNIPPET"))
}

/// A client without TLS, which would triple what has to be built.
fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
