//! SQLite's failures in the words of the contract.

use crate::error::Failure;

/// Classifies by the primary result code (<https://www.sqlite.org/rescode.html>), the low byte of
/// the extended one.
pub(crate) fn classify(code: Option<&str>) -> Failure {
    match code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
        Some(13) => Failure::DiskFull,
        Some(8) => Failure::ReadOnly,
        Some(11 | 26) => Failure::Corrupt,
        Some(10 | 14) => Failure::Io,
        Some(5 | 6) => Failure::Busy,
        _ => Failure::Other,
    }
}
