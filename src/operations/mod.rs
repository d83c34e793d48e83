//! One file per operation: its input, its output and what it does.

mod collections;
mod error;
mod faces;
mod images;
mod in_process;
mod support;
mod tags;
mod users;

use std::sync::{Arc, Mutex};

use aws_json::auth::Caller;
use aws_json::{
    ApiError, ApiResult, ErrorCode, Operation, OperationVisitor, Outcome, Record, Service,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use lookalike_store::Tenant;
use tracing::Span;

use crate::app::App;
use crate::door::Admission;
use crate::faults::Target;
use crate::forward::Forward;
use crate::telemetry::{Findings, traces};
use support::{Context, IMAGE_BODY_BYTES};

pub use in_process::call_in_process;

/// The face API of Amazon Rekognition.
pub struct Rekognition {
    /// What the operations work with.
    pub app: Arc<App>,
    /// Where other operations of Rekognition are served.
    pub forward: Option<Forward>,
}

/// The table of operations.
macro_rules! operations {
    ($($resource:ident::$module:ident::$operation:ident),* $(,)?) => {
        impl Service for Rekognition {
            const SIGNING_NAME: &'static str = "rekognition";
            const TARGET_PREFIX: &'static str = "RekognitionService.";
            const OPERATIONS: &'static [&'static str] =
                &[$( <$resource::$module::$operation as Operation>::NAME ),*];
            type Context = Context;
            type Findings = Findings;
            type Admission = Admission;

            async fn enter(&self, operation: &str) -> ApiResult<Option<Admission>> {
                let has_image =
                    Self::OPERATIONS.contains(&operation) && Self::max_body_bytes(operation) == IMAGE_BODY_BYTES;
                if has_image { self.app.door.enter().await.map(Some) } else { Ok(None) }
            }

            fn context(
                &self,
                caller: Caller,
                findings: &Arc<Findings>,
                admission: Option<Admission>,
            ) -> Context {
                let Caller { account, region, .. } = caller;
                Context {
                    app: Arc::clone(&self.app),
                    tenant: Tenant { account, region },
                    findings: Arc::clone(findings),
                    admission: Mutex::new(admission),
                }
            }

            fn trace(&self, record: &Record) -> Span {
                traces::of_call(record)
            }

            fn cause_header(&self) -> Option<HeaderName> {
                self.app.telemetry.cause_header()
            }

            fn answered(&self, record: Record, findings: &Findings, outcome: &Outcome<'_>) {
                self.app.telemetry.answered(record, findings, outcome);
            }

            async fn admit(&self, operation: &str, caller: &Caller) -> ApiResult<()> {
                if !self.app.faults.is_on() {
                    return Ok(());
                }
                let Caller { account, region, .. } = caller.clone();
                let tenant = Tenant { account, region };
                self.app.faults.meet(Target::Request, operation, &tenant).await
            }

            // Clients may well send an image to an operation that is not here.
            fn max_body_bytes(operation: &str) -> usize {
                match operation {
                    $( <$resource::$module::$operation as Operation>::NAME => {
                        <$resource::$module::$operation as Operation>::MAX_BODY_BYTES
                    } )*
                    _ => IMAGE_BODY_BYTES,
                }
            }

            async fn dispatch<V: OperationVisitor<Context>>(operation: &str, visitor: V) -> ApiResult<V::Answer> {
                match operation {
                    $( <$resource::$module::$operation as Operation>::NAME => {
                        Box::pin(visitor.visit::<$resource::$module::$operation>()).await
                    } )*
                    _ => visitor.unknown().await,
                }
            }

            fn forwards(&self) -> bool {
                self.forward.is_some()
            }

            async fn forward(&self, request: Request<Bytes>) -> ApiResult<Response<Body>> {
                match &self.forward {
                    Some(forward) => forward.send(request).await,
                    None => Err(ApiError::bare(ErrorCode::UnknownOperationException)),
                }
            }

            fn unknown_operation(operation: &str) -> String {
                let wanted = match operation {
                    "" => "X-Amz-Target names no operation of Rekognition".to_owned(),
                    operation => format!("{operation} is not here"),
                };
                format!(
                    "{wanted}: this server has the face operations {}. Start it with --forward URL to pass other \
                     operations on",
                    Self::OPERATIONS.join(", ")
                )
            }
        }
    };
}

operations! {
    collections::create_collection::CreateCollection,
    collections::delete_collection::DeleteCollection,
    collections::describe_collection::DescribeCollection,
    collections::list_collections::ListCollections,
    tags::tag_resource::TagResource,
    tags::untag_resource::UntagResource,
    tags::list_tags_for_resource::ListTagsForResource,
    faces::index_faces::IndexFaces,
    faces::list_faces::ListFaces,
    faces::delete_faces::DeleteFaces,
    images::detect_faces::DetectFaces,
    images::compare_faces::CompareFaces,
    faces::search_faces::SearchFaces,
    faces::search_faces_by_image::SearchFacesByImage,
    users::create_user::CreateUser,
    users::delete_user::DeleteUser,
    users::list_users::ListUsers,
    users::associate_faces::AssociateFaces,
    users::disassociate_faces::DisassociateFaces,
    users::search_users::SearchUsers,
    users::search_users_by_image::SearchUsersByImage,
}
