//! Top-level JSON objects and arrays, with or without separators, from bytes split at arbitrary points.
//!
//! Always true:
//! - between values there may be SP HT LF CR, and a byte order mark at the very start; only `{` and `[` begin a value,
//!   and anything else is an error at its offset;
//! - inside a value framing sees strings, the stack of brackets, depth and size, and nothing more. Whether the frame is
//!   JSON is validated once, after its last byte ([`crate::json::validate`]);
//! - limits come before validation: byte N+1 of a value, and the opener of container D+1.
//!
//! A value that lies whole in the chunk is framed in place; only an unfinished one is copied and kept.
//!
//! What will bite:
//! - a backslash may be the last byte of a chunk; the byte after it is escaped even if it is a quote
//!   ([`State::Escape`]);
//! - a bracket that does not match ends the framing, but an earlier byte may already be wrong: the bytes so far are
//!   validated, and the first error of the two is raised ([`JsonFramer::mismatch`]).

use memchr::memchr2;

use super::bom::{Bom, BomState};
use super::clear_and_shrink;
use super::event_id::IdRef;
use super::frame::{Origin, RawFrame};
use crate::error::{ErrorKind, Expected, FrameError, Missing, ParseError};
use crate::json::{Brackets, is_space, validate};
use crate::span::FrameLayout;

/// The default limit of open containers.
pub const DEFAULT_MAX_DEPTH: usize = 128;

/// Where the scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    /// In a value, outside its strings.
    Value,
    String,
    /// After a backslash, whose escaped byte may be in the next chunk.
    Escape,
}

/// The state that survives a chunk.
#[derive(Debug)]
pub(crate) struct JsonFramer {
    max_frame_bytes: usize,
    max_depth: usize,
    bom: Bom,
    state: State,
    open: Brackets,
    /// The value so far, when it began in an earlier chunk.
    held: Vec<u8>,
    /// Offset of the value's first byte.
    start: u64,
    /// `held` is a value that was returned; the next call clears it, as the frame borrows it.
    handed_out: bool,
}

impl JsonFramer {
    pub(crate) fn new(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self {
            max_frame_bytes,
            max_depth,
            bom: Bom::START,
            state: State::Between,
            open: Brackets::default(),
            held: Vec::new(),
            start: 0,
            handed_out: false,
        }
    }

    /// A framer for a stream whose byte order mark the detector has skipped.
    pub(crate) fn after_bom(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self { bom: Bom::DONE, ..Self::new(max_frame_bytes, max_depth) }
    }

    pub(crate) fn pending(&self) -> usize {
        if self.handed_out { 0 } else { self.bom.held() + self.held.len() }
    }

    /// Goes to the first byte of the next value; false inside one.
    #[inline]
    pub(crate) fn begin_frame(&mut self, chunk: &[u8], position: &mut usize) -> bool {
        if self.state != State::Between || !self.bom.is_done() {
            return false;
        }
        self.release();
        skip_space(chunk, position);
        true
    }

    fn release(&mut self) {
        if self.handed_out {
            self.handed_out = false;
            clear_and_shrink(&mut self.held);
        }
    }

    /// The next value that the chunk completes, from `position` on; `None` when the chunk is used up.
    /// `base` is the offset of the chunk's first byte.
    pub(crate) fn next_frame<'f>(
        &'f mut self,
        chunk: &'f [u8],
        position: &mut usize,
        base: u64,
    ) -> Result<Option<RawFrame<'f>>, ParseError> {
        self.release();
        if !self.bom.is_done() {
            match self.bom.skip(chunk, position) {
                BomState::Incomplete => return Ok(None),
                // Part of a mark is nothing that may be before a value.
                BomState::NotABom(taken) => return Err(not_a_value(taken[0], 0)),
                BomState::Done => {}
            }
        }
        // Where this chunk's part of the value begins.
        let mut from = *position;
        if self.state == State::Between {
            skip_space(chunk, position);
            let Some(&byte) = chunk.get(*position) else { return Ok(None) };
            from = *position;
            self.begin_value(byte, base + from as u64)?;
        }
        // The scan stops before the first byte too many; a value that ends there is complete.
        let room = self.max_frame_bytes - self.held.len();
        let part = &chunk[from..chunk.len().min(from.saturating_add(room))];
        match self.scan(part, *position - from)? {
            Some(length) => {
                *position = from + length;
                self.state = State::Between;
                Ok(Some(self.dispatch(&part[..length])))
            }
            None if from + part.len() < chunk.len() => {
                let limit = self.max_frame_bytes;
                Err(ParseError::new(ErrorKind::FrameTooLarge { limit }, self.start + limit as u64))
            }
            None => {
                *position = chunk.len();
                self.held.extend_from_slice(part);
                Ok(None)
            }
        }
    }

    fn begin_value(&mut self, byte: u8, offset: u64) -> Result<(), ParseError> {
        if byte != b'{' && byte != b'[' {
            return Err(not_a_value(byte, offset));
        }
        self.start = offset;
        self.open.clear();
        self.state = State::Value;
        Ok(())
    }

    /// Returns the value that ends with `part`.
    fn dispatch<'f>(&'f mut self, part: &'f [u8]) -> RawFrame<'f> {
        let payload = if self.held.is_empty() {
            part
        } else {
            self.held.extend_from_slice(part);
            self.handed_out = true;
            &self.held
        };
        RawFrame {
            payload,
            name: b"",
            id: IdRef::NONE,
            layout: Some(FrameLayout { bytes: payload, payload: 0, id: None }),
            origin: Origin::Offset(self.start),
        }
    }

    /// Continues in the value from `position`; the length of `part` that ends the value, if it ends there.
    fn scan(&mut self, part: &[u8], mut position: usize) -> Result<Option<usize>, ParseError> {
        while position < part.len() {
            match self.state {
                State::String => match memchr2(b'"', b'\\', &part[position..]) {
                    Some(step) => {
                        self.state = if part[position + step] == b'"' { State::Value } else { State::Escape };
                        position += step + 1;
                    }
                    None => return Ok(None),
                },
                State::Escape => {
                    self.state = State::String;
                    position += 1;
                }
                State::Value | State::Between => {
                    let byte = part[position];
                    position += 1;
                    match byte {
                        b'"' => self.state = State::String,
                        b'{' | b'[' if self.open.depth() == self.max_depth => {
                            let offset = self.start + (self.held.len() + position - 1) as u64;
                            return Err(ParseError::new(
                                ErrorKind::TooDeep { limit: self.max_depth },
                                offset,
                            ));
                        }
                        b'{' | b'[' => self.open.push(byte == b'{'),
                        b'}' | b']' if self.open.in_object() != (byte == b'}') => {
                            return Err(self.mismatch(&part[..position]));
                        }
                        b'}' | b']' => {
                            self.open.pop();
                            if self.open.depth() == 0 {
                                return Ok(Some(position));
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(None)
    }

    /// A bracket closed what was not open: the first error of the bytes so far, at the latest that bracket.
    fn mismatch(&mut self, part: &[u8]) -> ParseError {
        self.held.extend_from_slice(part);
        let last = self.held.len() - 1;
        let bracket = FrameError::json(Expected::Value, self.held.last().copied(), last);
        let error = validate(&self.held, usize::MAX).err().unwrap_or(bracket);
        ParseError::new(error.kind, self.start + error.position as u64)
    }

    /// The end of the stream.
    pub(crate) fn finish(&self) -> Result<(), Missing> {
        if self.bom.held() > 0 {
            Err(Missing::RestOfBom)
        } else if self.state == State::Between {
            Ok(())
        } else {
            Err(Missing::RestOfValue)
        }
    }
}

fn skip_space(chunk: &[u8], position: &mut usize) {
    while chunk.get(*position).copied().is_some_and(is_space) {
        *position += 1;
    }
}

fn not_a_value(found: u8, offset: u64) -> ParseError {
    ParseError::new(ErrorKind::InvalidJson { expected: Expected::OpeningBracket, found: Some(found) }, offset)
}

/// Bytes to complete, valid JSON objects and arrays.
///
/// ```
/// let mut parser = hangang::JsonStreamParser::new(1 << 20, 128);
/// let mut seen = Vec::new();
/// for chunk in [r#"{"a":"}{"}{"b""#, ":[1]}"] {
///     parser.feed_with(chunk.as_bytes(), |value| seen.push(value.to_owned()))?;
/// }
/// parser.close()?;
/// assert_eq!(seen, [r#"{"a":"}{"}"#, r#"{"b":[1]}"#]);
/// # Ok::<(), hangang::ParseError>(())
/// ```
#[derive(Debug)]
pub struct JsonStreamParser {
    framer: JsonFramer,
    fed: u64,
    failed: Option<ParseError>,
    closed: bool,
    examined: u64,
}

impl JsonStreamParser {
    /// A parser whose values may hold `max_frame_bytes` bytes and `max_depth` open containers.
    #[must_use]
    pub fn new(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self {
            framer: JsonFramer::new(max_frame_bytes, max_depth),
            fed: 0,
            failed: None,
            closed: false,
            examined: 0,
        }
    }

    /// Gives every value that `chunk` completes to `on_value`, in order, as the text received. After an error
    /// every later call returns the same error.
    pub fn feed_with(&mut self, chunk: &[u8], mut on_value: impl FnMut(&str)) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.closed {
            return Err(ParseError::new(ErrorKind::Closed, self.fed));
        }
        self.examined += chunk.len() as u64;
        let mut position = 0;
        loop {
            let max_depth = self.framer.max_depth;
            let error = match self.framer.next_frame(chunk, &mut position, self.fed) {
                Ok(Some(frame)) => {
                    self.examined += 2 * frame.payload.len() as u64;
                    match validate(frame.payload, max_depth) {
                        Ok(text) => {
                            on_value(text);
                            continue;
                        }
                        Err(error) => ParseError::new(error.kind, frame.origin.locate(error.position)),
                    }
                }
                Ok(None) => break,
                Err(error) => error,
            };
            return self.fail(error);
        }
        self.fed += chunk.len() as u64;
        Ok(())
    }

    /// The end of the stream: an error inside a value.
    pub fn close(&mut self) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.framer.finish() {
            Ok(()) => {
                self.closed = true;
                Ok(())
            }
            Err(expected) => self.fail(ParseError::new(ErrorKind::Truncated { expected }, self.fed)),
        }
    }

    fn fail(&mut self, error: ParseError) -> Result<(), ParseError> {
        self.failed = Some(error);
        self.framer = JsonFramer::after_bom(0, 0);
        Err(error)
    }

    /// Bytes held of an unfinished value.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.framer.pending()
    }

    /// Bytes examined so far, every pass over a byte counted: a debug counter for the law of linear time.
    #[must_use]
    pub const fn examined(&self) -> u64 {
        self.examined
    }
}
