//! Ownership, merging and what goes between nodes.

mod merging;
mod messages;
mod ownership;
