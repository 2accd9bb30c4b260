//! What framing returns: one delimited frame, and where its bytes were in the stream.

use super::clear_and_shrink;
use super::event_id::IdRef;
use crate::span::FrameLayout;

/// One delimited frame, not validated, borrowed from the chunk or from its framer.
pub(crate) struct RawFrame<'f> {
    pub(crate) payload: &'f [u8],
    /// The SSE event's name, empty without one.
    pub(crate) name: &'f [u8],
    /// The last event ID.
    pub(crate) id: IdRef<'f>,
    /// The frame's own bytes, if it could become a template.
    pub(crate) layout: Option<FrameLayout<'f>>,
    pub(crate) origin: Origin<'f>,
}

/// What an SSE payload may be besides JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Only white space: the frame keeps the connection alive and is not an event.
    KeepAlive,
    /// `[DONE]`, with white space around it or without.
    Done,
}

impl RawFrame<'_> {
    /// The marker that the payload is, if it is one. In bare JSON the same bytes are an array, and a bad one.
    #[inline]
    pub(crate) fn marker(&self) -> Option<Marker> {
        const fn is_space(byte: u8) -> bool {
            matches!(byte, b' ' | b'\t' | b'\n')
        }
        // Almost every payload begins with a brace.
        if self.payload.first() == Some(&b'{') || !matches!(self.origin, Origin::Lines(_)) {
            return None;
        }
        let start = self.payload.iter().position(|&byte| !is_space(byte));
        let Some(start) = start else { return Some(Marker::KeepAlive) };
        let after = self.payload[start..].strip_prefix(b"[DONE]")?;
        after.iter().all(|&byte| is_space(byte)).then_some(Marker::Done)
    }

    /// Whether the payload is a line outside `data:`.
    pub(crate) const fn is_outside_data(&self) -> bool {
        matches!(self.origin, Origin::Outside(_))
    }
}

/// Where a payload comes from in the stream.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'f> {
    /// It lies together, from this offset on.
    Offset(u64),
    /// It was joined from data lines.
    Lines(&'f DataLines),
    /// It is a line, or the value of one, outside `data:`. It lies together, from this offset on.
    Outside(u64),
}

impl Origin<'_> {
    /// The absolute offset of a position in the payload.
    pub(crate) fn locate(self, position: usize) -> u64 {
        match self {
            Self::Offset(offset) | Self::Outside(offset) => offset + position as u64,
            Self::Lines(lines) => lines.locate(position),
        }
    }
}

/// Where one data line lies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DataLine {
    /// Offset of its value in the stream.
    pub(super) offset: u64,
    /// Offset of its first terminator byte.
    pub(super) terminator: u64,
}

/// Where the data lines of a frame lie, so that a position in the joined payload can be turned into an offset.
/// All but the last are deferred as two small numbers, the value's length and the bytes up to the next value: a frame
/// of many empty lines must not cost more memory than its bytes did.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataLines {
    pub(super) count: usize,
    first: u64,
    pub(super) last: DataLine,
    /// The numbers, seven bits a byte, the lowest first.
    before: Vec<u8>,
}

impl DataLines {
    pub(super) fn push(&mut self, line: DataLine) {
        if self.count == 0 {
            self.first = line.offset;
        } else {
            for mut number in [self.last.terminator - self.last.offset, line.offset - self.last.terminator] {
                while number >= 0x80 {
                    self.before.push((number & 0x7f) as u8 | 0x80);
                    number >>= 7;
                }
                self.before.push(number as u8);
            }
        }
        self.last = line;
        self.count += 1;
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
        clear_and_shrink(&mut self.before);
    }

    /// The absolute offset of a position in the joined payload. The LF that joins two lines is at the first one's
    /// terminator.
    fn locate(&self, position: usize) -> u64 {
        let mut numbers = self.before.iter();
        let mut number = || {
            let mut sum = 0;
            for (at, &byte) in numbers.by_ref().enumerate() {
                sum |= u64::from(byte & 0x7f) << (7 * at);
                if byte < 0x80 {
                    return Some(sum);
                }
            }
            None
        };
        let mut remaining = position as u64;
        let mut offset = self.first;
        while let (Some(length), Some(gap)) = (number(), number()) {
            if remaining <= length {
                return offset + remaining;
            }
            remaining -= length + 1;
            offset += length + gap;
        }
        (self.last.offset + remaining).min(self.last.terminator)
    }
}
