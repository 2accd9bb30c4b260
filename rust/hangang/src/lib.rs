//! Decodes the token streams of Korean LLM services, from bytes cut anywhere to typed events: LG's
//! [EXAONE](exaone), NAVER's [CLOVA Studio](clova) and CLOVA Studio Gov, which speaks the
//! [OpenAI-compatible](openai) format and [A2A](a2a).
//!
//! The crate does no I/O: feed it what the network gave, in any pieces, and it gives back what they completed.
//!
//! ```
//! use hangang::clova::{Event, StreamParser};
//!
//! let wire = "event:token\ndata:{\"message\":{\"role\":\"assistant\",\"content\":\"한\"}}\n\n\
//!             event:result\ndata:{\"message\":{\"role\":\"assistant\",\"content\":\"한\"},\"finishReason\":\"stop\"}\n\n";
//! let mut parser = StreamParser::default();
//! let mut answer = String::new();
//! for chunk in wire.as_bytes().chunks(7) {
//!     parser.feed_with(chunk, |event| {
//!         if let Event::Token(token) = event {
//!             answer.push_str(&token.text);
//!         }
//!     })?;
//! }
//! parser.close(|_| {})?; // an error here: the stream stopped early
//! assert_eq!(answer, "한");
//! # Ok::<(), hangang::ParseError>(())
//! ```
//!
//! Two laws hold for every parser. Same bytes, any split: same events, same errors, same offsets. And each
//! `feed` costs time in proportion to its new bytes, with memory under the caller's limits ([`Options`]).

pub mod dialect;
mod dialects;
mod error;
mod framing;
mod json;
mod parser;
mod predict;
mod span;

#[doc(hidden)]
pub use dialect::{Common, CommonRef, Deferred, Fields, Frame, Payload};
pub use dialect::{Dialect, Errors, Malformed, Options, StreamEvent};
pub use dialects::wire::{AiFilter, ToolCallDelta, Usage};
pub use dialects::{a2a, clova, exaone, openai};
#[doc(hidden)]
pub use error::FrameError;
pub use error::{ErrorKind, Expected, Missing, ParseError};
pub use framing::json_stream::{DEFAULT_MAX_DEPTH, JsonStreamParser};
pub use framing::sse::{DEFAULT_MAX_FRAME_BYTES, EventId, ServerSentEvent, SseParser};
pub use parser::StreamParser;

/// The README's example is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
