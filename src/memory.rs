//! How much memory this process may use, and which part of it may hold how much.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytesize::ByteSize;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::objects::MAX_S3_IMAGE;
use lookalike_vision::image::LIGHT_IMAGE;
use lookalike_vision::{Vision, runtime};

const MIB: usize = 1 << 20;
/// What is assumed where the system states nothing.
const UNKNOWN: usize = 1 << 30;
/// The largest body may finish beyond the budget, and its image is decoded from base64 meanwhile.
const BEYOND: usize = 35 * MIB;
/// Large bodies and objects never get less, so that one always fits, nor more.
const ENCODED: (usize, usize) = (MAX_S3_IMAGE + MIB, 512 * MIB);
/// Below this, what the heaps of threads keep would count.
const SCARCE: usize = 2 << 30;
/// What each worker takes beyond its networks: a light image, and what it computes with.
const WORKING: usize = LIGHT_IMAGE + 16 * MIB;
/// What the smallest server takes with one worker, and how much more each further one should find.
const FIRST_WORKER: usize = 224 * MIB;
const FURTHER_WORKER: usize = 96 * MIB;
/// The same for pixels: a photo of 12 megapixels fits always.
const PIXELS: (usize, usize) = (64 * MIB, 1 << 30);

/// What requests may hold together, in bytes.
///
/// Encoded images and pixels have budgets of their own: a decode that waited for memory which the
/// bodies behind it hold would never get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    limit: usize,
    /// What the process held when it was measured, and what its networks may still take.
    resident: usize,
    /// What requests cannot share.
    fixed: usize,
    /// Vectors of searched collections.
    pub search: usize,
    encoded: usize,
    /// Decoded images.
    pub pixels: usize,
}

impl MemoryPlan {
    /// Divides what the limit leaves beside what the process holds now and each worker needs. Half
    /// is for searches unless `search` states how much, or less where the others would get less than
    /// they need; of the rest a third is for large bodies and fetched objects, and two thirds for
    /// pixels. A sixteenth of the limit stays free.
    fn new(limit: usize, resident: usize, search: Option<usize>, workers: usize) -> Self {
        let fixed = resident + BEYOND + workers * WORKING;
        let left = (limit - limit / 16).saturating_sub(fixed);
        let spare = left.saturating_sub(ENCODED.0 + PIXELS.0);
        let search = search.unwrap_or(spare.min(left / 2));
        let left = left.saturating_sub(search);
        Self {
            limit,
            resident,
            fixed,
            search,
            encoded: (left / 3).clamp(ENCODED.0, ENCODED.1),
            pixels: (left / 3 * 2).clamp(PIXELS.0, PIXELS.1),
        }
    }

    /// Measures, and logs the plan. `search` is that of `--search-memory`. To be called when the
    /// networks of the start are loaded.
    pub fn measure(limit: usize, search: Option<ByteSize>, vision: &Vision) -> Self {
        let resident = resident();
        let search = search.map(|size| bytes(size.as_u64()));
        let plan = Self::new(limit, resident + vision.bytes_to_load(), search, vision.workers());
        let mib = |bytes: usize| bytes / MIB;
        info!(
            limit_mb = mib(plan.limit),
            resident_mb = mib(resident),
            search_mb = mib(plan.search),
            bodies_and_objects_mb = mib(plan.encoded),
            pixels_mb = mib(plan.pixels),
            "memory for requests"
        );
        if plan.fixed + plan.search + plan.encoded + plan.pixels > plan.limit {
            warn!(
                "the memory limit leaves too little for large images: raise it, or set --workers 1"
            );
        }
        plan
    }

    /// Returns what was freed to the system, if the process holds more than it did in the beginning,
    /// the vectors of searched collections, and the part of the limit that stays free.
    pub fn trim(self, searched: impl FnOnce() -> usize) {
        let surplus = resident().saturating_sub(self.resident + self.limit / 16);
        if surplus > 0 && surplus > searched() {
            runtime::trim_memory();
        }
    }

    /// What large bodies and fetched objects may hold, in KiB of their encoded size. A body exists
    /// twice while its base64 is decoded.
    pub fn encoded(self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new((self.encoded / 7 * 4).max(ENCODED.0) >> 10))
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// What this process may use, in bytes: what `--memory` states, or what there is.
pub fn limit(stated: Option<ByteSize>) -> usize {
    stated.map(|size| size.as_u64()).or_else(available).map_or(UNKNOWN, bytes)
}

/// To be called before threads start: below `SCARCE` they share one heap.
pub fn prepare(limit: usize) {
    if limit < SCARCE {
        runtime::share_heap();
    }
}

/// How many workers such a limit has room for; at least one.
pub fn most_workers(limit: usize) -> usize {
    1 + limit.saturating_sub(FIRST_WORKER) / FURTHER_WORKER
}

const CGROUPS: &str = "/sys/fs/cgroup";

/// The memory of the machine in bytes, or of the tightest cgroup around this process where that is
/// less; none where the system does not show it.
fn available() -> Option<u64> {
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
    let group = |name: &str| {
        own.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(name)).unwrap_or_default()
    };
    let limits = |folder: PathBuf, group: &str, file: &str| -> Vec<PathBuf> {
        Path::new(group).ancestors().map(|above| folder.join(above).join(file)).collect()
    };
    let folder = Path::new(CGROUPS).to_owned();
    let mut files = limits(folder.join("memory"), group("memory:/"), "memory.limit_in_bytes");
    files.extend(limits(folder, group(":/"), "memory.max"));
    files
}

/// What the process holds now, in bytes.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map_or(128 * MIB, |kibibytes: usize| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_from_the_system() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        let files = groups("4:memory:/pod/one\n0::/system.slice/lookalike.service\n");
        for expected in [
            "system.slice/lookalike.service/memory.max",
            "memory.max",
            "memory/pod/one/memory.limit_in_bytes",
            "memory/memory.limit_in_bytes",
        ] {
            assert!(files.contains(&Path::new(CGROUPS).join(expected)), "{files:?}");
        }
        assert!(available().is_none_or(|limit| limit > 16 << 20));
        assert_eq!(limit(Some(ByteSize::mib(300))), 300 * MIB);
    }

    #[test]
    fn the_parts_stay_within_the_limit() {
        for limit in [256 * MIB, 300 * MIB, 512 * MIB, 1 << 30, 64 << 30] {
            let workers = most_workers(limit);
            let resident = (64 + 16 * workers) * MIB;
            let plan = MemoryPlan::new(limit, resident, None, workers);
            let parts = plan.search + plan.encoded + plan.pixels;
            assert!(resident + BEYOND + workers * WORKING + parts <= limit, "{plan:?}");
        }
        let largest = MemoryPlan::new(64 << 30, 120 * MIB, Some(MIB), 2);
        assert_eq!((largest.search, largest.encoded, largest.pixels), (MIB, ENCODED.1, PIXELS.1));
        let smallest = MemoryPlan::new(64 * MIB, 120 * MIB, None, 2);
        assert_eq!((smallest.search, smallest.encoded, smallest.pixels), (0, ENCODED.0, PIXELS.0));
    }
}
