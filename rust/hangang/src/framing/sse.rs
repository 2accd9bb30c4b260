//! Server-sent events as WHATWG frames them, from bytes split at arbitrary points.
//!
//! Always true:
//! - a byte order mark counts only at offset 0, and is not part of the first line;
//! - a field's value loses one space after the colon, never more; a line that begins with a colon is a comment;
//! - a blank line dispatches. Without a data line it only makes the last `id` field the last event ID;
//! - limits are counted byte by byte: each line without its terminator, and the data values with their joining LFs. The
//!   error is at the first byte too many, whatever chunk it is in;
//! - everything here is bytes. Text is decoded by the layers that need text.
//!
//! A line that lies whole in the chunk is read in place; only an unfinished tail is copied and kept.
//!
//! What will bite:
//! - a CR ends a line at once, but it may be half of a CRLF whose LF is in the next chunk ([`LineState::AfterCr`]);
//! - an empty line of a chunk is a blank line only if nothing of it was in an earlier chunk;
//! - a frame's buffers outlive the call that returned it, as the frame borrows them. They are cleared by the next call
//!   ([`FrameState::HandedOut`]);
//! - servers write errors as bare JSON lines, or under a field `error`. For dialects such a line is a frame of its own,
//!   returned at its line end, before the data lines around it, which stay as they were ([`SseFramer::outside_frame`]).
//!   Whether it is an object only the dialect finds out; if not, the parser tells the framer, and the line is a field like
//!   any unknown one ([`SseFramer::reject_outside`]);
//! - the LF that joins two data lines has no byte of its own in the stream: it is the terminator of the line before, and
//!   charged when the line after turns out to be a data line ([`SseFramer::check_limit`]).

use std::borrow::Cow;

use memchr::memchr2;

use super::bom::{Bom, BomState};
use super::clear_and_shrink;
use super::detect::Lead;
use super::event_id::{EventId, IdRef, SharedId};
use super::frame::{DataLine, DataLines, Origin, RawFrame};
use crate::error::{ErrorKind, Missing, ParseError};
use crate::span::{FrameLayout, Span};

/// The default limit of a frame, in bytes.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 16 << 20;

/// Where the next byte is in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineState {
    /// At the start of a line.
    Start,
    /// The same, after a CR: an LF right now is the second half of that line's terminator.
    AfterCr,
    /// In a line whose beginning is held in `line`.
    Inside,
}

/// Where the next line is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameState {
    /// No field since the last blank line.
    Between,
    /// A field was read: the end of the stream here would be inside a frame.
    Open,
}

/// What the caller still borrows; the next call clears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandedOut {
    Nothing,
    /// The frame in the buffers. The state is between frames.
    Frame,
    /// The held line, a frame of its own.
    Line,
}

/// What one line means.
enum Line {
    Blank,
    Comment,
    /// The value's position in the line.
    Data(usize),
    /// The same, of an id without a NUL.
    Id(usize),
    /// The same, of what could be a frame of its own: `{…` or `error: {…`.
    Outside(usize),
    Other,
}

/// Whether the frame in this chunk could become a template: it lies whole in the chunk, and has one data line and at
/// most one id, before the data.
#[derive(Clone, Copy, Default)]
struct Eligibility {
    /// Where the frame began, if it began in this chunk.
    began: Option<usize>,
    id_lines: usize,
    /// The value of its only id line. A line without a colon has no value that could differ in the next frame.
    id: Option<Span>,
}

impl Eligibility {
    const fn begin(position: usize) -> Self {
        Self { began: Some(position), id_lines: 0, id: None }
    }

    fn layout<'f>(&self, chunk: &'f [u8], end: usize, payload: Span) -> Option<FrameLayout<'f>> {
        let began = self.began?;
        let has_one_id = self.id_lines == 1 && self.id.is_some_and(|id| id.end < payload.start);
        (self.id_lines == 0 || has_one_id).then(|| FrameLayout {
            bytes: &chunk[began..end],
            payload: payload.start - began,
            id: self.id.map(|id| id.relative_to(began)),
        })
    }
}

/// The state that survives a chunk.
#[derive(Clone, Debug)]
pub(crate) struct SseFramer {
    max_frame_bytes: usize,
    bom: Bom,
    line_state: LineState,
    frame_state: FrameState,
    handed_out: HandedOut,
    /// Whether lines outside `data:` may be frames: for dialects only.
    takes_outside: bool,
    /// The unfinished line, and the offset of its first byte.
    line: Vec<u8>,
    line_offset: u64,
    /// The data values so far, joined by LF. Empty while a single data line is still read in place.
    data: Vec<u8>,
    /// Where the data lines so far lie; if there is one, the frame will dispatch.
    lines: DataLines,
    /// Length of the joined data, also while it is read in place.
    data_len: usize,
    event: Vec<u8>,
    /// Value of the most recent `id` field. It becomes the last event ID at the next blank line.
    id: Vec<u8>,
    last_event_id: SharedId,
    /// An `id` field was read since the last blank line.
    id_changed: bool,
    retry: Option<u64>,
    /// A line that is neither data nor a comment had more than white space in it.
    came: bool,
}

impl SseFramer {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self {
            max_frame_bytes,
            bom: Bom::START,
            line_state: LineState::Start,
            frame_state: FrameState::Between,
            handed_out: HandedOut::Nothing,
            takes_outside: false,
            line: Vec::new(),
            line_offset: 0,
            data: Vec::new(),
            lines: DataLines::default(),
            data_len: 0,
            event: Vec::new(),
            id: Vec::new(),
            last_event_id: SharedId::default(),
            id_changed: false,
            retry: None,
            came: false,
        }
    }

    /// A dialect's framer, which begins at `offset`, after bytes that the detector has read.
    pub(crate) fn resume(max_frame_bytes: usize, lead: Lead, offset: u64) -> Self {
        let mut framer = Self::new(max_frame_bytes);
        framer.bom = Bom::DONE;
        framer.takes_outside = true;
        if lead.after_cr {
            framer.line_state = LineState::AfterCr;
        } else if !lead.line.is_empty() {
            framer.line_state = LineState::Inside;
        }
        framer.line_offset = offset - lead.line.len() as u64;
        framer.line = lead.line;
        framer
    }

    pub(crate) const fn last_event_id(&self) -> IdRef<'_> {
        self.last_event_id.id()
    }

    pub(crate) const fn retry(&self) -> Option<u64> {
        self.retry
    }

    pub(crate) fn pending(&self) -> usize {
        let line = if self.line_state == LineState::Inside { self.line.len() } else { 0 };
        let frame = match self.handed_out {
            HandedOut::Frame => 0,
            HandedOut::Nothing | HandedOut::Line => self.data_len + self.event.len(),
        };
        self.bom.held() + line + frame
    }

    /// The next frame that the chunk completes, from `position` on; `None` when the chunk is used up.
    /// `base` is the offset of the chunk's first byte.
    pub(crate) fn next_frame<'f>(
        &'f mut self,
        chunk: &'f [u8],
        position: &mut usize,
        base: u64,
    ) -> Result<Option<RawFrame<'f>>, ParseError> {
        self.release();
        if !self.bom.is_done() && !self.skip_bom(chunk, position) {
            return Ok(None);
        }
        // The frame's only data line, while it lies in this chunk and is not copied.
        let mut in_place: Option<Span> = None;
        let mut eligibility =
            if self.is_between_frames() { Eligibility::begin(*position) } else { Eligibility::default() };
        loop {
            if self.skip_lf(chunk, position) && self.frame_state != FrameState::Open {
                eligibility.began = eligibility.began.map(|_| *position);
            }
            let Some(line) = next_line(chunk, position) else {
                let tail = &chunk[*position..];
                let offset = base + *position as u64;
                self.hold_tail(tail, offset, in_place.map(|data| data.of(chunk)))?;
                *position = chunk.len();
                return Ok(None);
            };
            let is_held = self.line_state == LineState::Inside;
            let meaning = self.on_line(chunk, line, base, &mut in_place, &mut eligibility)?;
            self.line_state = if chunk[line.end] == b'\r' { LineState::AfterCr } else { LineState::Start };
            match meaning {
                Line::Blank => {}
                Line::Outside(value) => {
                    self.copy_in_place(in_place.map(|data| data.of(chunk)));
                    let line = (!is_held).then(|| line.of(chunk));
                    return Ok(Some(self.outside_frame(line, value, base + *position as u64)));
                }
                Line::Comment | Line::Data(_) | Line::Id(_) | Line::Other => continue,
            }
            if !self.on_blank_line() {
                eligibility = Eligibility::begin(*position);
                continue;
            }
            let layout = in_place.and_then(|data| eligibility.layout(chunk, *position, data));
            return Ok(Some(self.dispatch(chunk, in_place, layout)));
        }
    }

    /// Goes past the byte order mark; false when the chunk ends before it is decided whether there is one. What turns
    /// out not to be one begins the first line.
    fn skip_bom(&mut self, chunk: &[u8], position: &mut usize) -> bool {
        match self.bom.skip(chunk, position) {
            BomState::Incomplete => false,
            BomState::Done => true,
            BomState::NotABom(taken) => {
                self.line.extend_from_slice(taken);
                self.line_state = LineState::Inside;
                true
            }
        }
    }

    /// Goes past the LF of a CRLF whose CR, perhaps in an earlier chunk, has ended its line already.
    #[inline]
    fn skip_lf(&mut self, chunk: &[u8], position: &mut usize) -> bool {
        if self.line_state != LineState::AfterCr {
            return false;
        }
        let Some(&byte) = chunk.get(*position) else { return false };
        self.line_state = LineState::Start;
        *position += usize::from(byte == b'\n');
        byte == b'\n'
    }

    /// Reads one complete line, whose last part is in the chunk.
    fn on_line(
        &mut self,
        chunk: &[u8],
        line: Span,
        base: u64,
        in_place: &mut Option<Span>,
        eligibility: &mut Eligibility,
    ) -> Result<Line, ParseError> {
        let terminator = base + line.end as u64;
        if self.line_state == LineState::Inside {
            self.copy_in_place(in_place.take().map(|data| data.of(chunk)));
            return self.finish_line(line.of(chunk), terminator);
        }
        let bytes = line.of(chunk);
        self.check_limit(bytes.len(), bytes, base + line.start as u64, true)?;
        let meaning = self.read_field(bytes);
        match meaning {
            Line::Data(value) => {
                let data = Span::new(line.start + value, line.end);
                self.begin_data_line(base + data.start as u64, terminator);
                if self.lines.count == 1 {
                    *in_place = Some(data);
                } else {
                    self.copy_in_place(in_place.take().map(|data| data.of(chunk)));
                    self.data.push(b'\n');
                    self.data.extend_from_slice(data.of(chunk));
                }
                self.data_len += data.len();
            }
            Line::Id(value) => {
                eligibility.id_lines += 1;
                eligibility.id = (value > 2).then_some(Span::new(line.start + value, line.end));
            }
            Line::Blank | Line::Comment | Line::Outside(_) | Line::Other => {}
        }
        Ok(meaning)
    }

    #[inline]
    fn copy_in_place(&mut self, data: Option<&[u8]>) {
        if let Some(data) = data {
            self.data.extend_from_slice(data);
        }
    }

    /// The chunk ends inside a frame: what the frame needs later is copied now.
    fn hold_tail(&mut self, tail: &[u8], offset: u64, in_place: Option<&[u8]>) -> Result<(), ParseError> {
        self.copy_in_place(in_place);
        if tail.is_empty() {
            return Ok(());
        }
        if self.line_state != LineState::Inside {
            self.line_state = LineState::Inside;
            self.line_offset = offset;
        }
        self.extend_line(tail);
        self.check_held_line(false)
    }

    /// Buffers at most one byte past the limit; that is enough to report the overflow.
    #[inline]
    fn extend_line(&mut self, bytes: &[u8]) {
        let room = self.max_frame_bytes.saturating_add(1) - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The end of a line whose beginning is held.
    #[inline(never)]
    fn finish_line(&mut self, end: &[u8], terminator: u64) -> Result<Line, ParseError> {
        self.extend_line(end);
        self.check_held_line(true)?;
        Ok(self.read_held_line(terminator))
    }

    fn check_held_line(&self, complete: bool) -> Result<(), ParseError> {
        self.check_limit(self.line.len(), &self.line, self.line_offset, complete)
    }

    /// Reads the held line, which is complete.
    fn read_held_line(&mut self, terminator: u64) -> Line {
        let line = std::mem::take(&mut self.line);
        let meaning = self.read_field(&line);
        if let Line::Outside(_) = meaning {
            self.line = line;
            return meaning;
        }
        if let Line::Data(value) = meaning {
            self.begin_data_line(self.line_offset + value as u64, terminator);
            if self.lines.count > 1 {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(&line[value..]);
            self.data_len += line.len() - value;
        }
        self.line = line;
        clear_and_shrink(&mut self.line);
        meaning
    }

    fn begin_data_line(&mut self, offset: u64, terminator: u64) {
        if self.lines.count != 0 {
            self.data_len += 1;
        }
        self.lines.push(DataLine { offset, terminator });
    }

    /// Counts a line, whole or unfinished, against the limit. The offset is that of the first byte too many.
    fn check_limit(&self, length: usize, line: &[u8], offset: u64, complete: bool) -> Result<(), ParseError> {
        let limit = self.max_frame_bytes;
        if length <= limit && self.data_len + length < limit {
            return Ok(());
        }
        // Positions in the line, in the order in which a byte-wise reader meets them.
        let mut first: Option<(usize, u64)> = (length > limit).then(|| (limit, offset + limit as u64));
        let mut meet = |position: usize, at: u64| {
            if first.is_none_or(|(earlier, _)| position < earlier) {
                first = Some((position, at));
            }
        };
        let joined = usize::from(self.lines.count != 0);
        let has_colon = line.starts_with(b"data:");
        if has_colon || (complete && line == b"data") {
            // The LF that joins this value to the one before is that line's terminator. It is charged when this
            // line is known to be data: at its colon, or at its end.
            if joined == 1 && self.data_len + joined > limit {
                meet(4, self.lines.last.terminator);
            } else if has_colon {
                let value = 5 + usize::from(line.get(5) == Some(&b' '));
                let room = limit - self.data_len - joined;
                if length > value + room {
                    meet(value + room, offset + (value + room) as u64);
                }
            }
        }
        match first {
            Some((_, at)) => Err(ParseError::new(ErrorKind::FrameTooLarge { limit }, at)),
            None => Ok(()),
        }
    }

    /// One complete line, as WHATWG interprets it. A data value is left to the caller, which has its position.
    fn read_field(&mut self, line: &[u8]) -> Line {
        let Some(&first) = line.first() else { return Line::Blank };
        if first == b':' {
            return Line::Comment;
        }
        if first == b'{' && self.takes_outside {
            return Line::Outside(0);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], colon + 1 + usize::from(line.get(colon + 1) == Some(&b' '))),
            None => (line, line.len()),
        };
        if name == b"data" {
            self.frame_state = FrameState::Open;
            return Line::Data(value);
        }
        if name == b"error" && line.get(value) == Some(&b'{') && self.takes_outside {
            return Line::Outside(value);
        }
        self.frame_state = FrameState::Open;
        self.came = self.came || !is_blank(line);
        match name {
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(&line[value..]);
            }
            b"id" if !line[value..].contains(&0) => {
                self.id.clear();
                self.id.extend_from_slice(&line[value..]);
                self.id_changed = true;
                return Line::Id(value);
            }
            b"retry" => self.retry = read_retry(&line[value..]).or(self.retry),
            _ => {}
        }
        Line::Other
    }

    /// A blank line: commits the id. True if there is a frame to dispatch.
    fn on_blank_line(&mut self) -> bool {
        if self.id_changed {
            self.last_event_id.set(&self.id);
            self.id_changed = false;
        }
        self.frame_state = FrameState::Between;
        if self.lines.count == 0 {
            self.event.clear();
        }
        self.lines.count != 0
    }

    /// Returns the frame that a blank line ended: its data is `in_place`, or in the framer's buffer.
    fn dispatch<'f>(
        &'f mut self,
        chunk: &'f [u8],
        in_place: Option<Span>,
        layout: Option<FrameLayout<'f>>,
    ) -> RawFrame<'f> {
        self.handed_out = HandedOut::Frame;
        RawFrame {
            payload: in_place.map_or(&self.data, |data| data.of(chunk)),
            name: &self.event,
            id: self.last_event_id(),
            layout,
            origin: Origin::Lines(&self.lines),
        }
    }

    /// Returns a line outside `data:`, in the chunk or the held one, from `value` on. `next` is the offset after its
    /// terminator. The frame around it is neither opened nor closed, and its parts are in the buffers.
    fn outside_frame<'f>(&'f mut self, line: Option<&'f [u8]>, value: usize, next: u64) -> RawFrame<'f> {
        let offset = match line {
            Some(line) => next - 1 - line.len() as u64,
            None => self.line_offset,
        };
        if line.is_none() {
            self.handed_out = HandedOut::Line;
        }
        RawFrame {
            payload: &line.unwrap_or(&self.line)[value..],
            // A line without a field name has no event name.
            name: if value == 0 { b"" } else { b"error" },
            id: self.last_event_id(),
            layout: None,
            origin: Origin::Outside(offset + value as u64),
        }
    }

    /// The unterminated last line, if it could be a frame of its own. It stays held until
    /// [`drop_line`](Self::drop_line).
    pub(crate) fn held_outside(&self) -> Option<RawFrame<'_>> {
        if self.line_state != LineState::Inside || !self.takes_outside {
            return None;
        }
        let value = if self.line.starts_with(b"error:") {
            6 + usize::from(self.line.get(6) == Some(&b' '))
        } else {
            0
        };
        (self.line.get(value) == Some(&b'{')).then(|| RawFrame {
            payload: &self.line[value..],
            name: if value == 0 { b"" } else { b"error" },
            id: self.last_event_id(),
            layout: None,
            origin: Origin::Outside(self.line_offset + value as u64),
        })
    }

    /// The held line was a frame of its own.
    pub(crate) fn drop_line(&mut self) {
        clear_and_shrink(&mut self.line);
        self.line_state = LineState::Start;
    }

    /// The line that was returned as a frame of its own is not an object: it is an unknown field, which opens a frame.
    pub(crate) fn reject_outside(&mut self) {
        self.frame_state = FrameState::Open;
        self.came = true;
    }

    /// Whether the stream had anything besides comments, data and white space.
    pub(crate) fn came(&self) -> bool {
        let is_data = self.line.starts_with(b"data:") || self.line == b"data";
        let is_held = self.line_state == LineState::Inside;
        self.came || (is_held && !is_data && !self.line.starts_with(b":") && !is_blank(&self.line))
    }

    /// Whether the end of the stream here would be inside a frame: after a data line, or in a line that is a known field
    /// or could become one.
    pub(crate) fn ends_inside(&self) -> bool {
        const STARTS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
        let line = &self.line[..];
        let has_data = self.lines.count > 0 && self.handed_out != HandedOut::Frame;
        has_data
            || (self.line_state == LineState::Inside
                && STARTS.iter().any(|start| line.starts_with(start) || start.starts_with(line)))
    }

    /// Drops everything but what a caller may still ask for after an error.
    pub(crate) fn poison(&mut self) {
        let last_event_id = std::mem::take(&mut self.last_event_id);
        *self = Self { last_event_id, retry: self.retry, ..Self::new(0) };
    }

    /// Whether a frame would begin at the next byte. Not asked before the byte order mark is decided.
    fn is_between_frames(&self) -> bool {
        self.frame_state != FrameState::Open && self.line_state != LineState::Inside
    }

    /// Goes to the first byte of the next frame; false inside one.
    #[inline]
    pub(crate) fn begin_frame(&mut self, chunk: &[u8], position: &mut usize) -> bool {
        if !self.is_between_frames() {
            return false;
        }
        self.skip_lf(chunk, position);
        true
    }

    /// A template has read a whole frame, whose last byte is `last`; its id is set by
    /// [`set_last_event_id`](Self::set_last_event_id).
    #[inline]
    pub(crate) fn skip_frame(&mut self, last: Option<u8>) {
        self.release();
        self.line_state = if last == Some(b'\r') { LineState::AfterCr } else { LineState::Start };
    }

    /// A frame that a template has read had an id.
    pub(crate) fn set_last_event_id(&mut self, id: &[u8]) {
        self.last_event_id.set(id);
    }

    /// Forgets the frame that was handed out.
    #[inline]
    fn release(&mut self) {
        match self.handed_out {
            HandedOut::Nothing => return,
            HandedOut::Line => clear_and_shrink(&mut self.line),
            HandedOut::Frame => {
                clear_and_shrink(&mut self.data);
                self.lines.clear();
                self.data_len = 0;
                self.event.clear();
            }
        }
        self.handed_out = HandedOut::Nothing;
    }

    /// The end of the stream, at `offset`. It ends an unterminated data line ([design §4] rule 5); any other
    /// unterminated line of a frame means that the stream was cut. What the frame's data must be is for the parser to
    /// say.
    pub(crate) fn finish(&mut self, offset: u64) -> Result<Option<RawFrame<'_>>, Missing> {
        self.release();
        if self.line_state == LineState::Inside {
            let is_data = self.line.starts_with(b"data:") || self.line == b"data";
            let is_comment = self.line.starts_with(b":");
            if is_comment && self.frame_state != FrameState::Open {
                self.line.clear();
                self.line_state = LineState::Start;
                return Ok(None);
            }
            if !is_data || self.check_held_line(true).is_err() {
                return Err(Missing::BlankLine);
            }
            self.read_held_line(offset);
            self.line_state = LineState::Start;
        }
        if self.frame_state != FrameState::Open {
            return Ok(None);
        }
        if !self.on_blank_line() {
            return Err(Missing::BlankLine);
        }
        Ok(Some(self.dispatch(&[], None, None)))
    }
}

/// The next line that ends in the chunk, without its terminator; the position goes to the byte after that.
#[inline]
fn next_line(chunk: &[u8], position: &mut usize) -> Option<Span> {
    let start = *position;
    let length = memchr2(b'\n', b'\r', &chunk[start..])?;
    *position = start + length + 1;
    Some(Span::new(start, start + length))
}

/// Whether a line has only white space.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// ASCII digits only. A time beyond u64 saturates.
fn read_retry(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

/// One server-sent event, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerSentEvent<'a> {
    /// The event's type, `message` where the stream names none.
    pub event: Cow<'a, str>,
    /// The data values, joined by LF.
    pub data: Cow<'a, str>,
    /// The last event ID, empty before the first.
    pub id: EventId<'a>,
}

impl ServerSentEvent<'_> {
    /// The same event, independent of the chunk and of the parser.
    #[must_use]
    pub fn into_owned(self) -> ServerSentEvent<'static> {
        ServerSentEvent {
            event: Cow::Owned(self.event.into_owned()),
            data: Cow::Owned(self.data.into_owned()),
            id: self.id.into_owned(),
        }
    }
}

/// Bytes to server-sent events. Ill-formed UTF-8 is replaced by U+FFFD, as WHATWG has it.
///
/// ```
/// let mut parser = hangang::SseParser::new(hangang::DEFAULT_MAX_FRAME_BYTES);
/// let mut seen = Vec::new();
/// for chunk in [&b"id: 7\ndata: \xea\xb0"[..], b"\x80\n\n"] {
///     parser.feed_with(chunk, |event| seen.push(event.into_owned()))?;
/// }
/// assert_eq!((&*seen[0].data, &*seen[0].id.text()), ("\u{ac00}", "7"));
/// # Ok::<(), hangang::ParseError>(())
/// ```
#[derive(Debug)]
pub struct SseParser {
    framer: SseFramer,
    fed: u64,
    failed: Option<ParseError>,
    closed: bool,
    examined: u64,
}

impl SseParser {
    /// A parser whose lines and data may hold at most `max_frame_bytes` bytes each.
    #[must_use]
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { framer: SseFramer::new(max_frame_bytes), fed: 0, failed: None, closed: false, examined: 0 }
    }

    /// Gives every event that `chunk` completes to `on_event`, in order. After an error every later call
    /// returns the same error.
    pub fn feed_with(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(ServerSentEvent<'_>),
    ) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.closed {
            return Err(ParseError::new(ErrorKind::Closed, self.fed));
        }
        let mut position = 0;
        self.examined += chunk.len() as u64;
        loop {
            match self.framer.next_frame(chunk, &mut position, self.fed) {
                Ok(Some(frame)) => {
                    self.examined += frame.payload.len() as u64;
                    on_event(ServerSentEvent {
                        event: event_name(frame.name),
                        data: String::from_utf8_lossy(frame.payload),
                        id: frame.id.into(),
                    });
                }
                Ok(None) => break,
                Err(error) => {
                    self.failed = Some(error);
                    self.framer.poison();
                    return Err(error);
                }
            }
        }
        self.fed += chunk.len() as u64;
        Ok(())
    }

    /// The end of the stream: WHATWG discards an unfinished event, so there are no events.
    pub fn close(&mut self) -> Result<(), ParseError> {
        self.closed = self.failed.is_none();
        self.failed.map_or(Ok(()), Err)
    }

    /// The last event ID, as the last blank line set it.
    #[must_use]
    pub fn last_event_id(&self) -> EventId<'_> {
        self.framer.last_event_id().into()
    }

    /// The reconnection time in milliseconds that the stream asked for.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.framer.retry()
    }

    /// Bytes held of an unfinished frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        if self.closed { 0 } else { self.framer.pending() }
    }

    /// Bytes examined so far, every pass over a byte counted: a debug counter for the law of linear time.
    #[must_use]
    pub const fn examined(&self) -> u64 {
        self.examined
    }
}

pub(crate) fn event_name(name: &[u8]) -> Cow<'_, str> {
    if name.is_empty() { Cow::Borrowed("message") } else { String::from_utf8_lossy(name) }
}
