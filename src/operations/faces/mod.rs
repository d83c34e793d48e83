//! Faces of a collection: indexed, listed, searched, deleted.

pub mod delete_faces;
pub mod index_faces;
pub mod list_faces;
pub mod search_faces;
pub mod search_faces_by_image;
