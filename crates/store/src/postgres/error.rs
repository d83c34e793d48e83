//! PostgreSQL's failures in the words of the contract.

use crate::error::Failure;

/// Classifies by SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn classify(code: &str) -> Failure {
    match code {
        "53100" => Failure::DiskFull,
        "58030" => Failure::Io,
        "XX001" | "XX002" => Failure::Corrupt,
        // Serialization, deadlock, a lock that was not to be had in time, a statement that took too
        // long.
        "40001" | "40P01" | "55P03" | "57014" => Failure::Busy,
        // A replica; too many connections; shutting down, crashed, starting up.
        "25006" | "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Failure::Unreachable,
        code if code.starts_with("08") => Failure::Unreachable,
        _ => Failure::Other,
    }
}
