//! How many files, connections among them, the process may hold open.

/// Raises the soft limit to the hard one; the limit that is in force then.
#[cfg(unix)]
pub(super) fn raise_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// What macOS takes where the hard limit is none.
    const OPEN_MAX: u64 = 10_240;

    let limit = getrlimit(Resource::Nofile);
    let highest = [limit.maximum.unwrap_or(u64::MAX), OPEN_MAX];
    let higher = highest.into_iter().filter(|files| limit.current.is_some_and(|now| now < *files));
    for files in higher {
        let raised = Rlimit { current: Some(files), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) fn raise_limit() -> u64 {
    u64::MAX
}
