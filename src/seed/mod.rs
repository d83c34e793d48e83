//! Collections as a file describes them: made at start, by a command, or by a request.

mod apply;
mod command;
mod file;
#[cfg(test)]
mod tests;

pub use apply::{SeedError, Seeded, seed_server};
pub use command::{SeedCommand, run};
pub use file::{FileError, Folders, SeedFile};
