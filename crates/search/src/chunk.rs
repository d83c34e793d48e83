//! Some thousands of rows: vectors, codes and ids, laid out for the scan.

use std::ops::Range;

use super::codes::{Codes, PAD, Terms};
use super::memory::Pages;
use super::query::{Hit, Query, TopK};
use super::simd::{BLOCK, COARSE_STEP, Candidate, FINE_STEP, Isa, STEP_BYTES, block_bytes};

/// Rows of a full chunk: enough for either plane of codes to fill a huge page at 128 components;
/// the terms take a sixteenth of one more. The unit tests want many chunks of few rows.
pub const CHUNK_ROWS: usize = if cfg!(test) { 512 } else { 32_768 };

/// Rows of the smallest chunk that holds anything.
const FIRST_ROWS: usize = 64;

/// Fixed-capacity storage of rows. A row is empty until it is written and after it is cleared; an
/// empty row is never found.
pub struct Chunk {
    padded: usize,
    capacity: usize,
    /// Rows at and behind this one were never written.
    len: usize,
    /// High nibbles and terms, block by block.
    coarse: Pages,
    /// Low nibbles, row by row.
    low: Pages,
    vectors: Vec<f32>,
    ids: Vec<i64>,
}

impl Chunk {
    /// An empty chunk, which takes no memory yet, for vectors of `dimension` components.
    pub fn new(dimension: usize) -> Self {
        Self {
            padded: dimension.next_multiple_of(PAD),
            capacity: 0,
            len: 0,
            coarse: Pages::zeroed(0),
            low: Pages::zeroed(0),
            vectors: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Rows to scan, a whole number of blocks.
    pub fn scan_rows(&self) -> usize {
        self.len.next_multiple_of(BLOCK)
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.coarse.len()
            + self.low.len()
            + self.vectors.capacity() * size_of::<f32>()
            + self.ids.capacity() * size_of::<i64>()
    }

    /// The vector of a row, with its padding.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.padded..][..self.padded]
    }

    /// The id of a row.
    pub fn id(&self, row: usize) -> i64 {
        self.ids[row]
    }

    /// Stores a vector in a row, whatever was there.
    pub fn write(&mut self, row: usize, id: i64, vector: &[f32], codes: &Codes) {
        self.reserve(row + 1);
        self.len = self.len.max(row + 1);
        let values = &mut self.vectors[row * self.padded..][..self.padded];
        values[..vector.len()].copy_from_slice(vector);
        values[vector.len()..].fill(0.0);
        self.ids[row] = id;
        self.set_terms(row, codes.terms);

        let first_byte = row / BLOCK * block_bytes(self.padded) + row % BLOCK * COARSE_STEP / 2;
        for (step, codes) in codes.unsigned.chunks_exact(COARSE_STEP).enumerate() {
            let bytes = &mut self.coarse[first_byte + step * STEP_BYTES..][..COARSE_STEP / 2];
            let (first, second) = codes.split_at(COARSE_STEP / 2);
            for (byte, (a, b)) in bytes.iter_mut().zip(first.iter().zip(second)) {
                *byte = (a >> 4) | (b & 0xf0);
            }
        }
        let low = &mut self.low[row * self.padded / 2..][..self.padded / 2];
        for (bytes, codes) in
            low.chunks_exact_mut(FINE_STEP / 2).zip(codes.unsigned.chunks_exact(FINE_STEP))
        {
            let (first, second) = codes.split_at(FINE_STEP / 2);
            for (byte, (a, b)) in bytes.iter_mut().zip(first.iter().zip(second)) {
                *byte = (a & 15) | (b << 4);
            }
        }
    }

    /// Copies a row of another chunk of the same dimension.
    pub fn copy(&mut self, row: usize, other: &Self, from: usize) {
        self.reserve(row + 1);
        self.len = self.len.max(row + 1);
        let (padded, half) = (self.padded, self.padded / 2);
        self.vectors[row * padded..][..padded].copy_from_slice(other.vector(from));
        self.ids[row] = other.ids[from];
        self.set_terms(row, other.terms(from));
        self.low[row * half..][..half].copy_from_slice(&other.low[from * half..][..half]);
        let first_byte =
            |row: usize| row / BLOCK * block_bytes(padded) + row % BLOCK * COARSE_STEP / 2;
        for step in 0..padded / COARSE_STEP {
            let bytes = &other.coarse[first_byte(from) + step * STEP_BYTES..][..COARSE_STEP / 2];
            self.coarse[first_byte(row) + step * STEP_BYTES..][..COARSE_STEP / 2]
                .copy_from_slice(bytes);
        }
    }

    /// Empties a row.
    pub fn clear(&mut self, row: usize) {
        self.set_terms(row, Terms::EMPTY);
    }

    /// The rows that are not empty.
    pub fn live_rows(&self) -> impl Iterator<Item = usize> {
        (0..self.len).filter(|&row| self.terms(row) != Terms::EMPTY)
    }

    /// Offers every row of a range (whole blocks, within [`Self::scan_rows`]) that may be among the
    /// best.
    pub fn search(
        &self,
        rows: Range<usize>,
        isa: Isa,
        query: &Query,
        top: &mut TopK,
        candidates: &mut Vec<Candidate>,
    ) {
        let (half, size, probe) = (self.padded / 2, block_bytes(self.padded), &query.probe);
        candidates.clear();
        isa.sweep(
            &self.coarse[rows.start / BLOCK * size..rows.end / BLOCK * size],
            probe,
            top.floor(),
            candidates,
        );
        for candidate in candidates.iter() {
            let row = rows.start + candidate.row as usize;
            // Each code is 16 h - 120 + (l - 8).
            let low = isa.low_product(&self.low[row * half..][..half], probe) - 8 * probe.code_sum;
            if probe.fine_bound(candidate.product + low, self.terms(row)) >= top.floor() {
                top.offer(Hit {
                    id: self.ids[row],
                    cosine: isa.dot(&probe.exact, self.vector(row)),
                });
            }
        }
    }

    /// Makes room for `rows` rows, by doubling up to a full chunk, so that small collections stay
    /// small.
    fn reserve(&mut self, rows: usize) {
        if rows <= self.capacity {
            return;
        }
        let capacity = rows.next_power_of_two().max(FIRST_ROWS);
        self.coarse.grow(capacity / BLOCK * block_bytes(self.padded));
        self.low.grow(capacity * self.padded / 2);
        self.vectors.resize(capacity * self.padded, 0.0);
        self.ids.resize(capacity, 0);
        for row in self.capacity..capacity {
            self.clear(row);
        }
        // Last, so that a growth that fails half way is begun again by the next write.
        self.capacity = capacity;
    }

    fn terms(&self, row: usize) -> Terms {
        let bytes = &self.coarse[self.terms_at(row)..][..4];
        Terms::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn set_terms(&mut self, row: usize, terms: Terms) {
        let at = self.terms_at(row);
        self.coarse[at..][..4].copy_from_slice(&terms.to_le_bytes());
    }

    /// The terms of a block follow its steps.
    fn terms_at(&self, row: usize) -> usize {
        (row / BLOCK + 1) * block_bytes(self.padded) - (BLOCK - row % BLOCK) * 4
    }
}
