//! Images by themselves: nothing is stored.

pub mod compare_faces;
pub mod detect_faces;
