//! What events of one template share: their common fields and the pattern of their payloads.
//!
//! Most of a frame repeats the frame before it. The fields that neighbours repeat are one counted object, [`Common`],
//! which a predicted event borrows. Its payload is not kept either: [`Payload`] holds what differs, and the bytes are
//! reconstructed on demand.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::span::Span;

/// A template's payload with the places of its holes.
#[derive(Debug)]
pub(crate) struct PayloadPattern {
    pub(crate) payload: Box<[u8]>,
    pub(crate) string: Span,
    pub(crate) counter: Option<Span>,
}

impl PayloadPattern {
    fn reconstruct(&self, string: &[u8], counter: Option<i64>) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.payload.len() + string.len());
        payload.extend_from_slice(&self.payload[..self.string.start]);
        payload.extend_from_slice(string);
        let mut copied = self.string.end;
        if let (Some(hole), Some(counter)) = (self.counter, counter) {
            payload.extend_from_slice(&self.payload[copied..hole.start]);
            payload.extend_from_slice(counter.to_string().as_bytes());
            copied = hole.end;
        }
        payload.extend_from_slice(&self.payload[copied..]);
        payload
    }
}

/// The fields of an event that its neighbours repeat.
#[derive(Debug, Default)]
pub struct Common<T> {
    fields: T,
    /// Set once, when a template is made of the event's frame.
    pattern: OnceLock<PayloadPattern>,
}

impl<T> Common<T> {
    /// Whether later frames may be predicted from the one that these fields came with.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.pattern.get().is_some()
    }

    /// Sets the pattern; false if it has one already.
    pub(crate) fn set_pattern(&self, pattern: PayloadPattern) -> bool {
        self.pattern.set(pattern).is_ok()
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fields
    }
}

/// The common fields of an event: its own, or those of the frame that predicted it.
#[derive(Debug)]
pub enum CommonRef<'a, T> {
    /// The event's frame was parsed in full.
    Own(Arc<Common<T>>),
    /// The event was predicted: the fields are those of its template.
    Borrowed(&'a Arc<Common<T>>),
}

impl<T> CommonRef<'_, T> {
    pub(crate) fn new(fields: T) -> Self {
        Self::Own(Arc::new(Common { fields, pattern: OnceLock::new() }))
    }

    /// The counted object: the same for all events that one template predicted.
    #[must_use]
    pub const fn arc(&self) -> &Arc<Common<T>> {
        match self {
            Self::Own(common) => common,
            Self::Borrowed(common) => common,
        }
    }

    /// Whether two events have equal common fields. Neighbours mostly share the object itself.
    pub(crate) fn is_shared_with(&self, other: &CommonRef<'_, T>) -> bool
    where
        T: PartialEq,
    {
        Arc::ptr_eq(self.arc(), other.arc()) || **self == **other
    }

    pub(crate) fn into_owned(self) -> CommonRef<'static, T> {
        CommonRef::Own(match self {
            Self::Own(common) => common,
            Self::Borrowed(common) => common.clone(),
        })
    }
}

impl<T> Clone for CommonRef<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Self::Own(common) => Self::Own(common.clone()),
            Self::Borrowed(common) => Self::Borrowed(common),
        }
    }
}

impl<T: Default> Default for CommonRef<'_, T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PartialEq> PartialEq for CommonRef<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> Deref for CommonRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.arc().fields
    }
}

/// An event's payload: as received, or what is needed to reconstruct it from its template.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The payload itself.
    Received(Cow<'a, [u8]>),
    /// The template's payload with this event's values in its holes.
    Predicted {
        /// The bytes between the quotes as received, if they have escapes; without escapes they equal the decoded
        /// text, which the event has anyway.
        string: Option<Cow<'a, [u8]>>,
    },
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(bytes) => {
                f.debug_tuple("Received").field(&String::from_utf8_lossy(bytes)).finish()
            }
            Self::Predicted { .. } => f.write_str("Predicted"),
        }
    }
}

impl Default for Payload<'_> {
    fn default() -> Self {
        Self::Received(Cow::Borrowed(b""))
    }
}

impl Payload<'_> {
    pub(crate) fn into_owned(self) -> Payload<'static> {
        match self {
            Self::Received(bytes) => Payload::Received(Cow::Owned(bytes.into_owned())),
            Self::Predicted { string } => {
                Payload::Predicted { string: string.map(|string| Cow::Owned(string.into_owned())) }
            }
        }
    }

    /// The payload's bytes as received. `text` is the string that the event decoded, `counter` its counter.
    #[must_use]
    pub fn bytes<T>(&self, common: &Common<T>, text: &str, counter: Option<i64>) -> Cow<'_, [u8]> {
        match self {
            Self::Received(bytes) => Cow::Borrowed(bytes),
            Self::Predicted { string } => match common.pattern.get() {
                Some(pattern) => {
                    let string = string.as_deref().unwrap_or(text.as_bytes());
                    Cow::Owned(pattern.reconstruct(string, counter))
                }
                None => Cow::Borrowed(b""),
            },
        }
    }
}
