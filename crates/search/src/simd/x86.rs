//! The kernels for AVX2 and AVX-512.
//!
//! Nibbles make `maddubs` exact: a pair of products is at most `2 · 15 · 127 = 3,810`, so 8 pairs
//! fit in 16 bits.

use std::arch::x86_64::*;

use super::{BLOCK, Candidate, FINE_STEP, LANES, Probe, STEP_BYTES, block_bytes, portable::reduce};

/// # Safety
/// The processor has AVX-512 F, BW and VNNI; `blocks` is a whole number of blocks for the probe's
/// padded dimension.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub unsafe fn sweep_avx512(blocks: &[u8], probe: &Probe, floor: f32, out: &mut Vec<Candidate>) {
    let (low_nibbles, high_nibbles) =
        (_mm512_set1_epi8(0x0f), _mm512_set1_epi8(0xf0u8.cast_signed()));
    let upper_half = _mm512_set1_epi32(0xffff_0000u32.cast_signed());
    let correction = _mm512_set1_epi32(120 * probe.code_sum);
    let (query_scale, gain, offset) =
        (_mm512_set1_ps(probe.scale), _mm512_set1_ps(probe.gain), _mm512_set1_ps(probe.offset));
    let floors = _mm512_set1_ps(floor);
    let words = probe.words.as_slice();
    let size = block_bytes(words.len() * 4);
    for block in 0..blocks.len() / size {
        let start = blocks.as_ptr().wrapping_add(block * size);
        let mut first = _mm512_setzero_si512();
        let mut second = _mm512_setzero_si512();
        for (step, pair) in words.chunks_exact(2).enumerate() {
            // SAFETY: the block has a step of 64 bytes for every two words.
            let bytes = unsafe { _mm512_loadu_si512(start.add(step * STEP_BYTES).cast()) };
            first = _mm512_dpbusd_epi32(
                first,
                _mm512_and_si512(bytes, low_nibbles),
                _mm512_set1_epi32(pair[0]),
            );
            // The high nibbles stay where they are and count sixteenfold, which saves a shift.
            second = _mm512_dpbusd_epi32(
                second,
                _mm512_and_si512(bytes, high_nibbles),
                _mm512_set1_epi32(pair[1]),
            );
        }
        let products =
            _mm512_sub_epi32(_mm512_add_epi32(_mm512_slli_epi32::<4>(first), second), correction);
        // SAFETY: the last 64 bytes of the block are the terms of its 16 rows.
        let terms = unsafe { _mm512_loadu_si512(start.add(size - 64).cast()) };
        let scales = _mm512_castsi512_ps(_mm512_and_si512(terms, upper_half));
        let residuals = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(terms));
        let scores =
            _mm512_mul_ps(scales, _mm512_mul_ps(query_scale, _mm512_cvtepi32_ps(products)));
        let bounds = _mm512_add_ps(scores, _mm512_add_ps(_mm512_mul_ps(gain, residuals), offset));
        let mask = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(bounds, floors);
        if mask != 0 {
            let mut values = [0i32; BLOCK];
            // SAFETY: the array has the 64 bytes that are stored.
            unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), products) };
            push(out, block * BLOCK, u32::from(mask), &values);
        }
    }
}

/// # Safety
/// The processor has AVX2; `blocks` is a whole number of blocks for the probe's padded dimension.
#[target_feature(enable = "avx2")]
pub unsafe fn sweep_avx2(blocks: &[u8], probe: &Probe, floor: f32, out: &mut Vec<Candidate>) {
    let (nibbles, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let upper_half = _mm256_set1_epi32(0xffff_0000u32.cast_signed());
    let correction = _mm256_set1_epi32(120 * probe.code_sum);
    let (query_scale, gain, offset) =
        (_mm256_set1_ps(probe.scale), _mm256_set1_ps(probe.gain), _mm256_set1_ps(probe.offset));
    let floors = _mm256_set1_ps(floor);
    let words = probe.words.as_slice();
    let size = block_bytes(words.len() * 4);
    for block in 0..blocks.len() / size {
        let start = blocks.as_ptr().wrapping_add(block * size);
        let mut sums = [_mm256_setzero_si256(); 2];
        // Four steps are 8 pairs of products, as much as 16 bits hold; the padding makes the number
        // of steps a multiple of 8.
        for (four, words) in words.chunks_exact(8).enumerate() {
            let mut narrow = [_mm256_setzero_si256(); 2];
            for (step, pair) in words.chunks_exact(2).enumerate() {
                let (a, b) = (_mm256_set1_epi32(pair[0]), _mm256_set1_epi32(pair[1]));
                for (half, narrow) in narrow.iter_mut().enumerate() {
                    // SAFETY: the block has a step of two times 32 bytes for every two words.
                    let bytes = unsafe {
                        _mm256_loadu_si256(
                            start.add((four * 4 + step) * STEP_BYTES + half * 32).cast(),
                        )
                    };
                    let first = _mm256_maddubs_epi16(_mm256_and_si256(bytes, nibbles), a);
                    let second = _mm256_maddubs_epi16(
                        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibbles),
                        b,
                    );
                    *narrow = _mm256_add_epi16(*narrow, _mm256_add_epi16(first, second));
                }
            }
            for (sum, narrow) in sums.iter_mut().zip(narrow) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(narrow, ones));
            }
        }
        for (half, sum) in sums.into_iter().enumerate() {
            let products = _mm256_sub_epi32(_mm256_slli_epi32::<4>(sum), correction);
            // SAFETY: the last 64 bytes of the block are the terms of its 16 rows, 32 for each
            // half.
            let terms = unsafe { _mm256_loadu_si256(start.add(size - 64 + half * 32).cast()) };
            let scales = _mm256_castsi256_ps(_mm256_and_si256(terms, upper_half));
            let residuals = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(terms));
            let scores =
                _mm256_mul_ps(scales, _mm256_mul_ps(query_scale, _mm256_cvtepi32_ps(products)));
            let bounds =
                _mm256_add_ps(scores, _mm256_add_ps(_mm256_mul_ps(gain, residuals), offset));
            let mask =
                _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(bounds, floors)).cast_unsigned();
            if mask != 0 {
                let mut values = [0i32; 8];
                // SAFETY: the array has the 32 bytes that are stored.
                unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), products) };
                push(out, block * BLOCK + half * 8, mask, &values);
            }
        }
    }
}

/// Appends the rows whose bit is set.
#[inline]
fn push(out: &mut Vec<Candidate>, first_row: usize, mut mask: u32, products: &[i32]) {
    while mask != 0 {
        let lane = mask.trailing_zeros() as usize;
        let row = u32::try_from(first_row + lane).expect("a chunk is small");
        out.push(Candidate { row, product: products[lane] });
        mask &= mask - 1;
    }
}

/// # Safety
/// The processor has AVX2; `low` is a whole number of fine steps, and `probe` has two codes for
/// each byte.
#[target_feature(enable = "avx2")]
pub unsafe fn low_product(low: &[u8], probe: &Probe) -> i32 {
    let (nibbles, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let mut sum = _mm256_setzero_si256();
    for step in 0..low.len() / (FINE_STEP / 2) {
        // SAFETY: step is in range, so the 32 bytes are inside `low` and the two times 32 codes
        // inside `words`.
        let (bytes, a, b) = unsafe {
            let words = probe.words.as_ptr().add(step * FINE_STEP / 4);
            (
                _mm256_loadu_si256(low.as_ptr().add(step * FINE_STEP / 2).cast()),
                _mm256_loadu_si256(words.cast()),
                _mm256_loadu_si256(words.add(FINE_STEP / 8).cast()),
            )
        };
        let first = _mm256_maddubs_epi16(_mm256_and_si256(bytes, nibbles), a);
        let second =
            _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibbles), b);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(first, second), ones));
    }
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
    _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
}

/// # Safety
/// The processor has AVX2; both slices have the same length, a multiple of 16.
#[target_feature(enable = "avx2")]
pub unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [_mm256_setzero_ps(); 2];
    for start in (0..a.len()).step_by(LANES) {
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the 8 values from here are inside both slices.
            let (a, b) = unsafe {
                (
                    _mm256_loadu_ps(a.as_ptr().add(start + half * 8)),
                    _mm256_loadu_ps(b.as_ptr().add(start + half * 8)),
                )
            };
            // Not fused: the sum must round as the portable one does.
            *sum = _mm256_add_ps(*sum, _mm256_mul_ps(a, b));
        }
    }
    let mut lanes = [0f32; LANES];
    for (half, sum) in sums.into_iter().enumerate() {
        // SAFETY: the array has 16 places, 8 for each half.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr().add(half * 8), sum) };
    }
    reduce(lanes)
}
