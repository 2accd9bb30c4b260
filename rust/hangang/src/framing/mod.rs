//! Framing: bytes to frames, split at arbitrary points.
//!
//! - [`bom`]: the byte order mark that may open a stream.
//! - [`detect`]: SSE or bare JSON, by the first byte that tells.
//! - [`frame`]: what framing returns, and where its bytes were in the stream.
//! - [`event_id`]: the last event ID, shared by events.
//! - [`sse`]: server-sent events as WHATWG frames them.
//! - [`json_stream`]: top-level JSON objects and arrays.
//!
//! Always true: framing works on bytes and returns one type, [`frame::RawFrame`]. It validates no payload. Limits come
//! first: they are counted byte by byte, whatever the chunks.

pub(crate) mod bom;
pub(crate) mod detect;
pub(crate) mod event_id;
pub(crate) mod frame;
pub(crate) mod json_stream;
pub(crate) mod sse;

/// The most capacity that a buffer keeps between frames.
const MAX_RETAINED_CAPACITY: usize = 64 << 10;

/// Clears the buffer and shrinks it if it has grown large, so that a single huge frame does not pin its memory for the
/// life of the parser.
pub(crate) fn clear_and_shrink(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(MAX_RETAINED_CAPACITY);
}
