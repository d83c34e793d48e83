//! One collection's vectors, for many readers and writers at once.
//!
//! A row never moves while anyone can see it: a scan reads chunk by chunk without holding the whole
//! arena, so a row that is there during the whole scan is seen exactly once. One that goes and
//! comes back meanwhile may be seen in both places, which the answer shows, and the scan is
//! repeated. A writer waits for no more than the piece of a chunk that a scan is at. Sparse chunks
//! are merged into a fresh one that takes their place in the list; running scans keep the list that
//! they began with.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::VectorError;
use super::chunk::{CHUNK_ROWS, Chunk};
use super::codes::{Codes, MAX_DIMENSION, check};
use super::directory::{Directory, Slot};
use super::query::{Hit, Query, TopK};
use super::simd::{Candidate, Isa};

/// Rows that are scanned under one hold of a chunk's lock; their coarse codes stay in the cache for
/// the next query of a batch.
const TILE_ROWS: usize = 1024;

type Chunks = Arc<Vec<Arc<RwLock<Chunk>>>>;

/// Vectors of one dimension under `i64` ids, with exact search.
pub struct Arena {
    dimension: usize,
    isa: Isa,
    /// Held by a writer for the whole of a write, and by nobody during a scan.
    directory: Mutex<Directory>,
    /// The directory's length, for those who must not wait for a writer.
    len: AtomicUsize,
    chunks: RwLock<Chunks>,
}

impl Arena {
    /// An empty arena for vectors of `dimension` components.
    ///
    /// # Panics
    /// If the dimension is 0 or more than [`MAX_DIMENSION`].
    pub fn new(dimension: usize) -> Self {
        Self::with_isa(dimension, Isa::best())
    }

    /// An empty arena that scans with the given instructions; all give the same answers.
    ///
    /// # Panics
    /// If the dimension is 0 or more than [`MAX_DIMENSION`].
    pub fn with_isa(dimension: usize, isa: Isa) -> Self {
        assert!((1..=MAX_DIMENSION).contains(&dimension), "unsupported dimension {dimension}");
        Self {
            dimension,
            isa,
            directory: Mutex::default(),
            len: AtomicUsize::new(0),
            chunks: RwLock::default(),
        }
    }

    /// Number of components of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated for vectors, codes and book-keeping.
    pub fn memory_bytes(&self) -> usize {
        let chunks: usize = self.chunks().iter().map(|chunk| read(chunk).memory_bytes()).sum();
        chunks + self.directory().memory_bytes()
    }

    /// Stores a vector under an id, in place of the one that is there.
    pub fn insert(&self, id: i64, vector: &[f32]) -> Result<(), VectorError> {
        check(vector, self.dimension)?;
        let codes = Codes::of(vector);
        let mut directory = self.directory();
        let Slot { chunk, row } = directory.place(id);
        self.len.store(directory.len(), Relaxed);
        let mut chunks = self.chunks();
        if chunk == chunks.len() {
            chunks = self.publish(|list| list.push(self.fresh()));
        }
        write(&chunks[chunk]).write(row, id, vector, &codes);
        Ok(())
    }

    /// Removes the vector of an id; says whether there was one.
    pub fn remove(&self, id: i64) -> bool {
        let mut directory = self.directory();
        let Some(slot) = directory.remove(id) else { return false };
        self.len.store(directory.len(), Relaxed);
        write(&self.chunks()[slot.chunk]).clear(slot.row);
        if directory.is_empty(slot.chunk) {
            self.publish(|list| list[slot.chunk] = self.fresh());
            directory.repacked(slot.chunk, &[]);
        } else if let Some((kept, emptied)) = directory.mergeable(slot.chunk) {
            self.merge(&mut directory, kept, emptied);
        }
        true
    }

    /// The vector of an id.
    pub fn get(&self, id: i64) -> Option<Vec<f32>> {
        let directory = self.directory();
        let slot = directory.find(id)?;
        let chunk = Arc::clone(&self.chunks()[slot.chunk]);
        let vector = read(&chunk).vector(slot.row)[..self.dimension].to_vec();
        Some(vector)
    }

    /// The `k` best rows whose cosine is at least `min_cosine`, highest cosine first, then lowest
    /// id. Scans on the calling thread.
    pub fn search(
        &self,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Result<Vec<Hit>, VectorError> {
        let query = Query::new(vector, min_cosine, k)?;
        Ok(self.search_batch(&[query])?.remove(0))
    }

    /// Answers several queries with one pass over memory, on the calling thread.
    pub fn search_batch(&self, queries: &[Query]) -> Result<Vec<Vec<Hit>>, VectorError> {
        for query in queries {
            self.accepts(query)?;
        }
        let mut scratch = Vec::new();
        loop {
            let snapshot = self.snapshot();
            let mut tops: Vec<TopK> = queries.iter().map(Query::top).collect();
            for chunk in 0..snapshot.chunks() {
                snapshot.scan(chunk, queries.iter(), &mut tops, &mut scratch);
            }
            let answers: Option<Vec<_>> = tops.into_iter().map(TopK::into_hits).collect();
            if let Some(answers) = answers {
                return Ok(answers);
            }
        }
    }

    /// Whether a query has the dimension of this arena.
    pub fn accepts(&self, query: &Query) -> Result<(), VectorError> {
        if query.dimension() == self.dimension {
            Ok(())
        } else {
            Err(VectorError::Dimension { expected: self.dimension, found: query.dimension() })
        }
    }

    /// The chunks as they are listed now, to scan in pieces.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { isa: self.isa, chunks: self.chunks() }
    }

    /// Puts a fresh chunk with the rows of two in the place of one, and an empty one in the place
    /// of the other, in one step.
    fn merge(&self, directory: &mut Directory, kept: usize, emptied: usize) {
        let chunks = self.chunks();
        let mut merged = Chunk::new(self.dimension);
        let mut ids = Vec::with_capacity(CHUNK_ROWS);
        for source in [kept, emptied] {
            let source = read(&chunks[source]);
            for row in source.live_rows() {
                merged.copy(ids.len(), &source, row);
                ids.push(source.id(row));
            }
        }
        directory.repacked(kept, &ids);
        directory.repacked(emptied, &[]);
        self.publish(|list| {
            list[kept] = Arc::new(RwLock::new(merged));
            list[emptied] = self.fresh();
        });
    }

    fn fresh(&self) -> Arc<RwLock<Chunk>> {
        Arc::new(RwLock::new(Chunk::new(self.dimension)))
    }

    /// Changes the list of chunks for everyone who asks from now on.
    fn publish(&self, change: impl FnOnce(&mut Vec<Arc<RwLock<Chunk>>>)) -> Chunks {
        let mut list = Vec::clone(&self.chunks());
        change(&mut list);
        let list = Arc::new(list);
        *write(&self.chunks) = Arc::clone(&list);
        list
    }

    fn chunks(&self) -> Chunks {
        Arc::clone(&read(&self.chunks))
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chunks of an arena at one moment. Rows that are written later may or may not be seen.
#[derive(Clone)]
pub struct Snapshot {
    isa: Isa,
    chunks: Chunks,
}

impl Snapshot {
    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Scans one chunk for all queries, each with its best so far.
    pub fn scan<'a>(
        &self,
        chunk: usize,
        queries: impl Iterator<Item = &'a Query> + Clone,
        tops: &mut [TopK],
        scratch: &mut Vec<Candidate>,
    ) {
        let mut first = 0;
        loop {
            let chunk = read(&self.chunks[chunk]);
            let last = chunk.scan_rows().min(first + TILE_ROWS);
            if first >= last {
                return;
            }
            for (query, top) in queries.clone().zip(tops.iter_mut()) {
                chunk.search(first..last, self.isa, query, top, scratch);
            }
            first = last;
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
