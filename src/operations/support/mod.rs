//! What the operations share.

pub mod context;
pub mod face;
pub mod idempotency;
pub mod matches;
pub mod picture;
pub mod probe;
pub mod scene;
pub mod stored_face;

pub use context::{Context, Searchable};
pub use picture::Asked;

/// The largest body of an operation on images: CompareFaces carries two of 5 MB in base64.
pub const IMAGE_BODY_BYTES: usize = 20 << 20;

/// Items on a page of ListFaces or ListCollections when the request names no size.
pub const DEFAULT_PAGE: usize = 4096;
