//! Eight-bit codes of vectors, and the bound that lets a scan trust them.
//!
//! # Codes
//!
//! A vector `v` of `D` components gets one scale `s` (its largest magnitude / 127, rounded up) and
//! one code per component, `c = round(v / s)` in `-127..=127`. The unsigned form `u = c + 128` is
//! stored as two nibbles, `u = 16 h + l`, in two separate planes: a first pass over the plane of
//! `h` reads half a byte per component, and only what it cannot rule out is looked up in the plane
//! of `l`. So each vector has two integer approximations `g`: the coarse `16 h - 120` (the middle
//! of what `h` leaves open) and the fine `c`.
//!
//! # The bound
//!
//! Let `x = s g` be either approximation and `r = v - x` its residual; let the query `q = t d + p`
//! with codes `d`, scale `t` and residual `p`, and `G = Σ d g`, which is computed in integers,
//! without error. Then
//!
//! ```text
//! q·v = t s G + p·x + q·r
//!     ≤ t s G + |p| |x| + |q| |r|                 (Cauchy-Schwarz, twice)
//!     ≤ t s G + |p| (|v| + |r|) + |q| |r|         (triangle inequality)
//!     ≤ t s G + (|p| + |q|) |r| + |p| N           (|v| ≤ N = MAX_NORM)
//! ```
//!
//! `|r|` of the coarse approximation is stored with each vector; that of the fine one is at most `s
//! √D / 2`, as every component is off by at most half a step. `|p|` and `|q|` belong to the query.
//! Components that only pad `D` have `q = d = 0` and drop out of every sum, so the residuals are
//! taken over the first `D` components.
//!
//! # Rounding
//!
//! With `ε = 2⁻²⁴`, and every norm computed in `f64` and widened by `WIDEN` before it is narrowed
//! to `f32`:
//!
//! * The score that a search answers is not `q·v` but [`dot`](super::simd::Isa::dot) in `f32`:
//!   sixteen running sums of `P / 16` terms each (`P` = padded dimension) and a tree of depth 4, so
//!   it exceeds `q·v` by at most `(P/16 + 5) ε' |q| |v|` with `ε' = ε / (1 - (P/16 + 5) ε)`, plus
//!   less than `1e-30` from products that underflow.
//! * The bound `s (t G) + (gain |r| + offset)` is evaluated in `f32`. `G` to `f32`, two products
//!   and the last sum are four roundings of `|t s G| ≤ (|p| + |q|)(N + |r|)`, and the right-hand
//!   side has three of its own.
//!
//! * A component may be off by more than half a step by the rounding of the division, `127 ε` steps
//!   at most; `HALF_STEP` has room for that.
//!
//! All of it stays below `(P + 64) 2ε (|p| + |q|) N` for the parts in `N`, which `offset` contains,
//! and below a relative `2⁻¹⁸` for the parts in `|r|`, by which `gain` is widened. Hence: a vector
//! whose bound is below a floor has a score below that floor.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "quantisation"
)]

use super::VectorError;

/// The longest vector that is accepted: unit length with room for rounding. The zero vector is
/// accepted too, and matches nothing well.
pub const MAX_NORM: f32 = 1.001;

/// Components are padded to a multiple of this, so that no kernel needs a tail.
pub const PAD: usize = 64;

/// The widest vector that is accepted; far from overflow of the integer products, which begins
/// beyond 65,536.
pub const MAX_DIMENSION: usize = 4096;

/// Covers the rounding of a norm computed in `f64` and stored in `f32`.
const WIDEN: f64 = 1.0 + 1e-6;

/// Half a code step, and a little for the rounding of a division.
const HALF_STEP: f64 = 0.5001;

/// Vectors all of whose components are smaller than this are treated as all residual: their scale
/// would be subnormal.
const SMALLEST_PEAK: f32 = 1e-30;

/// Checks that a vector has `dimension` finite components and is not longer than [`MAX_NORM`].
pub fn check(vector: &[f32], dimension: usize) -> Result<(), VectorError> {
    if vector.len() != dimension {
        return Err(VectorError::Dimension { expected: dimension, found: vector.len() });
    }
    let norm = norm(vector.iter().map(|&value| f64::from(value)));
    // A NaN or an infinity anywhere makes the norm one too, and fails here.
    if norm <= f64::from(MAX_NORM) { Ok(()) } else { Err(VectorError::Norm(norm)) }
}

/// The codes of one stored vector.
pub struct Codes {
    /// One code per component, `c + 128`, padded with 128.
    pub unsigned: Vec<u8>,
    /// What a code step is worth, and the residual of the coarse approximation.
    pub terms: Terms,
}

/// Scale and coarse residual of a row as two `bfloat16`, in the upper and lower half of a word:
/// half the memory traffic of two `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms(u32);

impl Terms {
    /// Of a row that is not there: its bound is minus infinity.
    pub const EMPTY: Self = Self(f32::NEG_INFINITY.to_bits() >> 16);

    /// Rounds both up.
    fn new(scale: f32, residual: f32) -> Self {
        Self((round_up(scale) & 0xffff_0000) | (round_up(residual) >> 16))
    }

    /// As the kernels read them.
    pub fn from_le_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// As the kernels read them.
    pub fn to_le_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// What a code step is worth.
    #[inline]
    pub fn scale(self) -> f32 {
        f32::from_bits(self.0 & 0xffff_0000)
    }

    /// Upper bound of the length of the coarse residual.
    #[inline]
    pub fn residual(self) -> f32 {
        f32::from_bits(self.0 << 16)
    }
}

/// The bits of the least `bfloat16` that is not below a value that is not negative.
fn round_up(value: f32) -> u32 {
    (value.to_bits() + 0xffff) & 0xffff_0000
}

impl Codes {
    /// Quantises a vector that [`check`] accepts.
    pub fn of(vector: &[f32]) -> Self {
        let scale = f32::from_bits(round_up(scale_of(vector)));
        let step = f64::from(scale);
        let mut unsigned = Vec::with_capacity(vector.len().next_multiple_of(PAD));
        unsigned.extend(quantise(vector, scale).map(|code| (i32::from(code) + 128) as u8));
        let residuals = vector.iter().zip(&unsigned).map(|(&value, &code)| {
            f64::from(value) - step * f64::from(i32::from(code & 0xf0) - 120)
        });
        let terms = Terms::new(scale, upper(norm(residuals)));
        unsigned.resize(vector.len().next_multiple_of(PAD), 128);
        Self { unsigned, terms }
    }
}

/// A query made ready for the kernels.
pub struct Probe {
    /// The query itself, padded with zeros.
    pub exact: Vec<f32>,
    /// Its codes, four to a word in little-endian order, padded with zeros.
    pub words: Vec<i32>,
    /// Sum of the codes.
    pub code_sum: i32,
    /// What a code step is worth.
    pub scale: f32,
    /// Factor of a row's residual in the bound.
    pub gain: f32,
    /// Factor of a row's scale in the fine bound: `gain` and the residual of a vector of half
    /// steps.
    pub fine_gain: f32,
    /// Constant term of the bound.
    pub offset: f32,
}

impl Probe {
    /// Quantises a query that [`check`] accepts.
    pub fn of(query: &[f32]) -> Self {
        let scale = scale_of(query);
        let mut codes: Vec<i8> = quantise(query, scale).collect();
        let step = f64::from(scale);
        let length = norm(query.iter().map(|&value| f64::from(value)));
        let residual = norm(
            query
                .iter()
                .zip(&codes)
                .map(|(&value, &code)| f64::from(value) - step * f64::from(code)),
        );

        let padded = query.len().next_multiple_of(PAD);
        let longest = f64::from(MAX_NORM);
        let both = (length + residual) * WIDEN;
        let rounding = both * longest * (padded as f64 + 64.0) * 2f64.powi(-23);
        let widen = 1.0 + 2f64.powi(-18);

        let mut exact = query.to_vec();
        exact.resize(padded, 0.0);
        codes.resize(padded, 0);
        Self {
            exact,
            words: codes
                .chunks_exact(4)
                .map(|four| i32::from_le_bytes([0, 1, 2, 3].map(|i| four[i] as u8)))
                .collect(),
            code_sum: codes.iter().map(|&code| i32::from(code)).sum(),
            scale,
            gain: upper(both * widen),
            fine_gain: upper(both * widen * HALF_STEP * (query.len() as f64).sqrt()),
            // The last term is for rows and queries of subnormal size.
            offset: upper((residual * longest + rounding) * widen + 1e-28),
        }
    }

    /// Upper bound of the score of a row, from the integer product with its coarse approximation.
    #[inline]
    pub fn coarse_bound(&self, product: i32, terms: Terms) -> f32 {
        terms.scale() * (self.scale * product as f32) + (self.gain * terms.residual() + self.offset)
    }

    /// Upper bound of the score of a row, from the integer product with its fine approximation.
    #[inline]
    pub fn fine_bound(&self, product: i32, terms: Terms) -> f32 {
        terms.scale() * (self.scale * product as f32)
            + (self.fine_gain * terms.scale() + self.offset)
    }
}

/// The scale with which the largest component gets the largest code; zero if there is none to speak
/// of.
fn scale_of(vector: &[f32]) -> f32 {
    let peak = vector.iter().fold(0f32, |peak, value| peak.max(value.abs()));
    if peak < SMALLEST_PEAK { 0.0 } else { peak / 127.0 }
}

/// The codes of a vector; `scale` is not below that of [`scale_of`].
fn quantise(vector: &[f32], scale: f32) -> impl Iterator<Item = i8> {
    vector.iter().map(move |value| {
        if scale > 0.0 { nearest(value / scale).clamp(-127.0, 127.0) as i8 } else { 0 }
    })
}

/// The nearest integer of a number below 2²² in magnitude, without the call of a function that
/// `round` is where processors may lack its instruction.
fn nearest(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 · 2²³: the sum has no bits behind the point.
    (value + SHIFT) - SHIFT
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// A norm as an `f32` that is not below it.
fn upper(norm: f64) -> f32 {
    (norm * WIDEN + 1e-30) as f32
}
