//! One parser for all dialects: it detects the framing, drives the framer, predicts or decodes frames, and decides in
//! `close` whether the stream has ended or was cut.
//!
//! How one chunk travels: `feed` -> `advance` -> frames that a template fits are `predict`ed; the next one is parsed in
//! full (`parse_frame`: framer -> dialect -> `deliver`) and may become a template; and so on to the end of the chunk. A
//! frame that the end cuts is tracked (`InFlight`) if a template fits it, else held by its framer.
//!
//! Always true ([design §4], the rules of error):
//! - a frame is validated once, after its last byte; events that were complete before an error are delivered;
//! - in `report` mode a delimited bad frame becomes an event and the stream continues. Limits, garbage between values
//!   and truncation stay fatal;
//! - at the end, an SSE frame without its blank line counts if it is one JSON object or `[DONE]`. Then the dialect tells
//!   whether the stream had ended;
//! - after an error every call returns the same error. After `close`, `feed` fails with [`ErrorKind::Closed`].
//!
//! What will bite:
//! - `fed` is the offset of the current chunk. [`StreamParser::fall_back`] parses bytes of earlier chunks and must set it
//!   back for that time;
//! - a frame in flight has not reached its framer, which is still at the frame's first byte;
//! - `[DONE]` is an end marker in SSE only: in bare JSON the same bytes are a bad array.

use std::borrow::Cow;

use crate::dialect::{Decoded, Deferred, Dialect, Errors, Frame, Malformed, Options, StreamEvent};
use crate::error::{ErrorKind, FrameError, Missing, ParseError};
use crate::framing::detect::{Detected, Detector, Rules};
use crate::framing::event_id::IdRef;
use crate::framing::frame::{Marker, RawFrame};
use crate::framing::json_stream::JsonFramer;
use crate::framing::sse::SseFramer;
use crate::json::{is_space, validate};
use crate::predict::in_flight::{InFlight, Step};
use crate::predict::template::Templates;
use crate::service::{Look, WINDOW};

#[derive(Debug)]
enum Framing {
    Unknown(Detector),
    Sse(SseFramer),
    Json(JsonFramer),
}

impl Framing {
    /// Goes to the first byte of the next frame; false inside one.
    #[inline]
    fn begin_frame(&mut self, chunk: &[u8], position: &mut usize) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Sse(framer) => framer.begin_frame(chunk, position),
            Self::Json(framer) => framer.begin_frame(chunk, position),
        }
    }

    #[inline]
    fn next_frame<'f>(
        &'f mut self,
        chunk: &'f [u8],
        position: &mut usize,
        base: u64,
    ) -> Result<Option<RawFrame<'f>>, ParseError> {
        match self {
            Self::Unknown(_) => Ok(None),
            Self::Sse(framer) => framer.next_frame(chunk, position, base),
            Self::Json(framer) => framer.next_frame(chunk, position, base),
        }
    }

    /// The end of the stream: the last frame, if the end of the stream ended one.
    fn finish(&mut self, offset: u64) -> Result<Option<RawFrame<'_>>, Missing> {
        match self {
            Self::Unknown(detector) if detector.held() > 0 => Err(Missing::RestOfBom),
            Self::Unknown(_) => Ok(None),
            Self::Sse(framer) => framer.finish(offset),
            Self::Json(framer) => framer.finish().map(|()| None),
        }
    }

    /// The line that was returned as a frame of its own is none.
    fn reject_outside(&mut self) {
        if let Self::Sse(framer) = self {
            framer.reject_outside();
        }
    }

    /// Whether the end of the stream here would be inside a frame.
    fn ends_inside(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Sse(framer) => framer.ends_inside(),
            Self::Json(framer) => framer.finish().is_err(),
        }
    }

    /// Whether the stream had anything besides white space, comments and data.
    fn came(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Sse(framer) => framer.came(),
            Self::Json(_) => true,
        }
    }

    fn pending(&self) -> usize {
        match self {
            Self::Unknown(detector) => detector.held(),
            Self::Sse(framer) => framer.pending(),
            Self::Json(framer) => framer.pending(),
        }
    }
}

/// Whether there may be more in the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// A frame ended; the chunk may have more.
    Frame,
    /// The chunk is used up.
    ChunkDone,
}

/// What an unrecognized stream is explained by. Dropped with the first known event.
#[derive(Debug, Default)]
struct FirstBytes {
    bytes: Vec<u8>,
    /// There was a frame besides keep-alives.
    came: bool,
}

impl FirstBytes {
    fn keep(&mut self, chunk: &[u8]) {
        let room = WINDOW - self.bytes.len();
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

/// Bytes of a stream to the events of a dialect.
///
/// Feed it what the network gave, in pieces of any size, then [`close`](Self::close) it: only `close` tells a stream that
/// ended from one that was cut. [`events`](crate::events) does both over an iterator of chunks.
#[derive(Debug)]
pub struct StreamParser<D: Dialect> {
    dialect: D,
    options: Options,
    framing: Framing,
    /// Bytes fed before the current chunk.
    fed: u64,
    failed: Option<ParseError>,
    closed: bool,
    deferred: Vec<(Deferred, D::Event<'static>)>,
    templates: Templates<D::Common>,
    /// The frame that the last chunk cut, while a template fits it.
    in_flight: InFlight,
    /// `None` once an event was known.
    first_bytes: Option<FirstBytes>,
    examined: u64,
}

impl<D: Dialect + Default> StreamParser<D> {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_dialect(D::default(), options)
    }
}

impl<D: Dialect + Default> Default for StreamParser<D> {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl<D: Dialect> StreamParser<D> {
    /// A parser whose dialect has settings of its own.
    #[must_use]
    pub fn with_dialect(dialect: D, options: Options) -> Self {
        let templates = Templates::new(options.predict && dialect.may_predict());
        Self {
            dialect,
            options,
            framing: Framing::Unknown(Detector::new()),
            fed: 0,
            failed: None,
            closed: false,
            deferred: Vec::new(),
            templates,
            in_flight: InFlight::default(),
            first_bytes: Some(FirstBytes::default()),
            examined: 0,
        }
    }

    /// Gives every event that `chunk` completes to `on_event`, in order and borrowed from the chunk where possible.
    /// After an error every later call returns the same error; what [`feed_text`](Self::feed_text) deferred is then
    /// in [`take_deferred`](Self::take_deferred).
    pub fn feed_with(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(D::Event<'_>),
    ) -> Result<(), ParseError> {
        self.require_open()?;
        self.feed_frames(chunk, &mut on_event).inspect_err(|_| deliver_held(&mut self.dialect, &mut on_event))
    }

    /// The events of the chunk's frames; what a dialect holds back stays with it.
    #[inline]
    fn feed_frames(
        &mut self,
        chunk: &[u8],
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<(), ParseError> {
        if let Some(first_bytes) = &mut self.first_bytes {
            first_bytes.keep(chunk);
        }
        match self.advance(chunk, on_event) {
            Ok(()) => {
                self.fed += chunk.len() as u64;
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    /// Appends every event that `chunk` completes to `events`, also when an error follows them. In that case the
    /// events that [`feed_text`](Self::feed_text) deferred come before them: they are older.
    pub fn feed(&mut self, chunk: &[u8], events: &mut Vec<D::Event<'static>>) -> Result<(), ParseError> {
        self.feed_into(chunk, events, |event| event.into_owned())
    }

    /// As [`feed`](Self::feed), with events converted by `convert` while they still borrow from the chunk.
    pub fn feed_into<T>(
        &mut self,
        chunk: &[u8],
        events: &mut Vec<T>,
        mut convert: impl FnMut(D::Event<'_>) -> T,
    ) -> Result<(), ParseError> {
        let before = events.len();
        let outcome = self.feed_with(chunk, |event| events.push(convert(event)));
        if outcome.is_err() {
            self.prepend_deferred(events, before, convert);
        }
        outcome
    }

    /// Puts the deferred events before those of a failing call. Kept apart: inlined, it would cost every small chunk.
    #[cold]
    #[inline(never)]
    fn prepend_deferred<T>(
        &mut self,
        events: &mut Vec<T>,
        before: usize,
        convert: impl FnMut(D::Event<'_>) -> T,
    ) {
        let deferred = self.take_deferred();
        events.splice(before..before, deferred.into_iter().map(convert));
    }

    /// Appends the answer text that `chunk` completes to `text`, also when an error follows it. The last result,
    /// error, end marker and task are deferred to [`close`](Self::close).
    pub fn feed_text(&mut self, chunk: &[u8], text: &mut String) -> Result<(), ParseError> {
        self.require_open()?;
        let mut deferred = std::mem::take(&mut self.deferred);
        let outcome = self.feed_frames(chunk, &mut |event: D::Event<'_>| match event.deferred() {
            None => text.push_str(event.text()),
            Some(Deferred::Held) if deferred.iter().any(|(known, _)| *known == Deferred::Held) => {
                text.push_str(event.text());
            }
            Some(kind) => {
                deferred.retain(|(known, _)| *known != kind);
                deferred.push((kind, event.into_owned()));
            }
        });
        if outcome.is_err() {
            deferred.extend(self.dialect.flush().map(|held| (Deferred::Held, held)));
        }
        self.deferred = deferred;
        outcome
    }

    /// The events that `feed_text` deferred, for callers that stop at an error.
    pub fn take_deferred(&mut self) -> Vec<D::Event<'static>> {
        std::mem::take(&mut self.deferred).into_iter().map(|(_, event)| event).collect()
    }

    /// The end of the stream: what was deferred, a last frame, and an error if the stream stopped early. A second
    /// call does nothing.
    pub fn close(&mut self, mut on_event: impl FnMut(D::Event<'_>)) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.closed {
            return Ok(());
        }
        for event in self.take_deferred() {
            on_event(event);
        }
        match self.finish(&mut on_event) {
            Ok(()) => {
                self.closed = true;
                Ok(())
            }
            Err(kind) => self.fail(ParseError::new(kind, self.fed)),
        }
    }

    /// Whether `close` has succeeded.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The error that ended the parser, if one did.
    #[must_use]
    pub const fn failed(&self) -> Option<ParseError> {
        self.failed
    }

    /// Bytes held of an unfinished frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        if self.failed.is_some() || self.closed {
            return 0;
        }
        match &self.framing {
            Framing::Sse(framer) if self.in_flight.is_active() => {
                // What SSE holds of a frame depends on its lines: a copy of the framer reads them.
                let mut framer = framer.clone();
                let bytes = self.templates.reconstruct(&self.in_flight);
                let _ = framer.next_frame(&bytes, &mut 0, self.in_flight.offset);
                framer.pending()
            }
            _ if self.in_flight.is_active() => self.in_flight.length,
            framing => framing.pending(),
        }
    }

    /// Bytes examined so far, every pass over a byte counted: a debug counter for the law of linear time.
    #[doc(hidden)]
    #[must_use]
    pub const fn examined(&self) -> u64 {
        self.examined + self.templates.examined
    }

    #[inline]
    fn require_open(&self) -> Result<(), ParseError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.closed => Err(ParseError::new(ErrorKind::Closed, self.fed)),
            None => Ok(()),
        }
    }

    /// Poisons the parser and drops all buffered state.
    fn fail(&mut self, error: ParseError) -> Result<(), ParseError> {
        self.failed = Some(error);
        self.in_flight.finish();
        self.framing = Framing::Unknown(Detector::new());
        Err(error)
    }

    fn advance(&mut self, chunk: &[u8], on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), ParseError> {
        let mut position = 0;
        if let Framing::Unknown(detector) = self.framing {
            self.detect(detector, chunk, &mut position)?;
        }
        if self.in_flight.is_active() && self.resume(chunk, &mut position, on_event)? == Progress::ChunkDone {
            return Ok(());
        }
        loop {
            self.predict(chunk, &mut position, on_event);
            if position == chunk.len()
                || self.parse_frame(chunk, &mut position, on_event)? == Progress::ChunkDone
            {
                return Ok(());
            }
        }
    }

    fn detect(
        &mut self,
        mut detector: Detector,
        chunk: &[u8],
        position: &mut usize,
    ) -> Result<(), ParseError> {
        let Options { max_frame_bytes, max_depth, .. } = self.options;
        let rules = Rules { max_frame_bytes, strict_first_byte: D::STRICT_FIRST_BYTE };
        let detected = detector.feed(chunk, position, self.fed, rules);
        self.examined += *position as u64;
        self.framing = match detected {
            Detected::Incomplete => Framing::Unknown(detector),
            Detected::Json => Framing::Json(JsonFramer::after_bom(max_frame_bytes, max_depth)),
            Detected::Sse(lead) => {
                Framing::Sse(SseFramer::resume(max_frame_bytes, lead, self.fed + *position as u64))
            }
            Detected::Invalid(error) => return Err(error),
        };
        Ok(())
    }

    /// Takes frames off the chunk for as long as templates fit.
    #[inline]
    fn predict(&mut self, chunk: &[u8], position: &mut usize, on_event: &mut impl FnMut(D::Event<'_>)) {
        // The framer gets the last id once, when it needs it again: it would copy it for every frame.
        let mut id = None;
        while *position < chunk.len() && self.predict_frame(chunk, position, &mut id, on_event) {}
        if let (Framing::Sse(framer), Some(id)) = (&mut self.framing, id) {
            framer.set_last_event_id(id);
        }
    }

    /// Takes the next frame off the chunk if a template fits it. `id` is the last id that such frames had.
    #[inline]
    fn predict_frame<'a>(
        &mut self,
        chunk: &'a [u8],
        position: &mut usize,
        id: &mut Option<&'a [u8]>,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> bool {
        let limit = self.options.max_frame_bytes;
        let begins = self.framing.begin_frame(chunk, position);
        let remaining = &chunk[*position..];
        if !begins || remaining.is_empty() {
            return false;
        }
        let Some(found) = self.templates.find_match(remaining, limit) else {
            let offset = self.fed + *position as u64;
            if remaining.len() <= limit && self.templates.track(remaining, offset, &mut self.in_flight) {
                *position = chunk.len();
            }
            return false;
        };
        let Some(string) = found.string(remaining) else { return false };
        let Some((common, kind)) = self.templates.first() else { return false };
        let mut fields = found.fields(kind, string);
        if let Framing::Sse(framer) = &mut self.framing {
            framer.skip_frame(remaining.get(found.length - 1).copied());
            if let Some(hole) = found.id {
                *id = Some(hole.of(remaining));
            }
            if D::HAS_ID {
                fields.id = match (*id, found.id) {
                    (Some(id), Some(_)) => IdRef::Bytes(id).into(),
                    (Some(repeated), None) => {
                        // Events that repeat an id share it, so it has to be the framer's.
                        framer.set_last_event_id(repeated);
                        *id = None;
                        framer.last_event_id().into()
                    }
                    (None, _) => framer.last_event_id().into(),
                };
            }
        }
        on_event(self.dialect.predicted(common, fields));
        *position += found.length;
        true
    }

    /// Continues with a frame that an earlier chunk cut.
    fn resume(
        &mut self,
        chunk: &[u8],
        position: &mut usize,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<Progress, ParseError> {
        if *position == chunk.len() {
            return Ok(Progress::ChunkDone);
        }
        let limit = self.options.max_frame_bytes;
        match self.templates.step(&chunk[*position..], limit, &mut self.in_flight) {
            Step::Incomplete => {
                *position = chunk.len();
                return Ok(Progress::ChunkDone);
            }
            Step::Complete(length) => {
                *position += length;
                if !self.predict_in_flight(on_event) {
                    self.fall_back(on_event)?;
                }
            }
            Step::Miss(length) => {
                *position += length;
                self.fall_back(on_event)?;
            }
        }
        Ok(Progress::Frame)
    }

    /// Delivers the event of the frame in flight, which is complete; false if its string is not UTF-8.
    fn predict_in_flight(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) -> bool {
        let Some((common, mut fields)) = self.templates.complete(&self.in_flight) else { return false };
        if let Framing::Sse(framer) = &mut self.framing {
            let (has_id, last) = self.templates.ending(&self.in_flight);
            framer.skip_frame(last);
            if has_id {
                framer.set_last_event_id(self.in_flight.id());
            }
            if D::HAS_ID {
                fields.id = framer.last_event_id().into();
            }
        }
        on_event(self.dialect.predicted(common, fields));
        self.in_flight.finish();
        true
    }

    /// Gives what was seen of the frame in flight to the full parse.
    fn fall_back(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), ParseError> {
        let bytes = self.templates.reconstruct(&self.in_flight);
        self.in_flight.finish();
        let fed = std::mem::replace(&mut self.fed, self.in_flight.offset);
        let mut position = 0;
        let mut outcome = Ok(Progress::Frame);
        while outcome == Ok(Progress::Frame) {
            outcome = self.parse_frame(&bytes, &mut position, on_event);
        }
        self.fed = fed;
        outcome.map(|_| ())
    }

    /// Parses the next frame in full.
    fn parse_frame(
        &mut self,
        chunk: &[u8],
        position: &mut usize,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<Progress, ParseError> {
        let from = *position;
        let next = self.framing.next_frame(chunk, position, self.fed);
        self.examined += (*position - from) as u64;
        let Some(raw) = next? else { return Ok(Progress::ChunkDone) };
        self.examined += 2 * raw.payload.len() as u64;
        let marker = raw.marker();
        if marker == Some(Marker::KeepAlive) {
            return Ok(Progress::Frame);
        }
        if let Some(first_bytes) = &mut self.first_bytes {
            first_bytes.came = true;
        }
        let frame = frame_of(&raw, self.options.max_depth);
        let mut delivery = Delivery {
            dialect: &mut self.dialect,
            templates: &mut self.templates,
            first_bytes: &mut self.first_bytes,
        };
        if marker == Some(Marker::Done) {
            if let Some(event) = delivery.dialect.done(&frame) {
                delivery.deliver(Decoded::new(event), &raw, on_event);
            }
            return Ok(Progress::Frame);
        }
        let FrameError { kind, position } = match delivery.dialect.decode(&frame) {
            Ok(decoded) => {
                delivery.deliver(decoded, &raw, on_event);
                return Ok(Progress::Frame);
            }
            Err(error) => error,
        };
        if raw.is_outside_data() {
            self.framing.reject_outside();
            return Ok(Progress::Frame);
        }
        let error = ParseError::new(kind, raw.origin.locate(position));
        if self.options.errors == Errors::Strict || matches!(kind, ErrorKind::TooDeep { .. }) {
            return Err(error);
        }
        on_event(D::Event::malformed(Malformed { raw: Cow::Borrowed(raw.payload), error }));
        Ok(Progress::Frame)
    }

    /// The end of the stream. The order: frames, what was held back, and then whether this was a stream of the dialect,
    /// whether it was cut inside a frame, and whether it had ended.
    fn finish(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), ErrorKind> {
        let mut ends_inside = false;
        let frames = self.finish_frames(&mut ends_inside, on_event);
        deliver_held(&mut self.dialect, on_event);
        if let Some(first_bytes) = &self.first_bytes {
            if !ends_inside && (first_bytes.came || self.framing.came()) {
                let look = Look::of(&first_bytes.bytes, D::SERVICE);
                return Err(ErrorKind::Unrecognized { expected: D::SERVICE, look });
            }
        }
        let missing = frames.err().or_else(|| self.dialect.missing());
        missing.map_or(Ok(()), |expected| Err(ErrorKind::Truncated { expected }))
    }

    /// The frames that the end of the stream ends ([design §4] rule 5).
    fn finish_frames(
        &mut self,
        ends_inside: &mut bool,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<(), Missing> {
        if self.in_flight.is_active() && self.fall_back(on_event).is_err() {
            // Every byte of it fitted a good frame within the limits.
            return Err(Missing::BlankLine);
        }
        *ends_inside = self.framing.ends_inside();
        self.finish_outside(on_event);
        let Some(raw) = self.framing.finish(self.fed)? else { return Ok(()) };
        self.examined += 2 * raw.payload.len() as u64;
        let marker = raw.marker();
        if marker == Some(Marker::KeepAlive) {
            return Ok(());
        }
        let frame = frame_of(&raw, self.options.max_depth);
        let decoded = if marker == Some(Marker::Done) {
            self.dialect.done(&frame).map(Decoded::new)
        } else {
            Some(decode_last(&mut self.dialect, &frame)?)
        };
        if let Some(first_bytes) = &mut self.first_bytes {
            first_bytes.came = true;
        }
        if let Some(decoded) = decoded {
            let mut delivery = Delivery {
                dialect: &mut self.dialect,
                templates: &mut self.templates,
                first_bytes: &mut self.first_bytes,
            };
            delivery.deliver(decoded, &raw, on_event);
        }
        Ok(())
    }

    /// An unterminated last line that is a frame of its own comes before the frame around it.
    fn finish_outside(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) {
        let Framing::Sse(framer) = &mut self.framing else { return };
        let Some(raw) = framer.held_outside() else { return };
        self.examined += 2 * raw.payload.len() as u64;
        let frame = frame_of(&raw, self.options.max_depth);
        let Ok(decoded) = self.dialect.decode(&frame) else { return };
        if let Some(first_bytes) = &mut self.first_bytes {
            first_bytes.came = true;
        }
        let mut delivery = Delivery {
            dialect: &mut self.dialect,
            templates: &mut self.templates,
            first_bytes: &mut self.first_bytes,
        };
        delivery.deliver(decoded, &raw, on_event);
        framer.drop_line();
    }
}

fn frame_of<'f>(raw: &RawFrame<'f>, max_depth: usize) -> Frame<'f> {
    Frame {
        payload: raw.payload,
        name: raw.name,
        id: raw.id,
        is_outside_data: raw.is_outside_data(),
        max_depth,
    }
}

/// What delivering an event changes; the frame still borrows from the framer.
struct Delivery<'p, D: Dialect> {
    dialect: &'p mut D,
    templates: &'p mut Templates<D::Common>,
    first_bytes: &'p mut Option<FirstBytes>,
}

impl<D: Dialect> Delivery<'_, D> {
    /// Learns from a frame that was parsed in full, and delivers its event, after what was held back if it ends the
    /// stream.
    #[inline]
    fn deliver<'a>(
        &mut self,
        decoded: Decoded<D::Event<'a>>,
        raw: &RawFrame<'a>,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) {
        let holes = decoded.holes.filter(|_| self.templates.may_learn());
        if let (Some(layout), Some(holes), Some(common)) = (&raw.layout, holes, D::common(&decoded.event)) {
            self.templates.learn(layout, &holes, common, raw.payload);
        }
        if self.first_bytes.is_some() && decoded.event.is_known() {
            *self.first_bytes = None;
        }
        if matches!(decoded.event.deferred(), Some(Deferred::Done | Deferred::Error)) {
            deliver_held(self.dialect, on_event);
        }
        on_event(decoded.event);
    }
}

/// Delivers what a dialect holds back, at the end of the stream. Kept apart: inlined, it would cost every event.
#[cold]
#[inline(never)]
fn deliver_held<D: Dialect>(dialect: &mut D, on_event: &mut impl FnMut(D::Event<'_>)) {
    if let Some(held) = dialect.flush() {
        on_event(held);
    }
}

/// Decodes the frame that the end of the stream ended: only an object counts.
fn decode_last<'a, D: Dialect>(dialect: &mut D, frame: &Frame<'a>) -> Result<Decoded<D::Event<'a>>, Missing> {
    if !is_object(frame.payload) {
        return Err(Missing::BlankLine);
    }
    let decoded = dialect.decode(frame).map_err(|_| Missing::BlankLine)?;
    if !decoded.validated {
        validate(frame.payload, frame.max_depth).map_err(|_| Missing::BlankLine)?;
    }
    Ok(decoded)
}

fn is_object(payload: &[u8]) -> bool {
    payload.iter().find(|&&byte| !is_space(byte)) == Some(&b'{')
}
