//! SSE ids, kept inside the event.

use std::num::NonZeroU64;

use hangang::EventId;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::field::{FromCrate, Object, Stored};

/// An id that costs no allocation if it is at most 39 bytes long; a UUID has 36.
pub(crate) enum Id {
    Short(ShortId),
    /// The other cases in one, so that the whole fits the niche that [`ShortId`] leaves.
    Other(OtherId),
}

pub(crate) enum OtherId {
    Long(Box<[u8]>),
    /// The id of an event that Python code constructed.
    Given(Object),
}

/// Up to 39 bytes. The highest byte of the last word is the length plus one, so that this word is never zero.
///
/// These are words, not bytes, because a copy of bytes would be read back before it has left the store buffer, and
/// that read stalls.
pub(crate) struct ShortId([u64; 4], NonZeroU64);

impl ShortId {
    #[inline]
    fn of(id: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let (words, last) = if let Ok(uuid) = <&[u8; 36]>::try_from(id) {
            let last = u32::from_le_bytes([uuid[32], uuid[33], uuid[34], uuid[35]]);
            ([word(&uuid[..8]), word(&uuid[8..16]), word(&uuid[16..24]), word(&uuid[24..32])], last.into())
        } else {
            let mut bytes = [0; 40];
            bytes[..39].get_mut(..id.len())?.copy_from_slice(id);
            let words = [word(&bytes[..8]), word(&bytes[8..16]), word(&bytes[16..24]), word(&bytes[24..32])];
            (words, word(&bytes[32..]))
        };
        NonZeroU64::new(last | (id.len() as u64 + 1) << 56).map(|last| Self(words, last))
    }

    fn bytes(&self) -> ([u8; 40], usize) {
        let Self([one, two, three, four], last) = *self;
        let mut bytes = [0; 40];
        for (target, word) in bytes.chunks_exact_mut(8).zip([one, two, three, four, last.get()]) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        (bytes, usize::from(bytes[39]) - 1)
    }
}

impl FromCrate<EventId<'_>> for Id {
    #[inline]
    fn from_crate(_: Python<'_>, id: &EventId<'_>) -> PyResult<Self> {
        let id = id.as_bytes();
        Ok(ShortId::of(id).map_or_else(|| Self::Other(OtherId::Long(id.into())), Self::Short))
    }
}

impl<E> Stored<E> for Id {
    fn given(_: Python<'_>, value: Object) -> Self {
        Self::Other(OtherId::Given(value))
    }

    fn get(&self, py: Python<'_>, _: &E) -> PyResult<Object> {
        let text = |id: &[u8]| PyString::new(py, &String::from_utf8_lossy(id)).into_any().unbind();
        Ok(match self {
            Self::Short(short) => {
                let (bytes, length) = short.bytes();
                text(&bytes[..length])
            }
            Self::Other(OtherId::Long(bytes)) => text(bytes),
            Self::Other(OtherId::Given(value)) => value.clone_ref(py),
        })
    }
}

const _: () = assert!(size_of::<Id>() == 40, "an id is five words of its event");
