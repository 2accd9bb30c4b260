//! Short texts as the string objects that earlier events had: a language model says the same small words again and
//! again, and making a string costs more than finding one.
//!
//! Rules:
//! - one memory serves the process, as each answer has a parser of its own and would learn the words anew;
//! - it is of fixed size: [`SETS`] pairs of texts of at most [`LONGEST`] bytes; a new one takes the place of the older
//!   one of its pair;
//! - its lock is only ever tried, and held for one call of `feed`: who does not get it makes new strings.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::intern;
use pyo3::prelude::*;

use crate::shared::text;

/// How many pairs of texts are remembered, a power of two.
const SETS: usize = 1024;
/// Longest text that is remembered, in bytes: what a [`Key`] can hold.
const LONGEST: usize = 23;

/// A short text itself: its bytes and its length, so that equal keys are equal texts.
type Key = [u64; 3];

#[derive(Default)]
struct Slot {
    key: Key,
    object: Option<Py<PyAny>>,
}

/// Two texts, so that one which collides does not drive a frequent one out.
#[derive(Default)]
#[repr(align(64))]
struct Pair([Slot; 2]);

static MEMORY: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

/// Access to the memory during one call.
pub(crate) struct StringCache(Access);

enum Access {
    NotAsked,
    Granted(MutexGuard<'static, Vec<Pair>>),
    Refused,
}

impl StringCache {
    /// Locks nothing yet: most calls with little input complete no event.
    pub(crate) const fn new() -> Self {
        Self(Access::NotAsked)
    }

    /// The string object for `value`.
    #[inline]
    pub(crate) fn text(&mut self, py: Python<'_>, value: &str) -> Py<PyAny> {
        if value.is_empty() {
            return intern!(py, "").clone().into_any().unbind();
        }
        let Some(key) = key(value.as_bytes()) else { return text(py, value) };
        let Some(pairs) = self.pairs() else { return text(py, value) };
        let Pair(pair) = &mut pairs[place(key)];
        for slot in &*pair {
            // No text has the key of a slot that is free. The words one by one: the key is still in registers.
            let differ = (slot.key[0] ^ key[0]) | (slot.key[1] ^ key[1]) | (slot.key[2] ^ key[2]);
            if let (0, Some(object)) = (differ, &slot.object) {
                return object.clone_ref(py);
            }
        }
        let object = text(py, value);
        pair.swap(0, 1);
        pair[0] = Slot { key, object: Some(object.clone_ref(py)) };
        object
    }

    #[inline]
    fn pairs(&mut self) -> Option<&mut [Pair; SETS]> {
        if matches!(self.0, Access::NotAsked) {
            self.ask();
        }
        match &mut self.0 {
            Access::Granted(pairs) => pairs.first_chunk_mut(),
            Access::NotAsked | Access::Refused => None,
        }
    }

    fn ask(&mut self) {
        let memory = match MEMORY.try_lock() {
            Ok(memory) => Some(memory),
            // A slot is written in one piece: a panic cannot have left one half-made.
            Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        };
        self.0 = memory.map_or(Access::Refused, |mut pairs| {
            pairs.resize_with(SETS, Pair::default);
            Access::Granted(pairs)
        });
    }
}

/// The key of a text that is neither empty nor longer than [`LONGEST`]. Reads overlap, so that none has a length
/// that the compiler does not know.
#[inline]
fn key(bytes: &[u8]) -> Option<Key> {
    let length = bytes.len();
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let eight = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    // No text is so long that its last bytes reach the last key's highest one.
    let tag = (length as u64) << 56;
    match length {
        1..=3 => {
            let [first, middle, last] = [bytes[0], bytes[length / 2], bytes[length - 1]].map(u64::from);
            Some([first | middle << 8 | last << 16, 0, tag])
        }
        4..=8 => Some([four(bytes.first_chunk()?) | four(bytes.last_chunk()?) << 32, 0, tag]),
        9..=16 => Some([eight(bytes.first_chunk()?), eight(bytes.last_chunk()?), tag]),
        17..=LONGEST => {
            let last = eight(bytes.last_chunk()?) >> (8 * (24 - length));
            Some([eight(bytes.first_chunk()?), eight(bytes[8..].first_chunk()?), last | tag])
        }
        _ => None,
    }
}

/// A key's pair. A collision only costs what no cache would have cost.
#[inline]
fn place(key: Key) -> usize {
    let mixed = key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(47);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SETS.trailing_zeros())) as usize
}
