//! What the log says of a long load.

use std::time::{Duration, Instant};

use super::{MemberKind, Part};
use lookalike_store::Collection;

/// How often a long load says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How far the load of a collection is.
pub struct Progress {
    collection: String,
    kind: MemberKind,
    count: u64,
    /// At most, as the collection was when the load began; users without faces are included.
    total: u64,
    began: Instant,
    reported: Instant,
}

impl Progress {
    /// Begins now.
    pub fn new(collection: Collection, Part { kind, rows, .. }: Part) -> Self {
        let now = Instant::now();
        let total = match kind {
            MemberKind::Faces => collection.face_count,
            MemberKind::Users => collection.user_count,
        };
        let total = total.min(rows.end.abs_diff(rows.first));
        Self { collection: collection.name, kind, count: 0, total, began: now, reported: now }
    }

    /// Counts a vector.
    pub fn step(&mut self) {
        self.count += 1;
        // The clock is read rarely enough not to show.
        if self.count.is_multiple_of(4096) && self.reported.elapsed() >= PROGRESS_EVERY {
            self.reported = Instant::now();
            tracing::info!(collection = self.collection, kind = ?self.kind, count = self.count, of = self.total, "loading vectors");
        }
    }

    /// Says how long it took.
    pub fn done(&self) {
        let (count, elapsed) = (self.count, self.began.elapsed());
        if elapsed >= PROGRESS_EVERY {
            tracing::info!(collection = self.collection, kind = ?self.kind, count, ?elapsed, "loaded vectors");
        } else {
            tracing::debug!(collection = self.collection, kind = ?self.kind, count, ?elapsed, "loaded vectors");
        }
    }
}
