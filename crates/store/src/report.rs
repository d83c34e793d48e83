//! What a check of all that is kept finds.

/// More than this would only be more of the same.
pub(crate) const MAX_DAMAGE: usize = 100;

/// What a folder or a database holds, and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub collections: u64,
    pub faces: u64,
    /// One sentence each; empty when all is well.
    pub damage: Vec<String>,
}
