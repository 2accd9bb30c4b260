//! What the parser and a dialect need of each other.
//!
//! A [`Dialect`] turns frames into typed events and tells when a stream may end. The four of this crate are in their
//! own modules ([`crate::clova`], [`crate::exaone`], [`crate::openai`], [`crate::a2a`]); the trait is sealed. Programs
//! that are generic over dialects name [`Dialect`] and [`StreamEvent`] as bounds; the other types here are what events
//! are made of.
//!
//! Always true: `decode` is a function of the frame and of the dialect's own state. It returns everything it found in
//! [`Decoded`], and an error names a position in the payload; only the parser has offsets.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{ErrorKind, FrameError, Missing, ParseError};
use crate::framing::event_id::IdRef;
use crate::framing::json_stream::DEFAULT_MAX_DEPTH;
use crate::framing::sse::{DEFAULT_MAX_FRAME_BYTES, event_name};
use crate::json::utf8_text;
pub use crate::predict::common::{Common, CommonRef, Payload};
pub use crate::predict::template::Fields;
use crate::predict::template::Holes;
use crate::service::Service;

/// What the parser does with a bad frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// It ends the stream with an error.
    #[default]
    Strict,
    /// It becomes a `Malformed` event, and the stream continues.
    Report,
}

/// Limits and policy of a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most bytes of a frame.
    pub max_frame_bytes: usize,
    /// The most open containers in a payload.
    pub max_depth: usize,
    /// What a bad frame does.
    pub errors: Errors,
    /// Whether frames that repeat are predicted. It changes nothing but the speed.
    pub predict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            max_depth: DEFAULT_MAX_DEPTH,
            errors: Errors::Strict,
            predict: true,
        }
    }
}

/// A frame that was delimited and found bad, where the parser reports instead of failing.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed<'a> {
    /// The frame's bytes.
    pub raw: Cow<'a, [u8]>,
    /// What is wrong with it.
    pub error: ParseError,
}

impl Malformed<'_> {
    pub(crate) fn into_owned(self) -> Malformed<'static> {
        Malformed { raw: Cow::Owned(self.raw.into_owned()), error: self.error }
    }
}

impl std::fmt::Debug for Malformed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let raw = String::from_utf8_lossy(&self.raw);
        f.debug_struct("Malformed").field("raw", &raw).field("error", &self.error).finish()
    }
}

/// The kinds of events that `feed_text` defers to `close`; of each kind it keeps the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// The whole answer.
    Result,
    /// An error of the service.
    Error,
    /// The end marker.
    Done,
    /// A snapshot of an A2A task.
    Task,
    /// A change of an A2A task's state.
    StatusUpdate,
    /// Text that `thinking_tags` held back. Of these the first is kept: it is the answer's text, and a later one is
    /// text like any other.
    Held,
}

/// What the events of all dialects have in common.
pub trait StreamEvent<'a>: Sized {
    /// The same event without borrows.
    type Owned;
    /// The answer delta, or `""`.
    fn text(&self) -> &str;
    /// The reasoning delta, or `""`.
    fn thinking(&self) -> &str;
    /// The payload's bytes as received.
    fn raw(&self) -> Cow<'_, [u8]>;
    /// The same event, independent of the chunk and of the parser.
    fn into_owned(self) -> Self::Owned;
    /// Whether it is a known event: not an `Unknown`, not a `Malformed`.
    #[doc(hidden)]
    fn is_known(&self) -> bool;
    /// Whether `feed_text` defers it to `close`.
    #[doc(hidden)]
    fn deferred(&self) -> Option<Deferred>;
    /// Wraps a bad frame.
    #[doc(hidden)]
    fn malformed(malformed: Malformed<'a>) -> Self;
}

/// One frame as a dialect sees it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub(crate) payload: &'a [u8],
    /// The event's name, empty without one.
    pub(crate) name: &'a [u8],
    pub(crate) id: IdRef<'a>,
    /// It is a line outside `data:`, which is a frame only if it is a JSON object.
    pub(crate) is_outside_data: bool,
    pub(crate) max_depth: usize,
}

impl<'a> Frame<'a> {
    /// The payload as text, or its first error.
    pub(crate) fn text(&self) -> Result<&'a str, FrameError> {
        utf8_text(self.payload, self.max_depth)
    }

    /// The payload as text where it need not be JSON.
    pub(crate) fn plain_text(&self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.payload).map_err(|error| {
            let position = error.valid_up_to();
            FrameError { kind: ErrorKind::InvalidUtf8 { found: self.payload[position] }, position }
        })
    }

    pub(crate) fn event(&self) -> Cow<'a, str> {
        event_name(self.name)
    }
}

/// What a dialect made of a frame.
#[doc(hidden)]
pub struct Decoded<E> {
    pub(crate) event: E,
    /// The parts of the payload that may change from frame to frame, if it can teach a template.
    pub(crate) holes: Option<Holes>,
    /// Whether the payload was validated as JSON. Events with undocumented names need not be JSON.
    pub(crate) validated: bool,
}

impl<E> Decoded<E> {
    pub(crate) const fn new(event: E) -> Self {
        Self { event, holes: None, validated: true }
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A dialect: frames to typed events, and the rule of how its streams end.
///
/// The trait is sealed: only the dialects of this crate implement it.
pub trait Dialect: sealed::Sealed {
    /// The events of a stream.
    type Event<'a>: StreamEvent<'a, Owned = Self::Event<'static>>;

    /// The fields that neighbouring events share.
    #[doc(hidden)]
    type Common;

    /// The service that speaks it.
    #[doc(hidden)]
    const SERVICE: Service;

    /// Whether the first byte must be `{`, a colon or an ASCII letter.
    #[doc(hidden)]
    const STRICT_FIRST_BYTE: bool = false;

    /// Whether its events have the SSE id.
    #[doc(hidden)]
    const HAS_ID: bool = false;

    /// Validates a frame and turns it into an event.
    #[doc(hidden)]
    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Self::Event<'a>>, FrameError>;

    /// The common fields of an event that was parsed in full.
    #[doc(hidden)]
    fn common<'e>(event: &'e Self::Event<'_>) -> Option<&'e Arc<Common<Self::Common>>>;

    /// The event of a frame that equals an earlier one but for `fields`.
    #[doc(hidden)]
    fn predicted<'a>(&mut self, common: &'a Arc<Common<Self::Common>>, fields: Fields<'a>)
    -> Self::Event<'a>;

    /// The event of the payload `[DONE]`, which is not JSON.
    #[doc(hidden)]
    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Self::Event<'a>>;

    /// Whether `next` differs from `event` in nothing but its deltas and counters, so that the two may be merged.
    #[doc(hidden)]
    fn continues(_event: &Self::Event<'_>, _next: &Self::Event<'_>) -> bool {
        false
    }

    /// Appends the deltas of an event that continues `event`. The payload is dropped: it was one event's.
    #[doc(hidden)]
    fn merge(_event: &mut Self::Event<'static>, _next: &Self::Event<'_>) {}

    /// Whether frames may be predicted.
    #[doc(hidden)]
    fn may_predict(&self) -> bool {
        true
    }

    /// An event with everything that was held back, before an event that ends the stream, or at its end.
    #[doc(hidden)]
    fn flush(&mut self) -> Option<Self::Event<'static>> {
        None
    }

    /// What the stream has not shown and must before it may end.
    #[doc(hidden)]
    fn missing(&self) -> Option<Missing>;
}
