//! One parser for all dialects: finds the framing, drives it, judges frames, and knows how streams end.
//!
//! Rules:
//! - the first byte behind an optional byte order mark and white space decides: `{` means bare JSON, any other
//!   byte SSE from offset 0 (EXAONE: only a colon or an ASCII letter);
//! - a frame is validated once, when its last byte has come; what was complete before a fault is delivered;
//! - in `report` mode a validated-bad frame becomes an event and the stream goes on; limits, garbage between
//!   values and truncation stay fatal;
//! - at the end an SSE frame without its blank line counts if it is one JSON object or `[DONE]`, and then the
//!   dialect says whether the stream had ended;
//! - after an error every call returns the same error.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use crate::error::{ErrorKind, Expected, FrameError, Missing, ParseError};
use crate::json::{is_space, utf8_text, validate};
use crate::json_stream::{DEFAULT_MAX_DEPTH, JsonFramer};
use crate::shared::Malformed;
use crate::sse::{BOM, Bom, DEFAULT_MAX_FRAME_BYTES, EventId, SseFramer, event_name};
use crate::template::{Common, Fields, FrameLayout, Holes, InFlight, Step, Templates};

/// What a bad frame does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// It ends the stream with an error.
    #[default]
    Strict,
    /// It becomes a `Malformed` event, and the stream goes on.
    Report,
}

/// Limits and policy of a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of a frame.
    pub max_frame_bytes: usize,
    /// Most open containers in a payload.
    pub max_depth: usize,
    /// What a bad frame does.
    pub errors: Errors,
    /// Whether frames that repeat are predicted. It changes nothing but the speed.
    pub predict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            max_depth: DEFAULT_MAX_DEPTH,
            errors: Errors::Strict,
            predict: true,
        }
    }
}

/// One frame as a dialect sees it.
pub struct Frame<'a> {
    pub(crate) payload: &'a [u8],
    /// The event's name, empty where there is none.
    pub(crate) name: &'a [u8],
    pub(crate) last_event_id: &'a [u8],
    pub(crate) max_depth: usize,
    /// What the dialect found in the payload that may change from frame to frame.
    pub(crate) holes: Cell<Option<Holes>>,
    /// Whether the dialect read it as JSON, which foreign events need not be.
    pub(crate) validated: Cell<bool>,
}

impl<'a> Frame<'a> {
    pub(crate) const fn new(
        payload: &'a [u8],
        name: &'a [u8],
        last_event_id: &'a [u8],
        max_depth: usize,
    ) -> Self {
        Self { payload, name, last_event_id, max_depth, holes: Cell::new(None), validated: Cell::new(true) }
    }

    /// The payload as text, or its first fault.
    pub(crate) fn text(&self) -> Result<&'a str, FrameError> {
        utf8_text(self.payload, self.max_depth)
    }

    /// The payload as text where it need not be JSON.
    pub(crate) fn plain_text(&self) -> Result<&'a str, FrameError> {
        self.validated.set(false);
        std::str::from_utf8(self.payload).map_err(|error| {
            let position = error.valid_up_to();
            FrameError { kind: ErrorKind::InvalidUtf8 { found: self.payload[position] }, position }
        })
    }

    pub(crate) const fn id(&self) -> EventId<'a> {
        EventId::new(self.last_event_id)
    }

    pub(crate) fn event(&self) -> Cow<'a, str> {
        event_name(self.name)
    }
}

/// The events that `feed_text` keeps for the end: the last of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// The whole answer.
    Result,
    /// The service gave up.
    Error,
    /// The end marker.
    Done,
    /// A snapshot of an A2A task.
    Task,
}

/// What every dialect's events have in common.
pub trait StreamEvent<'a>: Sized {
    /// The same event without borrows.
    type Owned;
    /// The answer delta, `""` where there is none.
    fn text(&self) -> &str;
    /// Whether `feed_text` keeps it for the end.
    fn deferred(&self) -> Option<Deferred>;
    /// Wraps a bad frame.
    fn malformed(malformed: Malformed<'a>) -> Self;
    /// The same event, independent of the chunk and of the parser.
    fn into_owned(self) -> Self::Owned;
}

/// A dialect: frames to typed events, and the knowledge of how its streams end.
pub trait Dialect {
    /// What a stream brings.
    type Event<'a>: StreamEvent<'a, Owned = Self::Event<'static>>;

    /// Whether the first byte must be `{`, a colon or an ASCII letter.
    const STRICT_FIRST_BYTE: bool = false;

    /// Judges a frame and turns it into an event; `None` for one that means nothing.
    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Option<Self::Event<'a>>, FrameError>;

    /// The members that neighbouring events share.
    type Common;

    /// The shared members of an event that was parsed in full.
    fn common<'e>(event: &'e Self::Event<'_>) -> Option<&'e Arc<Common<Self::Common>>>;

    /// The event of a frame that equals an earlier one but for `fields`.
    fn predicted<'a>(&mut self, common: &'a Arc<Common<Self::Common>>, fields: Fields<'a>)
    -> Self::Event<'a>;

    /// What the payload `[DONE]` is, which is not JSON.
    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Self::Event<'a>>;

    /// What had to come before the stream may end; `None` when it may.
    fn missing(&self) -> Option<Missing>;
}

/// Looks for the first byte that tells SSE from bare JSON. White space is counted, not deferred.
#[derive(Clone, Copy, Debug)]
struct Detector {
    bom: Bom,
    /// Bytes of the line of white space that the cursor stands in.
    line: usize,
    after_cr: bool,
    /// Offset of the first byte at which such a line passed the limit; a fault if the stream is SSE.
    over_limit: Option<u64>,
}

#[derive(Debug)]
enum Framing {
    Unknown(Detector),
    Sse(SseFramer),
    Json(JsonFramer),
}

const DONE: &[u8] = b"[DONE]";

/// Bytes of a stream to the events of a dialect.
#[derive(Debug)]
pub struct StreamParser<D: Dialect> {
    dialect: D,
    options: Options,
    framing: Framing,
    fed: u64,
    failed: Option<ParseError>,
    closed: bool,
    deferred: Vec<(Deferred, D::Event<'static>)>,
    templates: Templates<Arc<Common<D::Common>>>,
    /// The frame that the last chunk cut, while a template fits it.
    in_flight: InFlight,
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
        let detection = Detector { bom: Bom::Matching(0), line: 0, after_cr: false, over_limit: None };
        Self {
            dialect,
            options,
            framing: Framing::Unknown(detection),
            fed: 0,
            failed: None,
            closed: false,
            deferred: Vec::new(),
            templates: Templates::new(options.predict),
            in_flight: InFlight::default(),
            examined: 0,
        }
    }

    /// Gives every event that `chunk` completes to `on_event`, in order and borrowed from the chunk where that
    /// is possible. After an error every later call returns the same error.
    pub fn feed_with(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(D::Event<'_>),
    ) -> Result<(), ParseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.advance(chunk, &mut on_event) {
            Ok(()) => {
                self.fed += chunk.len() as u64;
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    /// Appends every event that `chunk` completes to `events`, also when an error follows them.
    pub fn feed(&mut self, chunk: &[u8], events: &mut Vec<D::Event<'static>>) -> Result<(), ParseError> {
        self.feed_with(chunk, |event| events.push(event.into_owned()))
    }

    /// Appends the answer text that `chunk` completes to `text`, also when an error follows it. The last result,
    /// error, end marker and task are deferred for [`close`](Self::close).
    pub fn feed_text(&mut self, chunk: &[u8], text: &mut String) -> Result<(), ParseError> {
        let mut deferred = std::mem::take(&mut self.deferred);
        let outcome = self.feed_with(chunk, |event| {
            text.push_str(event.text());
            if let Some(keep) = event.deferred() {
                deferred.retain(|(kind, _)| *kind != keep);
                deferred.push((keep, event.into_owned()));
            }
        });
        self.deferred = deferred;
        outcome
    }

    /// What `feed_text` deferred, for callers that stop at an error.
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
            Err(expected) => self.fail(ParseError::new(ErrorKind::Truncated { expected }, self.fed)),
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
            Framing::Unknown(Detector { bom: Bom::Matching(seen), .. }) => *seen,
            Framing::Unknown(_) => 0,
            Framing::Sse(framer) if self.in_flight.is_active() => {
                // What SSE holds of a frame depends on its lines: a copy of the framer reads them.
                let mut framer = framer.clone();
                let _ = framer.next_frame(
                    &self.templates.reconstruct(&self.in_flight),
                    &mut 0,
                    self.in_flight.offset,
                );
                framer.pending()
            }
            Framing::Json(_) if self.in_flight.is_active() => self.in_flight.length,
            Framing::Sse(framer) => framer.pending(),
            Framing::Json(framer) => framer.pending(),
        }
    }

    /// Bytes examined so far, every pass over a byte counted: a debug counter for the law of linear time.
    #[must_use]
    pub const fn examined(&self) -> u64 {
        self.examined + self.templates.examined
    }

    fn fail(&mut self, error: ParseError) -> Result<(), ParseError> {
        self.failed = Some(error);
        // Nothing of the stream is needed any more.
        self.in_flight.finish();
        self.framing = Framing::Json(JsonFramer::after_bom(0, 0));
        Err(error)
    }

    fn advance(&mut self, chunk: &[u8], on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), ParseError> {
        let mut at = 0;
        if let Framing::Unknown(detection) = self.framing {
            self.detect(detection, chunk, &mut at)?;
        }
        if self.in_flight.is_active() && !self.resume(chunk, &mut at, on_event)? {
            return Ok(());
        }
        loop {
            self.predict(chunk, &mut at, on_event);
            if at == chunk.len() || !self.parse_frame(chunk, &mut at, on_event)? {
                return Ok(());
            }
        }
    }

    /// Takes frames off the chunk for as long as templates fit.
    #[inline]
    fn predict(&mut self, chunk: &[u8], at: &mut usize, on_event: &mut impl FnMut(D::Event<'_>)) {
        // The framer is told the last id once, when it needs it again: it would copy it for every frame.
        let mut id = None;
        while *at < chunk.len() && self.predict_frame(chunk, at, &mut id, on_event) {}
        if let (Framing::Sse(framer), Some(id)) = (&mut self.framing, id) {
            framer.set_last_event_id(id);
        }
    }

    /// Takes the next frame off the chunk if a template fits it. `id` is the last id that such frames brought.
    #[inline]
    fn predict_frame<'a>(
        &mut self,
        chunk: &'a [u8],
        at: &mut usize,
        id: &mut Option<&'a [u8]>,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> bool {
        let limit = self.options.max_frame_bytes;
        let between = match &mut self.framing {
            Framing::Unknown(_) => false,
            Framing::Sse(framer) => framer.begin_frame(chunk, at),
            Framing::Json(framer) => framer.begin_frame(chunk, at),
        };
        let remaining = &chunk[*at..];
        if !between || remaining.is_empty() {
            return false;
        }
        let Some(found) = self.templates.find(remaining, limit) else {
            if remaining.len() <= limit
                && self.templates.track(remaining, self.fed + *at as u64, &mut self.in_flight)
            {
                *at = chunk.len();
            }
            return false;
        };
        let Some((common, mut fields)) = self.templates.read(&found, remaining) else { return false };
        if let Framing::Sse(framer) = &mut self.framing {
            framer.skip_frame(remaining.get(found.length - 1).copied());
            if let Some((start, end)) = found.id {
                *id = Some(&remaining[start..end]);
            }
            fields.id = EventId::new(id.unwrap_or_else(|| framer.last_event_id_bytes()));
        }
        on_event(self.dialect.predicted(common, fields));
        *at += found.length;
        true
    }

    /// Goes on with a frame that an earlier chunk cut; false when this one does not complete it either.
    fn resume(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<bool, ParseError> {
        if *at == chunk.len() {
            return Ok(false);
        }
        let limit = self.options.max_frame_bytes;
        match self.templates.step(&chunk[*at..], limit, &mut self.in_flight) {
            Step::Short => {
                *at = chunk.len();
                Ok(false)
            }
            Step::Complete(length) if self.templates.complete(&self.in_flight).is_some() => {
                *at += length;
                if let Framing::Sse(framer) = &mut self.framing {
                    let (has_id, last) = self.templates.ending(&self.in_flight);
                    framer.skip_frame(last);
                    if has_id {
                        framer.set_last_event_id(self.in_flight.id());
                    }
                }
                if let Some((common, mut fields)) = self.templates.complete(&self.in_flight) {
                    if let Framing::Sse(framer) = &self.framing {
                        fields.id = EventId::new(framer.last_event_id_bytes());
                    }
                    on_event(self.dialect.predicted(common, fields));
                }
                self.in_flight.finish();
                Ok(true)
            }
            Step::Complete(length) | Step::Miss(length) => {
                *at += length;
                self.fall_back(on_event)?;
                Ok(true)
            }
        }
    }

    /// Gives what has come of a followed frame to the full parse.
    fn fall_back(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), ParseError> {
        let bytes = self.templates.reconstruct(&self.in_flight);
        self.in_flight.finish();
        let fed = std::mem::replace(&mut self.fed, self.in_flight.offset);
        let mut at = 0;
        let mut outcome = Ok(true);
        while outcome == Ok(true) {
            outcome = self.parse_frame(&bytes, &mut at, on_event);
        }
        self.fed = fed;
        outcome.map(|_| ())
    }

    /// Parses the next frame in full; false when the chunk has no whole one left.
    fn parse_frame(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        on_event: &mut impl FnMut(D::Event<'_>),
    ) -> Result<bool, ParseError> {
        let max_depth = self.options.max_depth;
        let report = self.options.errors == Errors::Report;
        let from = *at;
        // Both framings: the payload, the dialect's judgement with the layout of its fault, and where the frame
        // lies in the chunk.
        let outcome;
        let frame;
        let layout;
        let whole;
        match &mut self.framing {
            Framing::Unknown(_) => return Ok(false),
            Framing::Sse(framer) => {
                let next = framer.next_frame(chunk, at, self.fed);
                self.examined += (*at - from) as u64;
                let Some(sse) = next? else { return Ok(false) };
                self.examined += 2 * sse.data.len() as u64;
                frame = Frame::new(sse.data, sse.event, sse.id, max_depth);
                layout = sse.layout;
                whole = chunk;
                outcome = if sse.data == DONE {
                    Ok(self.dialect.done(&frame))
                } else {
                    self.dialect
                        .decode(&frame)
                        .map_err(|fault| ParseError::new(fault.kind, sse.locate(fault.position)))
                };
            }
            Framing::Json(framer) => {
                let next = framer.next_frame(chunk, at, self.fed);
                self.examined += (*at - from) as u64;
                let Some(value) = next? else { return Ok(false) };
                self.examined += 2 * value.bytes.len() as u64;
                frame = Frame::new(value.bytes, b"", b"", max_depth);
                // A value is its own frame, whether it lies in the chunk or was held.
                layout = Some(FrameLayout { from: 0, to: value.bytes.len(), payload: 0, id: None });
                whole = value.bytes;
                outcome = self.dialect.decode(&frame).map_err(|fault| value.error(fault));
            }
        }
        match outcome {
            Ok(Some(event)) => {
                let holes = frame.holes.get().filter(|_| self.templates.may_learn());
                if let (Some(layout), Some(holes), Some(common)) = (layout, holes, D::common(&event)) {
                    let bytes = &whole[layout.from..layout.to];
                    self.templates.learn(bytes, layout.relative(), &holes, common, frame.payload);
                }
                on_event(event);
            }
            Ok(None) => {}
            Err(error) if report && !matches!(error.kind(), ErrorKind::TooDeep { .. }) => {
                on_event(D::Event::malformed(Malformed { raw: Cow::Borrowed(frame.payload), error }));
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn detect(&mut self, mut state: Detector, chunk: &[u8], at: &mut usize) -> Result<(), ParseError> {
        let limit = self.options.max_frame_bytes;
        let depth = self.options.max_depth;
        while let Some(&byte) = chunk.get(*at) {
            let offset = self.fed + *at as u64;
            match state.bom {
                Bom::Matching(seen) if byte == BOM[seen] => {
                    state.bom = if seen + 1 == BOM.len() { Bom::Over } else { Bom::Matching(seen + 1) };
                }
                Bom::Matching(1..) if D::STRICT_FIRST_BYTE => return Err(first_byte(BOM[0], 0)),
                Bom::Matching(seen @ 1..) => {
                    // Not a byte order mark after all: its bytes begin the first line.
                    let line = BOM[..seen].to_vec();
                    self.framing = Framing::Sse(SseFramer::resume(limit, line, offset, false));
                    return Ok(());
                }
                _ if is_space(byte) => {
                    state.bom = Bom::Over;
                    match byte {
                        b'\n' if state.after_cr => {}
                        b'\n' | b'\r' => state.line = 0,
                        _ => {
                            state.line += 1;
                            if state.line > limit && state.over_limit.is_none() {
                                state.over_limit = Some(offset);
                            }
                        }
                    }
                    state.after_cr = byte == b'\r';
                }
                _ if byte == b'{' => {
                    self.framing = Framing::Json(JsonFramer::after_bom(limit, depth));
                    return Ok(());
                }
                _ if D::STRICT_FIRST_BYTE && byte != b':' && !byte.is_ascii_alphabetic() => {
                    return Err(first_byte(byte, offset));
                }
                _ => {
                    if let Some(offset) = state.over_limit {
                        return Err(ParseError::new(ErrorKind::FrameTooLarge { limit }, offset));
                    }
                    let line = vec![b' '; state.line];
                    self.framing = Framing::Sse(SseFramer::resume(limit, line, offset, state.after_cr));
                    return Ok(());
                }
            }
            self.examined += 1;
            *at += 1;
        }
        self.framing = Framing::Unknown(state);
        Ok(())
    }

    fn finish(&mut self, on_event: &mut impl FnMut(D::Event<'_>)) -> Result<(), Missing> {
        if self.in_flight.is_active() && self.fall_back(on_event).is_err() {
            // Every byte of it fitted a good frame within the limits.
            return Err(Missing::BlankLine);
        }
        match &mut self.framing {
            Framing::Unknown(Detector { bom: Bom::Matching(1..), .. }) => return Err(Missing::RestOfBom),
            Framing::Unknown(_) => {}
            Framing::Json(framer) => framer.finish()?,
            Framing::Sse(framer) => {
                if let Some(sse) = framer.finish(self.fed)? {
                    self.examined += 2 * sse.data.len() as u64;
                    let max_depth = self.options.max_depth;
                    let frame = Frame::new(sse.data, sse.event, sse.id, max_depth);
                    let event = if sse.data == DONE {
                        self.dialect.done(&frame)
                    } else if is_object(sse.data) {
                        let event = self.dialect.decode(&frame).map_err(|_| Missing::BlankLine)?;
                        if !frame.validated.get() {
                            validate(sse.data, max_depth).map_err(|_| Missing::BlankLine)?;
                        }
                        event
                    } else {
                        return Err(Missing::BlankLine);
                    };
                    if let Some(event) = event {
                        on_event(event);
                    }
                }
            }
        }
        self.dialect.missing().map_or(Ok(()), Err)
    }
}

fn is_object(payload: &[u8]) -> bool {
    payload.iter().find(|&&byte| !is_space(byte)) == Some(&b'{')
}

fn first_byte(found: u8, offset: u64) -> ParseError {
    ParseError::new(ErrorKind::InvalidJson { expected: Expected::FirstByte, found: Some(found) }, offset)
}
