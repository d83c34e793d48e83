//! How much memory this process may use.

use std::fs;
use std::path::{Path, PathBuf};

const CGROUPS: &str = "/sys/fs/cgroup";

/// The memory of the machine in bytes, or of the tightest cgroup around this process where that is
/// less; none where the system does not show it.
pub fn limit() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups(&own)
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
        .chain(machine)
        .min()
}

/// `MemTotal` of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The files that hold the limits of a process's cgroups, of version 2 and of version 1. A process
/// in a container may see its own group as the root.
fn groups(own: &str) -> Vec<PathBuf> {
    let mut files = vec![Path::new(CGROUPS).join("memory/memory.limit_in_bytes")];
    let group = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    for ancestor in Path::new(group).ancestors() {
        files.push(Path::new(CGROUPS).join(ancestor).join("memory.max"));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_from_the_system() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        let files = groups("0::/system.slice/lookalike.service\n");
        for expected in ["system.slice/lookalike.service/memory.max", "memory.max"] {
            assert!(files.contains(&Path::new(CGROUPS).join(expected)), "{files:?}");
        }
        assert!(limit().is_none_or(|limit| limit > 16 << 20));
    }
}
