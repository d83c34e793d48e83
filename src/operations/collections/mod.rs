//! Collections of faces.

pub mod create_collection;
pub mod delete_collection;
pub mod describe_collection;
pub mod list_collections;
