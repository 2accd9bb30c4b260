//! Errors are a kind and an offset; every text is derived from the two.
//!
//! Always true ([design §4], the rules of error):
//! - a [`FrameError`] has a position in one frame. Framing turns it into a [`ParseError`] with an absolute offset;
//! - the offset counts all bytes ever fed, a byte order mark included;
//! - the same kind and offset give the same text here and in the pure Python twin (`python/hangang/_pure/error.py`),
//!   byte for byte.

use std::fmt;

use crate::service::{Look, Service};

/// What the grammar of JSON allows at the place of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Any JSON value.
    Value,
    /// Right after `[`.
    ValueOrEndOfArray,
    /// Right after `{`.
    KeyOrEndOfObject,
    /// After a comma in an object.
    Key,
    /// After a member's name.
    Colon,
    /// After a member.
    CommaOrEndOfObject,
    /// After an element.
    CommaOrEndOfArray,
    /// Inside the literal `true`.
    True,
    /// Inside the literal `false`.
    False,
    /// Inside the literal `null`.
    Null,
    /// Where a number needs one more digit.
    Digit,
    /// Instead of a raw control character in a string.
    EscapedControl,
    /// After a backslash.
    Escape,
    /// In a `\uXXXX` escape.
    HexDigit,
    /// The payload ends inside a string.
    EndOfString,
    /// After the value of an SSE payload.
    EndOfPayload,
    /// Between bare values.
    OpeningBracket,
    /// The first byte of an EXAONE stream.
    FirstByte,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "a JSON value",
            Self::ValueOrEndOfArray => "a JSON value or ']'",
            Self::KeyOrEndOfObject => "a string or '}'",
            Self::Key => "a string",
            Self::Colon => "':'",
            Self::CommaOrEndOfObject => "',' or '}'",
            Self::CommaOrEndOfArray => "',' or ']'",
            Self::True => "'true'",
            Self::False => "'false'",
            Self::Null => "'null'",
            Self::Digit => "a digit",
            Self::EscapedControl => "an escaped control character",
            Self::Escape => "an escape character",
            Self::HexDigit => "a hexadecimal digit",
            Self::EndOfString => "the end of the string",
            Self::EndOfPayload => "the end of the payload",
            Self::OpeningBracket => "'{' or '['",
            Self::FirstByte => "'{', ':' or an ASCII letter",
        })
    }
}

/// What a stream must show before it may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The stream stopped inside a bare JSON value.
    RestOfValue,
    /// The stream stopped inside an SSE frame.
    BlankLine,
    /// The stream stopped inside a byte order mark.
    RestOfBom,
    /// CLOVA: a `result` or `error` event.
    ClovaResult,
    /// EXAONE: a frame in the state `answering`.
    ExaoneAnswer,
    /// OpenAI-compatible: a finish reason, `[DONE]` or an error.
    OpenAiEnd,
    /// A2A: a final status, a message or an error.
    A2aEnd,
    /// A2A where an artifact's last chunk ends the stream too.
    A2aLastChunk,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RestOfValue => "the rest of a JSON value",
            Self::BlankLine => "the blank line that ends an event",
            Self::RestOfBom => "the rest of a byte order mark",
            Self::ClovaResult => "a result or error event",
            Self::ExaoneAnswer => "an answering frame",
            Self::OpenAiEnd => "a finish reason, [DONE] or an error",
            Self::A2aEnd => "a final status, a message or an error",
            Self::A2aLastChunk => "a final status, a last chunk, a message or an error",
        })
    }
}

/// What is wrong, without the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not RFC 8259 JSON, or not the start of a value.
    InvalidJson {
        /// What is allowed there.
        expected: Expected,
        /// The byte there; `None` past the end of the payload.
        found: Option<u8>,
    },
    /// Ill-formed UTF-8 in a payload.
    InvalidUtf8 {
        /// First byte of the ill-formed sequence.
        found: u8,
    },
    /// A frame of more than `limit` bytes.
    FrameTooLarge {
        /// The caller's `max_frame_bytes`.
        limit: usize,
    },
    /// More than `limit` open containers.
    TooDeep {
        /// The caller's `max_depth`.
        limit: usize,
    },
    /// The stream stopped early.
    Truncated {
        /// What was missing.
        expected: Missing,
    },
    /// The stream ended without one known event.
    Unrecognized {
        /// The service whose events were expected.
        expected: Service,
        /// What the first bytes look like.
        look: Look,
    },
    /// The caller fed a parser after closing it. This is a mistake of the program, not an error of the stream, and the
    /// parser stays closed.
    Closed,
}

/// An error of the stream: its kind and its absolute offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    kind: ErrorKind,
    offset: u64,
}

impl ParseError {
    pub(crate) const fn new(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where: the number of bytes of the stream before the error.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

/// `'x'` for a visible ASCII character, a name or the byte's number for the rest.
struct Found(Option<u8>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the end of the payload"),
            Some(b' ') => f.write_str("a space"),
            Some(b'\'') => f.write_str("\"'\""),
            Some(byte @ 0x21..=0x7e) => write!(f, "'{}'", char::from(byte)),
            Some(byte) => write!(f, "byte 0x{byte:02x}"),
        }
    }
}

/// What the first byte of a stream that cannot be EXAONE's tells. One byte decides: the error must be the same however
/// the stream is split.
const fn first_byte_look(expected: Expected, found: Option<u8>) -> Option<&'static str> {
    match (expected, found) {
        (Expected::FirstByte, Some(0x1f)) => Some("gzip data"),
        (Expected::FirstByte, Some(0x28)) => Some("zstd data"),
        (Expected::FirstByte, Some(b'<')) => Some("HTML or XML"),
        _ => None,
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.kind {
            ErrorKind::InvalidJson { expected, found } => {
                write!(f, "invalid JSON at byte {offset}: expected {expected}, found {}", Found(found))?;
                match first_byte_look(expected, found) {
                    Some(look) => write!(f, "; the stream looks like {look}"),
                    None => Ok(()),
                }
            }
            ErrorKind::InvalidUtf8 { found } => write!(
                f,
                "invalid UTF-8 at byte {offset}: expected a well-formed sequence, found {}",
                Found(Some(found))
            ),
            ErrorKind::FrameTooLarge { limit } => write!(
                f,
                "frame too large at byte {offset}: expected at most {limit} bytes, found one more; \
                 raise max_frame_bytes if such frames are expected"
            ),
            ErrorKind::TooDeep { limit } => write!(
                f,
                "nesting too deep at byte {offset}: expected at most {limit} open containers, found one more; \
                 raise max_depth if such frames are expected"
            ),
            ErrorKind::Truncated { expected } => write!(
                f,
                "stream truncated at byte {offset}: expected {expected}, found the end of the stream; \
                 the answer is incomplete"
            ),
            ErrorKind::Unrecognized { expected, look } => {
                write!(f, "stream not recognized at byte {offset}: expected {expected} events, found {look}")
            }
            ErrorKind::Closed => f.write_str("feed after close()"),
        }
    }
}

impl std::error::Error for ParseError {}

/// An error inside one frame: its kind and its position in the frame's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    pub(crate) kind: ErrorKind,
    pub(crate) position: usize,
}

impl FrameError {
    pub(crate) const fn json(expected: Expected, found: Option<u8>, position: usize) -> Self {
        Self { kind: ErrorKind::InvalidJson { expected, found }, position }
    }
}
