//! Collections as a file: exported, imported. docs/TRANSFER.md describes the format.

mod checks;
mod client;
mod command;
mod export;
pub mod format;
mod import;
mod reader;
#[cfg(test)]
mod tests;

pub use checks::check_tenant;
pub use command::{
    ExportCommand, ImportCommand, ServerOrFolder, TransferError, run_export, run_import,
};
pub use export::{ExportError, Selected, Selection, export, select};
pub use format::Imported;
pub use import::{ImportError, ImportOptions, import};
pub use reader::ReadError;
