//! Users of a collection and the faces associated with them.

pub mod associate_faces;
pub mod create_user;
pub mod delete_user;
pub mod disassociate_faces;
pub mod list_users;
pub mod search_users;
pub mod search_users_by_image;
