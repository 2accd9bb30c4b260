//! Short strings as the Python objects that earlier events had: a language model repeats a small set of tokens, and
//! creating a string costs more than finding one.
//!
//! - One cache serves the process, because each answer has a parser of its own and would start with an empty one.
//! - Its size is fixed: [`SETS`] pairs of strings of at most [`LONGEST`] bytes. A new string replaces the older one of
//!   its pair.
//! - `try_lock` only; the guard lives for one `feed`. On contention the cache is bypassed.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::field::Object;

/// Number of pairs, a power of two.
const SETS: usize = 1024;
/// Longest cached string, in bytes: what a [`Key`] can hold.
const LONGEST: usize = 23;

/// The bytes of a short string and its length, so that equal keys mean equal strings.
type Key = [u64; 3];

#[derive(Default)]
struct Slot {
    key: Key,
    object: Option<Object>,
}

/// Two strings, so that a collision does not evict a frequent one.
#[derive(Default)]
#[repr(align(64))]
struct Pair([Slot; 2]);

static CACHE: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

/// Access to the cache during one call.
pub(crate) struct StringCache(Access);

enum Access {
    NotTried,
    Locked(MutexGuard<'static, Vec<Pair>>),
    Contended,
}

impl StringCache {
    /// Does not lock yet: most calls with little input complete no event.
    pub(crate) const fn new() -> Self {
        Self(Access::NotTried)
    }

    /// The string object equal to `value`.
    #[inline]
    pub(crate) fn text(&mut self, py: Python<'_>, value: &str) -> Object {
        if value.is_empty() {
            return intern!(py, "").clone().into_any().unbind();
        }
        let Some(key) = key(value.as_bytes()) else { return new(py, value) };
        let Some(pairs) = self.pairs() else { return new(py, value) };
        let Pair(pair) = &mut pairs[pair_of(key)];
        for slot in &*pair {
            // No string has the key of a free slot. Comparing word by word keeps the key in registers.
            let differ = (slot.key[0] ^ key[0]) | (slot.key[1] ^ key[1]) | (slot.key[2] ^ key[2]);
            if let (0, Some(object)) = (differ, &slot.object) {
                return object.clone_ref(py);
            }
        }
        let object = new(py, value);
        pair.swap(0, 1);
        pair[0] = Slot { key, object: Some(object.clone_ref(py)) };
        object
    }

    #[inline]
    fn pairs(&mut self) -> Option<&mut [Pair; SETS]> {
        if matches!(self.0, Access::NotTried) {
            self.try_lock();
        }
        match &mut self.0 {
            Access::Locked(pairs) => pairs.first_chunk_mut(),
            Access::NotTried | Access::Contended => None,
        }
    }

    fn try_lock(&mut self) {
        let cache = match CACHE.try_lock() {
            Ok(cache) => Some(cache),
            // A slot is written in one assignment, so a panic cannot have left one half-written.
            Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        };
        self.0 = cache.map_or(Access::Contended, |mut pairs| {
            pairs.resize_with(SETS, Pair::default);
            Access::Locked(pairs)
        });
    }
}

fn new(py: Python<'_>, value: &str) -> Object {
    PyString::new(py, value).into_any().unbind()
}

/// The key of a string, `None` if it is empty or longer than [`LONGEST`]. Reads overlap, so that each has a length
/// known at compile time.
#[inline]
fn key(bytes: &[u8]) -> Option<Key> {
    let length = bytes.len();
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let eight = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    // The longest string leaves the last word's highest byte free.
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

/// Which pair a key belongs to. A collision costs no more than having no cache.
#[inline]
fn pair_of(key: Key) -> usize {
    let mixed = key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(47);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SETS.trailing_zeros())) as usize
}
