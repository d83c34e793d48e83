//! The kernels in plain Rust: the reference for the others, and the way of processors without
//! vector instructions.

use super::{BLOCK, Candidate, FINE_STEP, LANES, Probe, STEP_BYTES, block_bytes, coarse_product};
use crate::codes::Terms;

pub fn sweep(blocks: &[u8], probe: &Probe, floor: f32, out: &mut Vec<Candidate>) {
    for (block, bytes) in blocks.chunks_exact(block_bytes(probe.words.len() * 4)).enumerate() {
        let (steps, terms) = bytes.split_at(bytes.len() - BLOCK * 4);
        let mut sums = [0i32; BLOCK];
        for (step, pair) in steps.chunks_exact(STEP_BYTES).zip(probe.words.chunks_exact(2)) {
            let (first, second) = (pair[0].to_le_bytes(), pair[1].to_le_bytes());
            for (sum, four) in sums.iter_mut().zip(step.chunks_exact(4)) {
                for i in 0..4 {
                    *sum += i32::from(four[i] & 15) * i32::from(first[i].cast_signed());
                    *sum += i32::from(four[i] >> 4) * i32::from(second[i].cast_signed());
                }
            }
        }
        for (lane, (sum, terms)) in sums.into_iter().zip(terms.chunks_exact(4)).enumerate() {
            offer(out, block * BLOCK + lane, coarse_product(16 * sum, probe), terms, probe, floor);
        }
    }
}

/// Appends a row if its bound reaches the floor; `terms` are the 4 bytes of its terms.
#[inline]
pub fn offer(
    out: &mut Vec<Candidate>,
    row: usize,
    product: i32,
    terms: &[u8],
    probe: &Probe,
    floor: f32,
) {
    let terms = Terms::from_le_bytes([terms[0], terms[1], terms[2], terms[3]]);
    if probe.coarse_bound(product, terms) >= floor {
        out.push(Candidate { row: u32::try_from(row).expect("a chunk is small"), product });
    }
}

pub fn low_product(low: &[u8], probe: &Probe) -> i32 {
    let mut sum = 0;
    for (bytes, words) in
        low.chunks_exact(FINE_STEP / 2).zip(probe.words.chunks_exact(FINE_STEP / 4))
    {
        let (first, second) = words.split_at(FINE_STEP / 8);
        for (four, (a, b)) in bytes.chunks_exact(4).zip(first.iter().zip(second)) {
            let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
            for i in 0..4 {
                sum += i32::from(four[i] & 15) * i32::from(a[i].cast_signed());
                sum += i32::from(four[i] >> 4) * i32::from(b[i].cast_signed());
            }
        }
    }
    sum
}

pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    reduce(sums)
}

/// Adds sixteen sums in halves.
#[inline]
pub fn reduce(mut sums: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}
