//! Server-sent events as WHATWG frames them, from bytes cut anywhere.
//!
//! Rules:
//! - a line ends at LF, CR or CRLF; a lone CR ends it at once, and an LF that follows, also in the next chunk,
//!   belongs to it;
//! - a byte order mark counts only at offset 0; it may be cut, and it is not part of the first line;
//! - a field's value loses one space after the colon, never more; a line that begins with a colon is a comment;
//! - an empty line dispatches: without a data line nothing happens but that the id becomes the last event id;
//! - limits are counted byte by byte: each line without its terminator, and the data values with their joining
//!   LFs. The fault is the first byte too many, whatever the chunk it came in;
//! - everything here is bytes: text is decoded by those who need text.
//!
//! A line that lies whole in the chunk is read in layout; only an unfinished tail is copied and deferred.

use std::borrow::Cow;

use memchr::memchr2;

use crate::error::{ErrorKind, Missing, ParseError};
use crate::template::FrameLayout;

/// The default limit of a frame, in bytes.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 16 << 20;

/// Most room that a buffer keeps when what it held is done with.
const MAX_RETAINED_CAPACITY: usize = 64 << 10;

/// Empties a buffer, and gives a large one's memory back: one huge frame must not cost its size for ever.
pub(crate) fn clear_and_shrink(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(MAX_RETAINED_CAPACITY);
}

pub(crate) const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How much of a byte order mark has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bom {
    /// So many of its bytes, all at the start of the stream.
    Matching(usize),
    /// It was skipped, or there is none.
    Over,
}

/// Where one data line lies.
#[derive(Clone, Copy, Debug, Default)]
struct DataLine {
    /// Offset of its value in the stream.
    offset: u64,
    /// Offset of its first terminator byte.
    terminator: u64,
}

/// Where the data lines of a frame lie, so that a position in the joined payload can be turned into an offset.
/// All but the last are deferred as two small numbers, the value's length and the bytes up to the next value: a frame
/// of many empty lines must not cost more memory than its bytes did.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataLines {
    count: usize,
    first: u64,
    last: DataLine,
    /// The numbers, seven bits a byte, the lowest first.
    before: Vec<u8>,
}

impl DataLines {
    fn push(&mut self, line: DataLine) {
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

    fn clear(&mut self) {
        self.count = 0;
        clear_and_shrink(&mut self.before);
    }

    /// The absolute offset of a position in the joined payload. A joining LF stands for its line's terminator.
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

/// One dispatched event, borrowed from the chunk or from the framer.
pub(crate) struct SseFrame<'f> {
    pub(crate) event: &'f [u8],
    pub(crate) data: &'f [u8],
    pub(crate) id: &'f [u8],
    lines: &'f DataLines,
    /// Where it lies, if it lies whole in the chunk, has one data line and at most one id, before the data: then
    /// it can become a template.
    pub(crate) layout: Option<FrameLayout>,
}

impl SseFrame<'_> {
    /// The absolute offset of a position in the joined payload.
    pub(crate) fn locate(&self, position: usize) -> u64 {
        self.lines.locate(position)
    }
}

/// The state that survives a chunk.
#[derive(Clone, Debug)]
pub(crate) struct SseFramer {
    max_frame_bytes: usize,
    bom: Bom,
    /// The last byte was a CR that ended a line: an LF right now belongs to it.
    after_cr: bool,
    /// The unfinished line, and the offset of its first byte.
    line: Vec<u8>,
    line_offset: u64,
    /// The data values so far, joined by LF. Empty while a single data line is still read in layout.
    data: Vec<u8>,
    /// The places of the data lines so far; if there is one, the frame will dispatch.
    lines: DataLines,
    /// Length of the joined data, also while it is read in layout.
    data_len: usize,
    event: Vec<u8>,
    /// The id as the last `id` field set it; it counts from the next empty line on.
    id: Vec<u8>,
    last_event_id: Vec<u8>,
    id_changed: bool,
    retry: Option<u64>,
    /// A field line came since the last empty line: the end of the stream here would be inside a frame.
    open: bool,
    /// The buffers hold a frame that was handed out and is forgotten when the next one is asked for.
    handed_out: bool,
}

/// What `next` found: a frame whose data lies in the chunk or in the framer's own buffer.
enum DataIn {
    Chunk(usize, usize),
    Own,
}

/// What one line meant.
enum Line {
    Blank,
    Comment,
    /// The value's position in the line.
    Data(usize),
    /// The same, of an id that counts.
    Id(usize),
    Other,
}

impl SseFramer {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self {
            max_frame_bytes,
            bom: Bom::Matching(0),
            after_cr: false,
            line: Vec::new(),
            line_offset: 0,
            data: Vec::new(),
            lines: DataLines::default(),
            data_len: 0,
            event: Vec::new(),
            id: Vec::new(),
            last_event_id: Vec::new(),
            id_changed: false,
            retry: None,
            open: false,
            handed_out: false,
        }
    }

    /// A framer that begins at `offset`, behind bytes which a dialect has looked at to find the framing: `line`
    /// is the unfinished line that they left.
    pub(crate) fn resume(max_frame_bytes: usize, line: Vec<u8>, offset: u64, after_cr: bool) -> Self {
        let mut framer = Self::new(max_frame_bytes);
        framer.bom = Bom::Over;
        framer.line_offset = offset - line.len() as u64;
        framer.line = line;
        framer.after_cr = after_cr;
        framer
    }

    pub(crate) fn last_event_id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.last_event_id)
    }

    pub(crate) const fn retry(&self) -> Option<u64> {
        self.retry
    }

    pub(crate) fn pending(&self) -> usize {
        let bom = match self.bom {
            Bom::Matching(seen) => seen,
            Bom::Over => 0,
        };
        let frame = if self.handed_out { 0 } else { self.data_len + self.event.len() };
        bom + self.line.len() + frame
    }

    /// The next frame that the chunk completes, from `*at` on; `None` when the chunk is used up.
    /// `base` is the offset of the chunk's first byte.
    pub(crate) fn next_frame<'f>(
        &'f mut self,
        chunk: &'f [u8],
        at: &mut usize,
        base: u64,
    ) -> Result<Option<SseFrame<'f>>, ParseError> {
        self.release();
        if let Bom::Matching(_) = self.bom {
            self.skip_bom(chunk, at);
            if let Bom::Matching(_) = self.bom {
                return Ok(None);
            }
        }
        // The frame's only data line, while it lies in this chunk and is not copied.
        let mut in_place: Option<(usize, usize)> = None;
        // Where the frame began, if it began in this chunk, and the value of its only id line.
        let mut began = self.is_between_frames().then_some(*at);
        let mut id_lines = 0;
        let mut id = None;
        loop {
            if self.after_cr && *at < chunk.len() {
                // This LF is the second half of a CRLF whose CR may have come in an earlier chunk.
                if chunk[*at] == b'\n' {
                    *at += 1;
                    if !self.open {
                        began = began.map(|_| *at);
                    }
                }
                self.after_cr = false;
            }
            let remaining = &chunk[*at..];
            let Some(length) = memchr2(b'\n', b'\r', remaining) else {
                self.hold_tail(remaining, base + *at as u64, in_place.map(|(from, to)| &chunk[from..to]))?;
                *at = chunk.len();
                return Ok(None);
            };
            let start = *at;
            let end = start + length;
            let terminator = base + end as u64;
            *at = end + 1;
            let meaning = if self.line.is_empty() {
                let line = &chunk[start..end];
                self.check_limit(line.len(), line, base + start as u64, true)?;
                let meaning = self.read_field(line);
                if let Line::Data(value) = meaning {
                    self.begin_data_line(base + (start + value) as u64, terminator);
                    if self.lines.count == 1 {
                        in_place = Some((start + value, end));
                    } else {
                        if let Some((from, to)) = in_place.take() {
                            self.data.extend_from_slice(&chunk[from..to]);
                        }
                        self.data.push(b'\n');
                        self.data.extend_from_slice(&chunk[start + value..end]);
                    }
                    self.data_len += line.len() - value;
                } else if let Line::Id(value) = meaning {
                    id_lines += 1;
                    // A line without a colon has no value that could differ in the next frame.
                    id = (value > 2).then_some((start + value, end));
                }
                meaning
            } else {
                self.finish_line(
                    &chunk[start..end],
                    in_place.take().map(|(from, to)| &chunk[from..to]),
                    terminator,
                )?
            };
            self.after_cr = chunk[end] == b'\r';
            if !matches!(meaning, Line::Blank) {
                continue;
            }
            self.commit_id();
            self.open = false;
            if self.lines.count == 0 {
                self.event.clear();
                (began, id_lines, id) = (Some(*at), 0, None);
                continue;
            }
            let data = in_place.map_or(DataIn::Own, |(from, to)| DataIn::Chunk(from, to));
            let layout = match (began, in_place) {
                (Some(from), Some((payload, _)))
                    if id_lines == 0 || (id_lines == 1 && id.is_some_and(|(_, end)| end < payload)) =>
                {
                    Some(FrameLayout { from, to: *at, payload, id })
                }
                _ => None,
            };
            let mut frame = self.dispatch(chunk, &data);
            frame.layout = layout;
            return Ok(Some(frame));
        }
    }

    /// Matches the byte order mark at the start of the stream. What turns out not to be one is line content.
    fn skip_bom(&mut self, chunk: &[u8], at: &mut usize) {
        while let (Bom::Matching(seen), Some(&byte)) = (self.bom, chunk.get(*at)) {
            if byte == BOM[seen] {
                *at += 1;
                self.bom = if seen + 1 == BOM.len() { Bom::Over } else { Bom::Matching(seen + 1) };
                self.line_offset = 3;
            } else {
                self.line.extend_from_slice(&BOM[..seen]);
                self.line_offset = 0;
                self.bom = Bom::Over;
            }
        }
    }

    /// The chunk ends inside a frame: what the frame needs later is copied now.
    fn hold_tail(
        &mut self,
        remaining: &[u8],
        offset: u64,
        in_place: Option<&[u8]>,
    ) -> Result<(), ParseError> {
        if let Some(data) = in_place {
            self.data.extend_from_slice(data);
        }
        if remaining.is_empty() {
            return Ok(());
        }
        if self.line.is_empty() {
            self.line_offset = offset;
        }
        // A line over the limit is not deferred beyond its first byte too many.
        let room = self.max_frame_bytes.saturating_add(1) - self.line.len();
        self.line.extend_from_slice(&remaining[..remaining.len().min(room)]);
        self.check_own_line(false)
    }

    /// The end of a line whose beginning came in earlier chunks.
    fn finish_line(
        &mut self,
        remaining: &[u8],
        in_place: Option<&[u8]>,
        terminator: u64,
    ) -> Result<Line, ParseError> {
        if let Some(data) = in_place {
            self.data.extend_from_slice(data);
        }
        let room = self.max_frame_bytes.saturating_add(1) - self.line.len();
        self.line.extend_from_slice(&remaining[..remaining.len().min(room)]);
        self.check_own_line(true)?;
        Ok(self.close_line(terminator))
    }

    fn check_own_line(&self, complete: bool) -> Result<(), ParseError> {
        self.check_limit(self.line.len(), &self.line, self.line_offset, complete)
    }

    /// Reads the deferred line, which is complete.
    fn close_line(&mut self, terminator: u64) -> Line {
        let line = std::mem::take(&mut self.line);
        let meaning = self.read_field(&line);
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
            // The LF that joins this value to the one before stands for that line's terminator, and is charged
            // when this line is known to be data: at its colon, or at its end.
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

    /// One complete line, as WHATWG interprets it. A data value is left to the caller, who knows where it lies.
    fn read_field(&mut self, line: &[u8]) -> Line {
        let Some(&first) = line.first() else { return Line::Blank };
        if first == b':' {
            return Line::Comment;
        }
        self.open = true;
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], colon + 1 + usize::from(line.get(colon + 1) == Some(&b' '))),
            None => (line, line.len()),
        };
        match name {
            b"data" => return Line::Data(value),
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
            b"retry" => {
                // ASCII digits only; a time beyond u64 is as good as for ever.
                let digits = &line[value..];
                if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                    let number = digits.iter().fold(0_u64, |sum, digit| {
                        sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                    });
                    self.retry = Some(number);
                }
            }
            _ => {}
        }
        Line::Other
    }

    fn commit_id(&mut self) {
        if self.id_changed {
            self.last_event_id.clone_from(&self.id);
            self.id_changed = false;
        }
    }

    /// Hands out the frame that an empty line ended. Its buffers are cleared when the next one begins.
    fn dispatch<'f>(&'f mut self, chunk: &'f [u8], layout: &DataIn) -> SseFrame<'f> {
        self.handed_out = true;
        let data = match *layout {
            DataIn::Chunk(from, to) => &chunk[from..to],
            DataIn::Own => &self.data,
        };
        SseFrame { event: &self.event, data, id: &self.last_event_id, lines: &self.lines, layout: None }
    }

    /// Whether a frame would begin at the next byte.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.bom == Bom::Over && !self.open && self.line.is_empty()
    }

    /// Goes to the first byte of the next frame; false inside one.
    #[inline]
    pub(crate) fn begin_frame(&mut self, chunk: &[u8], at: &mut usize) -> bool {
        if !self.is_between_frames() {
            return false;
        }
        if let (true, Some(&byte)) = (self.after_cr, chunk.get(*at)) {
            *at += usize::from(byte == b'\n');
            self.after_cr = false;
        }
        true
    }

    /// A template has read a whole frame, whose last byte is `last`; its id comes by
    /// [`set_last_event_id`](Self::set_last_event_id).
    #[inline]
    pub(crate) fn skip_frame(&mut self, last: Option<u8>) {
        self.release();
        self.after_cr = last == Some(b'\r');
    }

    /// A frame that a template has read had an id.
    pub(crate) fn set_last_event_id(&mut self, id: &[u8]) {
        self.last_event_id.clear();
        self.last_event_id.extend_from_slice(id);
    }

    pub(crate) fn last_event_id_bytes(&self) -> &[u8] {
        &self.last_event_id
    }

    /// Forgets the frame that was handed out.
    fn release(&mut self) {
        if self.handed_out {
            self.handed_out = false;
            clear_and_shrink(&mut self.data);
            self.lines.clear();
            self.data_len = 0;
            self.event.clear();
        }
    }

    /// The end of the stream, at `offset`. It ends an unterminated data line (rule 5); any other unterminated
    /// line of a frame means that the stream was cut. What a frame's data must be is for the dialect to say.
    pub(crate) fn finish(&mut self, offset: u64) -> Result<Option<SseFrame<'_>>, Missing> {
        self.release();
        if !self.line.is_empty() {
            let is_data = self.line.starts_with(b"data:") || self.line == b"data";
            let is_comment = self.line[0] == b':';
            if is_comment && !self.open {
                self.line.clear();
                return Ok(None);
            }
            if !is_data || self.check_own_line(true).is_err() {
                return Err(Missing::BlankLine);
            }
            self.close_line(offset);
        }
        if !self.open {
            return Ok(None);
        }
        if self.lines.count == 0 {
            return Err(Missing::BlankLine);
        }
        self.commit_id();
        self.open = false;
        Ok(Some(self.dispatch(&[], &DataIn::Own)))
    }
}

/// The id of a server-sent event: its bytes, and text for those who ask. Few do, and to check every id for it would
/// be a good part of what a predicted event costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventId<'a>(Cow<'a, [u8]>);

impl<'a> EventId<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }

    /// As received.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, with U+FFFD for what is ill-formed.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    pub(crate) fn into_owned(self) -> EventId<'static> {
        EventId(Cow::Owned(self.0.into_owned()))
    }
}

/// One server-sent event, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerSentEvent<'a> {
    /// The event's type, `message` where the stream names none.
    pub event: Cow<'a, str>,
    /// The data values, joined by LF.
    pub data: Cow<'a, str>,
    /// The last event id, `""` before the first.
    pub id: Cow<'a, str>,
}

impl ServerSentEvent<'_> {
    /// The same event, independent of the chunk and of the parser.
    #[must_use]
    pub fn into_owned(self) -> ServerSentEvent<'static> {
        ServerSentEvent {
            event: Cow::Owned(self.event.into_owned()),
            data: Cow::Owned(self.data.into_owned()),
            id: Cow::Owned(self.id.into_owned()),
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
/// assert_eq!((&*seen[0].data, &*seen[0].id), ("\u{ac00}", "7"));
/// # Ok::<(), hangang::ParseError>(())
/// ```
#[derive(Debug)]
pub struct SseParser {
    framer: SseFramer,
    fed: u64,
    failed: Option<ParseError>,
    examined: u64,
}

impl SseParser {
    /// A parser whose lines and data may hold at most `max_frame_bytes` bytes each.
    #[must_use]
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { framer: SseFramer::new(max_frame_bytes), fed: 0, failed: None, examined: 0 }
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
        let mut at = 0;
        self.examined += chunk.len() as u64;
        loop {
            match self.framer.next_frame(chunk, &mut at, self.fed) {
                Ok(Some(frame)) => {
                    self.examined += frame.data.len() as u64;
                    on_event(ServerSentEvent {
                        event: event_name(frame.event),
                        data: String::from_utf8_lossy(frame.data),
                        id: String::from_utf8_lossy(frame.id),
                    });
                }
                Ok(None) => break,
                Err(error) => {
                    self.failed = Some(error);
                    self.framer = SseFramer::new(0);
                    return Err(error);
                }
            }
        }
        self.fed += chunk.len() as u64;
        Ok(())
    }

    /// The end of the stream: WHATWG discards an unfinished event, so nothing comes out.
    pub fn close(&mut self) -> Result<(), ParseError> {
        self.failed.map_or(Ok(()), Err)
    }

    /// The id as the last empty line left it.
    #[must_use]
    pub fn last_event_id(&self) -> Cow<'_, str> {
        self.framer.last_event_id()
    }

    /// The reconnection time in milliseconds that the stream asked for.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.framer.retry()
    }

    /// Bytes held of an unfinished frame.
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

pub(crate) fn event_name(name: &[u8]) -> Cow<'_, str> {
    if name.is_empty() { Cow::Borrowed("message") } else { String::from_utf8_lossy(name) }
}
