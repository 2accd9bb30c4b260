//! Framing: bytes to frames, split at arbitrary points.
//!
//! - [`bom`]: the byte order mark that may open a stream.
//! - [`detect`]: SSE or bare JSON, by the first byte that tells.
//! - [`sse`]: server-sent events as WHATWG frames them.
//! - [`json_stream`]: top-level JSON objects and arrays.
//!
//! Always true: framing works on bytes and hands out one type, [`RawFrame`]. It validates no payload. Limits come
//! first: they are counted byte by byte, whatever the chunks.

pub(crate) mod bom;
pub(crate) mod detect;
pub(crate) mod json_stream;
pub(crate) mod sse;

use crate::span::FrameLayout;
use sse::DataLines;

/// The most capacity that a buffer keeps between frames.
const MAX_RETAINED_CAPACITY: usize = 64 << 10;

/// Clears the buffer and shrinks it if it has grown large, so that a single huge frame does not pin its memory for the
/// life of the parser.
pub(crate) fn clear_and_shrink(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(MAX_RETAINED_CAPACITY);
}

/// One delimited frame, not validated, borrowed from the chunk or from its framer.
pub(crate) struct RawFrame<'f> {
    pub(crate) payload: &'f [u8],
    /// The SSE event's name, empty without one.
    pub(crate) name: &'f [u8],
    /// The last event ID.
    pub(crate) id: &'f [u8],
    /// The frame's own bytes, if it could become a template.
    pub(crate) layout: Option<FrameLayout<'f>>,
    pub(crate) origin: Origin<'f>,
}

impl RawFrame<'_> {
    /// Whether the payload was joined from SSE data lines.
    pub(crate) const fn is_joined(&self) -> bool {
        matches!(self.origin, Origin::Lines(_))
    }
}

/// Where a payload comes from in the stream.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'f> {
    /// It lies together, from this offset on.
    Offset(u64),
    /// It was joined from data lines.
    Lines(&'f DataLines),
}

impl Origin<'_> {
    /// The absolute offset of a position in the payload.
    pub(crate) fn locate(self, position: usize) -> u64 {
        match self {
            Self::Offset(offset) => offset + position as u64,
            Self::Lines(lines) => lines.locate(position),
        }
    }
}
