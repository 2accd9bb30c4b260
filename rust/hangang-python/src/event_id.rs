//! SSE ids, kept inside the event.

use std::num::NonZeroU64;
use std::sync::Arc;

use hangang::EventId;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::field::{Object, Stored};

/// An id that costs no allocation if it is at most 39 bytes long; a UUID has 36.
pub(crate) enum Id {
    Short(ShortId),
    /// A long id, or what Python code gave an event that it constructed.
    Object(Object),
}

/// Up to 39 bytes. The highest byte of the last word is the length plus one, so that this word is never zero.
///
/// These are words, not bytes, because a copy of bytes would be read back before it has left the store buffer, and
/// that read stalls.
pub(crate) struct ShortId([u64; 4], NonZeroU64);

impl ShortId {
    const MAX: usize = 39;

    #[inline]
    fn of(id: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let (words, last) = if let Ok(uuid) = <&[u8; 36]>::try_from(id) {
            let last = u32::from_le_bytes([uuid[32], uuid[33], uuid[34], uuid[35]]);
            ([word(&uuid[..8]), word(&uuid[8..16]), word(&uuid[16..24]), word(&uuid[24..32])], last.into())
        } else {
            let mut bytes = [0; 40];
            bytes[..Self::MAX].get_mut(..id.len())?.copy_from_slice(id);
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
        (bytes, usize::from(bytes[Self::MAX]) - 1)
    }
}

/// The last long id of a stream. An id stays in force until the next one, and the events that repeat it share one string:
/// a copy in each would let a few bytes of stream take any amount of memory.
#[derive(Default)]
pub(crate) struct LongId(Option<(Arc<[u8]>, Object)>);

impl LongId {
    #[inline]
    pub(crate) fn id(&mut self, py: Python<'_>, id: &EventId<'_>) -> Id {
        ShortId::of(id.as_bytes()).map_or_else(|| Id::Object(self.long(py, id)), Id::Short)
    }

    pub(crate) fn text(&mut self, py: Python<'_>, id: &EventId<'_>) -> Object {
        if id.as_bytes().len() <= ShortId::MAX { text(py, id.as_bytes()) } else { self.long(py, id) }
    }

    #[cold]
    fn long(&mut self, py: Python<'_>, id: &EventId<'_>) -> Object {
        let bytes = id.to_arc();
        match &self.0 {
            Some((last, object)) if Arc::ptr_eq(last, &bytes) => object.clone_ref(py),
            _ => {
                let object = text(py, &bytes);
                self.0 = Some((bytes, object.clone_ref(py)));
                object
            }
        }
    }
}

fn text(py: Python<'_>, id: &[u8]) -> Object {
    PyString::new(py, &String::from_utf8_lossy(id)).into_any().unbind()
}

impl<E> Stored<E> for Id {
    fn given(_: Python<'_>, value: Object) -> Self {
        Self::Object(value)
    }

    fn get(&self, py: Python<'_>, _: &E) -> PyResult<Object> {
        Ok(match self {
            Self::Short(short) => {
                let (bytes, length) = short.bytes();
                text(py, &bytes[..length])
            }
            Self::Object(object) => object.clone_ref(py),
        })
    }
}

const _: () = assert!(size_of::<Id>() == 40, "an id is five words of its event");
