//! The last event ID, shared by the events that repeat it.
//!
//! An id stays in force until the next `id` field, so one long id could be in every event of a stream. Events borrow it,
//! and those that are kept share one counted copy.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The last event ID with a counted copy of it, made when an event that outlives the parser needs one. All events until
/// the next id share it: one long id must not be copied into every event.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedId {
    bytes: Vec<u8>,
    shared: OnceLock<Arc<[u8]>>,
}

impl SharedId {
    pub(super) const fn id(&self) -> IdRef<'_> {
        IdRef::Shared(self)
    }

    pub(super) fn set(&mut self, id: &[u8]) {
        // Only a copy that was made can be worth keeping.
        if self.shared.get().is_some() {
            if self.bytes == id {
                return;
            }
            self.shared.take();
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(id);
    }
}

/// The id of a server-sent event. It is bytes; text is made on demand, as few ask for it, and checking every id would be
/// a good part of what a predicted event costs.
#[derive(Clone)]
pub struct EventId<'a>(Id<'a>);

#[derive(Clone)]
enum Id<'a> {
    Borrowed(IdRef<'a>),
    Owned(Arc<[u8]>),
}

/// An id in the chunk or in the framer: what frames carry.
#[derive(Clone, Copy)]
pub(crate) enum IdRef<'a> {
    /// In the chunk, or none.
    Bytes(&'a [u8]),
    Shared(&'a SharedId),
}

impl IdRef<'_> {
    pub(crate) const NONE: Self = Self::Bytes(b"");
}

impl<'a> From<IdRef<'a>> for EventId<'a> {
    fn from(id: IdRef<'a>) -> Self {
        Self(Id::Borrowed(id))
    }
}

impl EventId<'_> {
    /// As received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Id::Borrowed(IdRef::Bytes(bytes)) => bytes,
            Id::Borrowed(IdRef::Shared(shared)) => &shared.bytes,
            Id::Owned(bytes) => bytes,
        }
    }

    /// As text, with U+FFFD for what is ill-formed.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// As counted bytes: the same object for all events that repeat an id without an `id` field of their own.
    #[must_use]
    pub fn to_arc(&self) -> Arc<[u8]> {
        match &self.0 {
            Id::Borrowed(IdRef::Bytes(bytes)) => (*bytes).into(),
            Id::Borrowed(IdRef::Shared(shared)) => {
                shared.shared.get_or_init(|| shared.bytes.as_slice().into()).clone()
            }
            Id::Owned(bytes) => bytes.clone(),
        }
    }

    pub(crate) fn into_owned(self) -> EventId<'static> {
        if self.as_bytes().is_empty() { EventId::default() } else { EventId(Id::Owned(self.to_arc())) }
    }
}

impl Default for EventId<'_> {
    fn default() -> Self {
        IdRef::NONE.into()
    }
}

impl PartialEq for EventId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for EventId<'_> {}

impl std::hash::Hash for EventId<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl std::fmt::Debug for EventId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.text(), f)
    }
}
