//! Top-level JSON objects and arrays, unseparated or not, from bytes cut anywhere.
//!
//! Rules:
//! - between values stand any or none of SP HT LF CR; a byte order mark may stand at the very start; only `{`
//!   and `[` begin a value, anything else is a fault at its offset;
//! - inside a value framing sees strings, the stack of brackets, depth and size, and nothing more: whether the
//!   frame is JSON is validated once, when its last byte has come ([`crate::json::validate`]);
//! - a bracket that does not match ends the framing: the bytes so far are validated, and the first fault is raised;
//! - the limits come before judging: byte N+1 of a value, and the opener of container D+1.
//!
//! A value that lies whole in the chunk is framed in place; only an unfinished one is copied and deferred.

use memchr::memchr2;

use crate::error::{ErrorKind, Expected, FrameError, Missing, ParseError};
use crate::json::{Brackets, is_space, validate};
use crate::sse::{BOM, Bom, clear_and_shrink};

/// The default limit of open containers.
pub const DEFAULT_MAX_DEPTH: usize = 128;

/// One complete value and the offset of its first byte. It is not validated yet.
pub(crate) struct JsonFrame<'f> {
    pub(crate) bytes: &'f [u8],
    pub(crate) offset: u64,
}

impl JsonFrame<'_> {
    pub(crate) fn error(&self, fault: FrameError) -> ParseError {
        ParseError::new(fault.kind, self.offset + fault.position as u64)
    }
}

/// Where the scan stands; what survives a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    /// In a value, outside its strings.
    Value,
    String,
    /// Behind a backslash, whose escaped byte may come in the next chunk.
    Escape,
}

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
    /// `held` is a value that was handed out and is forgotten when the next one is asked for.
    handed_out: bool,
}

impl JsonFramer {
    pub(crate) fn new(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self {
            max_frame_bytes,
            max_depth,
            bom: Bom::Matching(0),
            state: State::Between,
            open: Brackets::default(),
            held: Vec::new(),
            start: 0,
            handed_out: false,
        }
    }

    /// A framer for a stream whose byte order mark a dialect has dealt with.
    pub(crate) fn after_bom(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self { bom: Bom::Over, ..Self::new(max_frame_bytes, max_depth) }
    }

    pub(crate) fn pending(&self) -> usize {
        match self.bom {
            Bom::Matching(seen) => seen,
            Bom::Over if self.handed_out => 0,
            Bom::Over => self.held.len(),
        }
    }

    /// Goes to the first byte of the next value; false inside one.
    #[inline]
    pub(crate) fn begin_frame(&mut self, chunk: &[u8], at: &mut usize) -> bool {
        if self.state != State::Between || self.bom != Bom::Over {
            return false;
        }
        self.release();
        while chunk.get(*at).copied().is_some_and(is_space) {
            *at += 1;
        }
        true
    }

    fn release(&mut self) {
        if self.handed_out {
            self.handed_out = false;
            clear_and_shrink(&mut self.held);
        }
    }

    /// The next value that the chunk completes, from `*at` on; `None` when the chunk is used up.
    /// `base` is the offset of the chunk's first byte.
    pub(crate) fn next_frame<'f>(
        &'f mut self,
        chunk: &'f [u8],
        at: &mut usize,
        base: u64,
    ) -> Result<Option<JsonFrame<'f>>, ParseError> {
        self.release();
        while let (Bom::Matching(seen), Some(&byte)) = (self.bom, chunk.get(*at)) {
            if byte == BOM[seen] {
                *at += 1;
                self.bom = if seen + 1 == BOM.len() { Bom::Over } else { Bom::Matching(seen + 1) };
            } else if seen == 0 {
                self.bom = Bom::Over;
            } else {
                // Half a byte order mark is nothing that may stand before a value.
                let kind = ErrorKind::InvalidJson { expected: Expected::OpeningBracket, found: Some(BOM[0]) };
                return Err(ParseError::new(kind, 0));
            }
        }
        // Where this chunk's part of the value begins.
        let mut from = *at;
        if self.state == State::Between {
            while chunk.get(*at).copied().is_some_and(is_space) {
                *at += 1;
            }
            let Some(&byte) = chunk.get(*at) else { return Ok(None) };
            if byte != b'{' && byte != b'[' {
                let kind = ErrorKind::InvalidJson { expected: Expected::OpeningBracket, found: Some(byte) };
                return Err(ParseError::new(kind, base + *at as u64));
            }
            from = *at;
            self.start = base + from as u64;
            self.open.clear();
            self.state = State::Value;
        }
        // The scan stops before the first byte too many; a value that ends there is complete.
        let room = self.max_frame_bytes - self.held.len();
        let part = &chunk[from..chunk.len().min(from.saturating_add(room))];
        match self.scan(part, *at - from)? {
            Some(length) => {
                *at = from + length;
                self.state = State::Between;
                if self.held.is_empty() {
                    return Ok(Some(JsonFrame { bytes: &part[..length], offset: self.start }));
                }
                self.held.extend_from_slice(&part[..length]);
                self.handed_out = true;
                Ok(Some(JsonFrame { bytes: &self.held, offset: self.start }))
            }
            None if from + part.len() < chunk.len() => {
                let limit = self.max_frame_bytes;
                Err(ParseError::new(ErrorKind::FrameTooLarge { limit }, self.start + limit as u64))
            }
            None => {
                *at = chunk.len();
                self.held.extend_from_slice(part);
                Ok(None)
            }
        }
    }

    /// Goes on in the value from `at`; the length of `part` that ends the value, if it ends there.
    fn scan(&mut self, part: &[u8], mut at: usize) -> Result<Option<usize>, ParseError> {
        while at < part.len() {
            match self.state {
                State::String => match memchr2(b'"', b'\\', &part[at..]) {
                    Some(step) => {
                        self.state = if part[at + step] == b'"' { State::Value } else { State::Escape };
                        at += step + 1;
                    }
                    None => return Ok(None),
                },
                State::Escape => {
                    self.state = State::String;
                    at += 1;
                }
                State::Value | State::Between => {
                    let byte = part[at];
                    at += 1;
                    match byte {
                        b'"' => self.state = State::String,
                        b'{' | b'[' => {
                            if self.open.depth() == self.max_depth {
                                let offset = self.start + (self.held.len() + at - 1) as u64;
                                return Err(ParseError::new(
                                    ErrorKind::TooDeep { limit: self.max_depth },
                                    offset,
                                ));
                            }
                            self.open.push(byte == b'{');
                        }
                        b'}' | b']' => {
                            if self.open.in_object() != (byte == b'}') {
                                return Err(self.mismatch(&part[..at]));
                            }
                            self.open.pop();
                            if self.open.depth() == 0 {
                                return Ok(Some(at));
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(None)
    }

    /// A bracket closed what was not open: the first fault of the bytes so far, at the latest that bracket.
    fn mismatch(&mut self, part: &[u8]) -> ParseError {
        self.held.extend_from_slice(part);
        let frame = JsonFrame { bytes: &self.held, offset: self.start };
        let last = self.held.len() - 1;
        let fault = validate(&self.held, usize::MAX).err().unwrap_or(FrameError::json(
            Expected::Value,
            self.held.last().copied(),
            last,
        ));
        frame.error(fault)
    }

    /// The end of the stream.
    pub(crate) fn finish(&self) -> Result<(), Missing> {
        match (self.bom, self.state) {
            (Bom::Matching(1..), _) => Err(Missing::RestOfBom),
            (_, State::Between) => Ok(()),
            _ => Err(Missing::RestOfValue),
        }
    }
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
    examined: u64,
}

impl JsonStreamParser {
    /// A parser whose values may hold `max_frame_bytes` bytes and `max_depth` open containers.
    #[must_use]
    pub fn new(max_frame_bytes: usize, max_depth: usize) -> Self {
        Self { framer: JsonFramer::new(max_frame_bytes, max_depth), fed: 0, failed: None, examined: 0 }
    }

    /// Gives every value that `chunk` completes to `on_value`, in order, as the text received. After an error
    /// every later call returns the same error.
    pub fn feed_with(&mut self, chunk: &[u8], mut on_value: impl FnMut(&str)) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.examined += chunk.len() as u64;
        let mut at = 0;
        loop {
            let max_depth = self.framer.max_depth;
            let error = match self.framer.next_frame(chunk, &mut at, self.fed) {
                Ok(Some(frame)) => {
                    self.examined += 2 * frame.bytes.len() as u64;
                    match validate(frame.bytes, max_depth) {
                        Ok(text) => {
                            on_value(text);
                            continue;
                        }
                        Err(fault) => frame.error(fault),
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
            Ok(()) => Ok(()),
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
