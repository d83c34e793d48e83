//! The three inner loops of a scan, for AVX-512 (VNNI), AVX2, NEON, and in portable code that says
//! what the others compute.
//!
//! This is the only module with `unsafe` code. Two rules make it sound: an [`Isa`] other than the
//! portable one comes only out of [`Isa::available`], which asks the processor; and the safe
//! methods here check every length before a kernel reads through a pointer.
//!
//! All paths agree bit for bit: the code products are integers, and [`Isa::dot`] fixes the order of
//! its sums and uses no fused operation.

#![allow(
    unsafe_code,
    reason = "vector instructions; audited as a whole, see the module's documentation"
)]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::codes::{PAD, Probe};

/// Rows are coded in blocks of this many; a scan never looks at less than a block.
pub const BLOCK: usize = 16;

/// Components per step of the coarse plane: a step of a block is [`STEP_BYTES`], 4 a row, and a
/// byte holds components `i` and `i + 4`.
pub const COARSE_STEP: usize = 8;

/// Bytes of a step of a block.
pub const STEP_BYTES: usize = BLOCK * COARSE_STEP / 2;

/// Bytes of a block: its steps, and then the [`Terms`](super::codes::Terms) of its rows.
pub const fn block_bytes(padded: usize) -> usize {
    padded / COARSE_STEP * STEP_BYTES + BLOCK * 4
}

/// Components per step of the fine plane: 32 bytes of one row, and a byte holds components `i` and
/// `i + 32`.
pub const FINE_STEP: usize = 64;

/// Running sums of the exact product.
const LANES: usize = 16;

/// A way to run the kernels that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(InstructionSet);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InstructionSet {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// A row whose coarse bound reaches the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Position among the rows that were swept.
    pub row: u32,
    /// Integer product of the query's codes and the row's coarse approximation.
    pub product: i32,
}

impl Isa {
    /// All that this processor has, slowest first.
    pub fn available() -> Vec<Self> {
        let mut kinds = vec![InstructionSet::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                kinds.push(InstructionSet::Avx2);
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vnni")
                {
                    kinds.push(InstructionSet::Avx512);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            kinds.push(InstructionSet::Neon);
        }
        kinds.into_iter().map(Self).collect()
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self(InstructionSet::Portable))
    }

    /// Its name in logs and benchmarks.
    pub fn name(self) -> &'static str {
        match self.0 {
            InstructionSet::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => "neon",
        }
    }

    /// Appends the rows of consecutive blocks whose coarse bound is at least `floor`, in row order.
    /// `floor` must be finite.
    pub fn sweep(self, blocks: &[u8], probe: &Probe, floor: f32, out: &mut Vec<Candidate>) {
        let padded = probe.words.len() * 4;
        assert!(padded.is_multiple_of(PAD) && blocks.len().is_multiple_of(block_bytes(padded)));
        match self.0 {
            InstructionSet::Portable => portable::sweep(blocks, probe, floor, out),
            // SAFETY: the lengths are checked above, and the kind only exists where the processor
            // has the instructions.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::sweep_avx2(blocks, probe, floor, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::sweep_avx512(blocks, probe, floor, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => unsafe { aarch64::sweep(blocks, probe, floor, out) },
        }
    }

    /// Integer product of the query's codes and the low nibbles of one row, see [`FINE_STEP`].
    #[inline]
    pub fn low_product(self, low: &[u8], probe: &Probe) -> i32 {
        assert!(low.len() * 2 == probe.words.len() * 4 && low.len().is_multiple_of(FINE_STEP / 2));
        match self.0 {
            InstructionSet::Portable => portable::low_product(low, probe),
            // SAFETY: the lengths are checked above, and both kinds only exist where the processor
            // has AVX2.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe {
                x86::low_product(low, probe)
            },
            // SAFETY: as above, for NEON.
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => unsafe { aarch64::low_product(low, probe) },
        }
    }

    /// The score that a search answers: the inner product in `f32`, summed in one order on every
    /// processor. Component `i` is multiplied, rounded and added to running sum `i % 16`; the
    /// sixteen sums are then added in halves (`i` and `i + 8`, `i + 4`, `i + 2`, `i + 1`).
    #[inline]
    pub fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        assert!(a.len() == b.len() && a.len().is_multiple_of(LANES));
        match self.0 {
            InstructionSet::Portable => portable::dot(a, b),
            // SAFETY: the lengths are checked above, and both kinds only exist where the processor
            // has AVX2.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe { x86::dot(a, b) },
            // SAFETY: as above, for NEON.
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => unsafe { aarch64::dot(a, b) },
        }
    }
}

/// The coarse product `Σ d (16 h - 120)` out of `16 Σ d h`.
#[inline]
fn coarse_product(sixteen_fold: i32, probe: &Probe) -> i32 {
    sixteen_fold - 120 * probe.code_sum
}
