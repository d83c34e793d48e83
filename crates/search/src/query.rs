//! What is searched for, and the best of what was found.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use super::VectorError;
use super::codes::{Probe, check};

/// A found row and the cosine of its vector and the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row id under which the vector was inserted.
    pub id: i64,
    /// Inner product of the two unit vectors.
    pub cosine: f32,
}

impl Hit {
    /// The order of an answer: highest cosine first, then lowest id.
    pub fn rank(&self, other: &Self) -> Ordering {
        other.cosine.total_cmp(&self.cosine).then(self.id.cmp(&other.id))
    }
}

/// A validated query: the vector made ready for the scan, a threshold and a number of answers.
pub struct Query {
    pub(super) probe: Probe,
    pub(super) min_cosine: f32,
    pub(super) k: usize,
    dimension: usize,
}

impl Query {
    /// Asks for the `k` best rows whose cosine is at least `min_cosine`.
    pub fn new(vector: &[f32], min_cosine: f32, k: usize) -> Result<Self, VectorError> {
        check(vector, vector.len())?;
        Ok(Self { probe: Probe::of(vector), min_cosine, k, dimension: vector.len() })
    }

    /// Number of components of the vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// An empty answer to this query.
    pub fn top(&self) -> TopK {
        TopK::new(self.min_cosine, self.k)
    }
}

/// The best hits so far of one query on one thread.
pub struct TopK {
    k: usize,
    floor: f32,
    /// Worst hit on top.
    heap: BinaryHeap<Ranked>,
}

impl TopK {
    fn new(min_cosine: f32, k: usize) -> Self {
        // The floor stays finite: an empty row has a bound of minus infinity, which must not reach
        // it. NaN matches nothing.
        let floor =
            if k == 0 || min_cosine.is_nan() { f32::INFINITY } else { min_cosine.max(f32::MIN) };
        Self { k, floor, heap: BinaryHeap::new() }
    }

    /// The cosine below which a row cannot be among the answers.
    #[inline]
    pub fn floor(&self) -> f32 {
        self.floor
    }

    /// Takes a hit if it is among the best `k` so far; raises the floor when there are `k`.
    #[inline]
    pub fn offer(&mut self, hit: Hit) {
        if hit.cosine < self.floor || self.k == 0 {
            return;
        }
        if self.heap.len() < self.k {
            self.heap.push(Ranked(hit));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && hit.rank(&worst.0) == Ordering::Less
        {
            *worst = Ranked(hit);
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
        {
            self.floor = self.floor.max(worst.0.cosine);
        }
    }

    /// Adds the hits that another thread found for the same query.
    pub fn merge(&mut self, other: Self) {
        for ranked in other.heap {
            self.offer(ranked.0);
        }
    }

    /// Exchanges floors with the other threads that scan for the same query: `k` hits that one of
    /// them has bound what all need.
    pub fn share(&mut self, shared: &SharedFloor) {
        self.floor = self.floor.max(shared.raise(self.floor));
    }

    /// The hits in the order of an answer; none if a row was met twice, because it went and came
    /// back elsewhere while the scan ran. The scan must then be repeated: the row may have taken
    /// another's place.
    pub fn into_hits(self) -> Option<Vec<Hit>> {
        let hits: Vec<Hit> =
            self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.0).collect();
        let mut ids: Vec<i64> = hits.iter().map(|hit| hit.id).collect();
        ids.sort_unstable();
        ids.is_sorted_by(|a, b| a < b).then_some(hits)
    }
}

/// The highest floor that any thread has reached for one query.
pub struct SharedFloor(AtomicI32);

impl Default for SharedFloor {
    fn default() -> Self {
        Self(AtomicI32::new(ordered(f32::MIN)))
    }
}

impl SharedFloor {
    /// Raises the floor to at least `floor`, and returns what it is then.
    fn raise(&self, floor: f32) -> f32 {
        let key = ordered(floor);
        let before = self.0.fetch_max(key, Relaxed);
        f32::from_bits(ordered_bits(before.max(key)).cast_unsigned())
    }
}

/// An integer that orders as the float does.
fn ordered(value: f32) -> i32 {
    ordered_bits(value.to_bits().cast_signed())
}

/// Flips the magnitude of negative values; its own inverse.
fn ordered_bits(bits: i32) -> i32 {
    bits ^ ((bits >> 31) & i32::MAX)
}

/// Orders hits by rank, so that the greatest is the worst.
struct Ranked(Hit);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rank(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}
