//! One file per operation: its input, its output and what it does.

mod context;
mod face;
mod idempotency;
mod matches;
mod scene;
mod stored_face;

pub use context::Context;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::constraint::Request;
use crate::api::{ApiError, ApiResult};

/// The largest body of an operation on images: CompareFaces carries two of 5 MB in base64.
pub const IMAGE_BODY_BYTES: usize = 20 << 20;

/// An operation of the API.
pub trait Operation {
    /// Its name in `X-Amz-Target`.
    const NAME: &'static str;
    /// The largest body that is read. Texts and ids take far less than this, even with every character escaped.
    const MAX_BODY_BYTES: usize = 1 << 20;
    type Input: DeserializeOwned + Request + Send;
    type Output: Serialize + Send;

    /// Another operation whose permission this request needs too.
    fn also_needs(_input: &Self::Input) -> Option<&'static str> {
        None
    }

    /// Does it. The input satisfies the model's constraints.
    fn run(context: &Context, input: Self::Input) -> impl Future<Output = ApiResult<Self::Output>> + Send;
}

/// A request on its way to the operation that it names.
pub trait Call {
    /// Runs it as the operation `O`; answers the output's JSON.
    fn run<O: Operation>(self) -> impl Future<Output = ApiResult<Vec<u8>>> + Send;

    /// The answer when there is no such operation.
    fn refuse(self) -> ApiError;
}

/// The table of operations.
macro_rules! operations {
    ($($module:ident::$operation:ident),* $(,)?) => {
        $( mod $module; )*

        /// The names of all operations.
        pub const NAMES: &[&str] = &[$( <$module::$operation as Operation>::NAME ),*];

        /// The largest body that is read for the operation called `name`: clients may well send an image to one that is not here.
        pub fn max_body_bytes(name: &str) -> usize {
            match name {
                $( <$module::$operation as Operation>::NAME => <$module::$operation as Operation>::MAX_BODY_BYTES, )*
                _ => IMAGE_BODY_BYTES,
            }
        }

        /// Runs the operation called `name`.
        pub async fn dispatch(name: &str, call: impl Call) -> ApiResult<Vec<u8>> {
            match name {
                $( <$module::$operation as Operation>::NAME => Box::pin(call.run::<$module::$operation>()).await, )*
                _ => Err(call.refuse()),
            }
        }
    };
}

operations! {
    create_collection::CreateCollection,
    delete_collection::DeleteCollection,
    describe_collection::DescribeCollection,
    list_collections::ListCollections,
    tag_resource::TagResource,
    untag_resource::UntagResource,
    list_tags_for_resource::ListTagsForResource,
    index_faces::IndexFaces,
    list_faces::ListFaces,
    delete_faces::DeleteFaces,
    detect_faces::DetectFaces,
    compare_faces::CompareFaces,
    search_faces::SearchFaces,
    search_faces_by_image::SearchFacesByImage,
    create_user::CreateUser,
    delete_user::DeleteUser,
    list_users::ListUsers,
    associate_faces::AssociateFaces,
    disassociate_faces::DisassociateFaces,
    search_users::SearchUsers,
    search_users_by_image::SearchUsersByImage,
}
