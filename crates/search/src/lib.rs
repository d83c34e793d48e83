//! Exact nearest-neighbor search over the faces and users of a collection.
//!
//! An [`Arena`] holds one collection's vectors and answers top-k searches above a threshold,
//! exactly and in a defined order, by a scan: a first pass over four bits a component with a proven
//! error bound rules out nearly everything, a look at eight bits nearly all of the rest, and what
//! remains is computed in `f32` ([`codes`] has the proof, [`simd`] the loops). [`Scanner`] runs
//! scans on its own threads and lets concurrent searches share them.
//!
//! # Memory
//!
//! A row of 128 components, a face or a user that has faces, takes 652 bytes (512 for the vector,
//! 128 for the codes, 4 for scale and residual, 8 for its id) and 19 to 39 in the id map: at most
//! 691 bytes. Rows live in chunks of [`CHUNK_ROWS`], of which the last doubles as it fills: growth
//! copies at most one chunk, a collection that shrinks gives chunks back, and only a small one may
//! take twice as much.

mod arena;
mod chunk;
pub mod codes;
mod directory;
mod memory;
mod query;
mod scanner;
pub mod simd;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod user;

pub use arena::{Arena, Snapshot};
pub use chunk::CHUNK_ROWS;
pub use query::{Hit, Query, TopK};
pub use scanner::{Abandoned, Scanner};
pub use user::user_vector;

/// The cosine of two unit vectors, computed as every search computes it.
///
/// # Panics
/// If they differ in length.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of two lengths");
    let isa = simd::Isa::best();
    if a.len().is_multiple_of(codes::PAD) {
        return isa.dot(a, b);
    }
    let padded = |vector: &[f32]| {
        let mut padded = vector.to_vec();
        padded.resize(vector.len().next_multiple_of(codes::PAD), 0.0);
        padded
    };
    isa.dot(&padded(a), &padded(b))
}

/// Why a vector cannot be stored or searched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VectorError {
    /// It has another number of components than the collection's vectors.
    #[error("the vector has {found} components instead of {expected}")]
    Dimension {
        /// Components of the collection's vectors.
        expected: usize,
        /// Components of this one.
        found: usize,
    },
    /// It is longer than a unit vector, or not finite.
    #[error("the vector has length {0} instead of at most 1")]
    Norm(f64),
}
