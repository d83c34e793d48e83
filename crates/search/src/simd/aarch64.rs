//! The kernels for NEON, which every 64-bit ARM processor has.
//!
//! A nibble times a code is at most `15 · 127 = 1,905` in magnitude, so 16 products fit in a 16-bit
//! sum.

use std::arch::aarch64::*;

use super::portable::{offer, reduce};
use super::{BLOCK, Candidate, FINE_STEP, LANES, Probe, STEP_BYTES, block_bytes, coarse_product};

/// # Safety
/// The processor has NEON; `blocks` is a whole number of blocks for the probe's padded dimension.
#[target_feature(enable = "neon")]
pub unsafe fn sweep(blocks: &[u8], probe: &Probe, floor: f32, out: &mut Vec<Candidate>) {
    for (block, bytes) in blocks.chunks_exact(block_bytes(probe.words.len() * 4)).enumerate() {
        let (steps, terms) = bytes.split_at(bytes.len() - BLOCK * 4);
        // Four rows to a register; each row has two 32-bit sums until the end.
        let mut sums = [[vdupq_n_s32(0); 2]; 4];
        // Eight steps are 16 products a lane; the padding makes the number of steps a multiple of
        // 8.
        for (steps, words) in steps.chunks_exact(8 * STEP_BYTES).zip(probe.words.chunks_exact(16)) {
            let mut narrow = [[vdupq_n_s16(0); 2]; 4];
            for (step, pair) in steps.chunks_exact(STEP_BYTES).zip(words.chunks_exact(2)) {
                let (a, b) = (
                    vreinterpret_s8_s32(vdup_n_s32(pair[0])),
                    vreinterpret_s8_s32(vdup_n_s32(pair[1])),
                );
                for ([front, back], sixteen) in narrow.iter_mut().zip(step.chunks_exact(16)) {
                    // SAFETY: the slice has 16 bytes.
                    let bytes = unsafe { vld1q_u8(sixteen.as_ptr()) };
                    let first = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
                    let second = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                    *front =
                        vmlal_s8(vmlal_s8(*front, vget_low_s8(first), a), vget_low_s8(second), b);
                    *back =
                        vmlal_s8(vmlal_s8(*back, vget_high_s8(first), a), vget_high_s8(second), b);
                }
            }
            for (wide, narrow) in sums.iter_mut().flatten().zip(narrow.into_iter().flatten()) {
                *wide = vpadalq_s16(*wide, narrow);
            }
        }
        for (quarter, [front, back]) in sums.into_iter().enumerate() {
            let mut products = [0i32; 4];
            // SAFETY: the array has the 16 bytes that are stored.
            unsafe { vst1q_s32(products.as_mut_ptr(), vpaddq_s32(front, back)) };
            for (lane, sum) in (quarter * 4..).zip(products) {
                offer(
                    out,
                    block * BLOCK + lane,
                    coarse_product(16 * sum, probe),
                    &terms[lane * 4..],
                    probe,
                    floor,
                );
            }
        }
    }
}

/// # Safety
/// The processor has NEON; `low` is a whole number of fine steps, and `probe` has two codes for
/// each byte.
#[target_feature(enable = "neon")]
pub unsafe fn low_product(low: &[u8], probe: &Probe) -> i32 {
    let mut sum = vdupq_n_s32(0);
    for step in 0..low.len() / (FINE_STEP / 2) {
        for half in 0..2 {
            // SAFETY: the 16 bytes from here are inside `low`, and the two times 16 codes inside
            // `words`.
            let (bytes, a, b) = unsafe {
                let codes = probe.words.as_ptr().cast::<i8>().add(step * FINE_STEP + half * 16);
                (
                    vld1q_u8(low.as_ptr().add(step * FINE_STEP / 2 + half * 16)),
                    vld1q_s8(codes),
                    vld1q_s8(codes.add(FINE_STEP / 2)),
                )
            };
            let first = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
            let second = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
            let mut narrow = vmull_s8(vget_low_s8(first), vget_low_s8(a));
            narrow = vmlal_s8(narrow, vget_high_s8(first), vget_high_s8(a));
            narrow = vmlal_s8(narrow, vget_low_s8(second), vget_low_s8(b));
            narrow = vmlal_s8(narrow, vget_high_s8(second), vget_high_s8(b));
            sum = vpadalq_s16(sum, narrow);
        }
    }
    vaddvq_s32(sum)
}

/// # Safety
/// The processor has NEON; both slices have the same length, a multiple of 16.
#[target_feature(enable = "neon")]
pub unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [vdupq_n_f32(0.0); 4];
    for start in (0..a.len()).step_by(LANES) {
        for (quarter, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the 4 values from here are inside both slices.
            let (a, b) = unsafe {
                (
                    vld1q_f32(a.as_ptr().add(start + quarter * 4)),
                    vld1q_f32(b.as_ptr().add(start + quarter * 4)),
                )
            };
            // Not fused: the sum must round as the portable one does.
            *sum = vaddq_f32(*sum, vmulq_f32(a, b));
        }
    }
    let mut lanes = [0f32; LANES];
    for (quarter, sum) in sums.into_iter().enumerate() {
        // SAFETY: the array has 16 places, 4 for each quarter.
        unsafe { vst1q_f32(lanes.as_mut_ptr().add(quarter * 4), sum) };
    }
    reduce(lanes)
}
