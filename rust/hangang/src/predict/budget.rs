//! What prediction may cost.
//!
//! A match saves the full parse two passes over the frame's bytes, so it earns that many bytes. Every attempt charges
//! the bytes that it looked at. With nothing left, prediction stops for the rest of the stream. So an adversarial
//! stream cannot exceed the bound of three passes over each byte, whatever it makes prediction try.

/// What attempts may spend before a match has earned anything, in bytes.
const INITIAL_BUDGET: i64 = 32 << 10;
/// A long run of matches earns no more than this: the bound holds for every part of a stream, not only on average.
const MAX_BUDGET: i64 = INITIAL_BUDGET << 8;

/// The bytes that prediction may still look at.
#[derive(Debug)]
pub(crate) struct Budget(i64);

impl Budget {
    /// A parser with prediction switched off has a budget that is exhausted from the start.
    pub(crate) const fn new(enabled: bool) -> Self {
        Self(if enabled { INITIAL_BUDGET } else { 0 })
    }

    #[inline]
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.0 <= 0
    }

    /// A frame of `bytes` was predicted.
    #[inline]
    pub(crate) fn earn(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(2 * signed(bytes)).min(MAX_BUDGET);
    }

    /// An attempt looked at `bytes`.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.0 -= signed(bytes);
    }
}

#[inline]
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 4)
}
