//! Incremental decoder for the streaming APIs of Korean LLM services: LG's [EXAONE](exaone), NAVER's
//! [CLOVA Studio](clova), and CLOVA Studio Gov with its [OpenAI-compatible](openai) chats and [A2A](a2a) agents. Feed it
//! bytes split at arbitrary points; it yields typed events. The crate does no I/O.
//!
//! ```
//! use hangang::clova::{Event, StreamParser};
//!
//! let wire = "event:token\ndata:{\"message\":{\"role\":\"assistant\",\"content\":\"한\"}}\n\n\
//!             event:result\ndata:{\"message\":{\"role\":\"assistant\",\"content\":\"한\"},\"finishReason\":\"stop\"}\n\n";
//! let mut answer = String::new();
//! for event in hangang::events(wire.as_bytes().chunks(7), StreamParser::default()) {
//!     if let Event::Token(token) = event? {
//!         answer.push_str(&token.text);
//!     }
//! }
//! assert_eq!(answer, "한");
//! # Ok::<(), hangang::ParseError>(())
//! ```
//!
//! # Where to look
//!
//! - [`clova`], [`exaone`], [`openai`], [`a2a`]: the events of each dialect, and its `StreamParser`.
//! - [`events`]: an iterator of events over an iterator of chunks. [`StreamParser`] is what it drives, for programs with
//!   a loop of their own: [`feed`](StreamParser::feed) for owned events, [`feed_with`](StreamParser::feed_with) for
//!   borrowed ones, [`feed_text`](StreamParser::feed_text) for the answer's text alone, and at the end
//!   [`close`](StreamParser::close).
//! - [`read_whole`]: a stream that is there as a whole, with runs of deltas merged.
//! - [`Options`]: the limits of a frame and of nesting, and what a bad frame does.
//! - [`ParseError`]: what is wrong, and at which byte of the stream.
//! - [`SseParser`], [`JsonStreamParser`]: framing alone.
//!
//! # What every parser promises
//!
//! Same bytes, any split: same events, same errors, same offsets. Each `feed` costs time in proportion to its new bytes,
//! with memory under the caller's limits. Events that were complete before an error are delivered, and a stream that was
//! cut is an error: never take the end of the bytes for the end of the answer.

pub mod dialect;
mod dialects;
mod error;
mod events;
mod framing;
mod json;
mod parser;
mod predict;
mod service;
mod span;
mod whole;

#[doc(hidden)]
pub use dialect::{Common, CommonRef, Deferred, Fields, Frame, Payload};
pub use dialect::{Dialect, Errors, Malformed, Options, StreamEvent};
pub use dialects::wire::{AiFilter, ToolCallDelta, Usage};
pub use dialects::{a2a, clova, exaone, openai};
#[doc(hidden)]
pub use error::FrameError;
pub use error::{ErrorKind, Expected, Missing, ParseError};
pub use events::{Events, events};
pub use framing::event_id::EventId;
pub use framing::json_stream::{DEFAULT_MAX_DEPTH, JsonStreamParser};
pub use framing::sse::{DEFAULT_MAX_FRAME_BYTES, ServerSentEvent, SseParser};
pub use parser::StreamParser;
pub use service::{Look, Service, detect};
pub use whole::{Whole, read_whole};

/// The README's example is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
