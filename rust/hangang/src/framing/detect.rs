//! SSE or bare JSON: decided by the first byte after an optional byte order mark and white space.
//!
//! `{` means bare JSON, any other byte SSE from offset 0. Where the first byte must be plausible (EXAONE), one that is
//! not `{`, a colon or an ASCII letter is an error.
//!
//! The detector is pure: it looks at bytes and returns what it found; the parser builds the framer. White space is
//! counted, not kept: if the stream is SSE, it began the first line, and [`Lead`] has what the framer needs of it.
//!
//! What will bite: the white space of one long line may pass the limit of a line. That is an error only if the stream
//! turns out to be SSE, and it is at the byte that passed the limit, not at the one that decided.

use super::bom::{Bom, BomState};
use crate::error::{ErrorKind, Expected, ParseError};
use crate::json::is_space;

/// What a detector needs to know of the parser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_frame_bytes: usize,
    /// Whether the first byte must be `{`, a colon or an ASCII letter.
    pub(crate) strict_first_byte: bool,
}

/// The beginning of the first SSE line, which the detector has read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) line: Vec<u8>,
    /// The byte before was a CR: an LF now belongs to it.
    pub(crate) after_cr: bool,
}

/// What a detector found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    /// The chunk has only white space or part of a byte order mark.
    Incomplete,
    /// SSE, which continues at the position.
    Sse(Lead),
    /// Bare JSON, which begins at the position.
    Json,
    /// Neither.
    Invalid(ParseError),
}

/// Looks for the first byte that tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detector {
    bom: Bom,
    /// Bytes of white space in the current line.
    line: usize,
    after_cr: bool,
    /// Offset of the first byte at which such a line passed the limit.
    over_limit: Option<u64>,
}

impl Detector {
    pub(crate) const fn new() -> Self {
        Self { bom: Bom::START, line: 0, after_cr: false, over_limit: None }
    }

    /// Bytes held of a byte order mark that is not complete.
    pub(crate) const fn held(self) -> usize {
        self.bom.held()
    }

    /// Looks at the chunk from `position` on; `base` is the offset of its first byte.
    pub(crate) fn feed(&mut self, chunk: &[u8], position: &mut usize, base: u64, rules: Rules) -> Detected {
        match self.bom.skip(chunk, position) {
            BomState::Incomplete => return Detected::Incomplete,
            BomState::NotABom(taken) if rules.strict_first_byte => return first_byte(taken[0], 0),
            // These bytes begin the first line.
            BomState::NotABom(taken) => return Detected::Sse(Lead { line: taken.to_vec(), after_cr: false }),
            BomState::Done => {}
        }
        while let Some(&byte) = chunk.get(*position) {
            let offset = base + *position as u64;
            if !is_space(byte) {
                return self.decide(byte, offset, rules);
            }
            self.count(byte, offset, rules.max_frame_bytes);
            *position += 1;
        }
        Detected::Incomplete
    }

    fn count(&mut self, byte: u8, offset: u64, limit: usize) {
        match byte {
            b'\n' if self.after_cr => {}
            b'\n' | b'\r' => self.line = 0,
            _ => {
                self.line += 1;
                if self.line > limit && self.over_limit.is_none() {
                    self.over_limit = Some(offset);
                }
            }
        }
        self.after_cr = byte == b'\r';
    }

    fn decide(&self, byte: u8, offset: u64, rules: Rules) -> Detected {
        if byte == b'{' {
            return Detected::Json;
        }
        if rules.strict_first_byte && byte != b':' && !byte.is_ascii_alphabetic() {
            return first_byte(byte, offset);
        }
        if let Some(offset) = self.over_limit {
            let limit = rules.max_frame_bytes;
            return Detected::Invalid(ParseError::new(ErrorKind::FrameTooLarge { limit }, offset));
        }
        Detected::Sse(Lead { line: vec![b' '; self.line], after_cr: self.after_cr })
    }
}

fn first_byte(found: u8, offset: u64) -> Detected {
    let kind = ErrorKind::InvalidJson { expected: Expected::FirstByte, found: Some(found) };
    Detected::Invalid(ParseError::new(kind, offset))
}
