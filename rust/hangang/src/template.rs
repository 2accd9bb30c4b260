//! Prediction: a frame that equals an earlier one but for a string, an id and a counter is already parsed.
//!
//! Rules:
//! - a template is the bytes of a whole frame with holes: the value of its `id:` line, the string that carries
//!   the delta, and v1's counter. Equal fixed bytes and a valid value in each hole mean an equal parse;
//! - prediction begins only where a frame begins with nothing held. A frame that the chunk's end cuts is followed
//!   into the next chunks ([`InFlight`]): nothing but the values of its holes is deferred, and where it leaves the
//!   template, what came so far is rebuilt from the template and read in full;
//! - a frame no longer than the limit cannot break one, and its brackets are those of the template;
//! - prediction never raises: whatever does not fit goes to the full parse, which knows the rules of error;
//! - it is paid for: a match saves two passes over its bytes, and failed attempts spend what matches have saved,
//!   plus a constant advance. So the law of three passes holds against a stream made to mispredict.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::json::{StringSpan, has_control, plain_end, string_end, unescape};
use crate::sse::{EventId, clear_and_shrink};

/// Most templates of a parser, the last used first.
const MAX_TEMPLATES: usize = 4;
/// Longest frame that becomes a template.
const MAX_TEMPLATE_BYTES: usize = 64 << 10;
/// What failed attempts may spend before a match has saved anything, in bytes.
const INITIAL_BUDGET: i64 = 32 << 10;
/// Longest counter, in digits: it cannot pass 64 bits.
const MAX_DIGITS: usize = 18;

/// Which field the string hole fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoleKind {
    Text,
    Thinking,
}

/// What a dialect found in a payload that may change from frame to frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holes {
    pub(crate) kind: HoleKind,
    pub(crate) string: StringSpan,
    /// The digits of the counter, behind the string.
    pub(crate) counter: Option<(usize, usize)>,
    /// Whether an empty string there means the same kind of event.
    pub(crate) may_be_empty: bool,
}

/// The payload of a template, to reconstruct that of a predicted event.
#[derive(Debug)]
pub(crate) struct PayloadPattern {
    payload: Box<[u8]>,
    string: (usize, usize),
    counter: Option<(usize, usize)>,
}

impl PayloadPattern {
    fn reconstruct(&self, string: &[u8], counter: Option<i64>) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.payload.len() + string.len());
        payload.extend_from_slice(&self.payload[..self.string.0]);
        payload.extend_from_slice(string);
        let mut copied = self.string.1;
        if let (Some((start, end)), Some(counter)) = (self.counter, counter) {
            payload.extend_from_slice(&self.payload[copied..start]);
            payload.extend_from_slice(counter.to_string().as_bytes());
            copied = end;
        }
        payload.extend_from_slice(&self.payload[copied..]);
        payload
    }
}

/// The members of an event that its neighbours repeat.
#[derive(Debug, Default)]
pub struct Common<T> {
    fields: T,
    pattern: OnceLock<PayloadPattern>,
}

impl<T> Common<T> {
    /// Whether later frames may be predicted from the one that these members came with.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.pattern.get().is_some()
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fields
    }
}

/// The common fields of an event: its own, or those of the frame that predicted it.
#[derive(Debug)]
pub enum CommonRef<'a, T> {
    /// The event's frame was parsed in full.
    Own(Arc<Common<T>>),
    /// The event was predicted: the fields are those of its template.
    Borrowed(&'a Arc<Common<T>>),
}

impl<'a, T> CommonRef<'a, T> {
    pub(crate) fn new(fields: T) -> Self {
        Self::Own(Arc::new(Common { fields, pattern: OnceLock::new() }))
    }

    /// The counted object: the same for all events that one template predicted.
    #[must_use]
    pub const fn arc(&self) -> &Arc<Common<T>> {
        match self {
            Self::Own(common) => common,
            Self::Borrowed(common) => common,
        }
    }

    pub(crate) fn into_owned(self) -> CommonRef<'static, T> {
        CommonRef::Own(match self {
            Self::Own(common) => common,
            Self::Borrowed(common) => common.clone(),
        })
    }
}

impl<T> Clone for CommonRef<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Self::Own(common) => Self::Own(common.clone()),
            Self::Borrowed(common) => Self::Borrowed(common),
        }
    }
}

impl<T: Default> Default for CommonRef<'_, T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PartialEq> PartialEq for CommonRef<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> Deref for CommonRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.arc().fields
    }
}

/// The payload behind an event: as received, or what is needed to reconstruct it from its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The payload itself.
    Received(Cow<'a, [u8]>),
    /// The template's payload with this event's values in its holes. `string` is the string as received where
    /// it has escapes; without, it is the decoded text.
    Predicted {
        /// The bytes between the quotes.
        string: Option<Cow<'a, [u8]>>,
    },
}

impl Default for Payload<'_> {
    fn default() -> Self {
        Self::Received(Cow::Borrowed(b""))
    }
}

impl Payload<'_> {
    pub(crate) fn into_owned(self) -> Payload<'static> {
        match self {
            Self::Received(bytes) => Payload::Received(Cow::Owned(bytes.into_owned())),
            Self::Predicted { string } => {
                Payload::Predicted { string: string.map(|string| Cow::Owned(string.into_owned())) }
            }
        }
    }

    /// The payload's bytes as received. `text` is the string that the event decoded, `counter` its counter.
    #[must_use]
    pub fn bytes<T>(&self, common: &Common<T>, text: &str, counter: Option<i64>) -> Cow<'_, [u8]> {
        match self {
            Self::Received(bytes) => Cow::Borrowed(bytes),
            Self::Predicted { string } => match common.pattern.get() {
                Some(pattern) => {
                    let string = string.as_deref().unwrap_or(text.as_bytes());
                    Cow::Owned(pattern.reconstruct(string, counter))
                }
                None => Cow::Borrowed(b""),
            },
        }
    }
}

/// The values that a predicted frame brought.
pub struct Fields<'a> {
    pub(crate) kind: HoleKind,
    pub(crate) string: Cow<'a, str>,
    pub(crate) payload: Payload<'a>,
    pub(crate) counter: Option<i64>,
    pub(crate) id: EventId<'a>,
}

impl<'a> Fields<'a> {
    /// The string as the pair of answer text and reasoning text.
    pub(crate) fn text_and_thinking(&mut self) -> (Cow<'a, str>, Cow<'a, str>) {
        let string = std::mem::take(&mut self.string);
        match self.kind {
            HoleKind::Text => (string, Cow::Borrowed("")),
            HoleKind::Thinking => (Cow::Borrowed(""), string),
        }
    }
}

/// Where a whole frame lies in its chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameLayout {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Where the payload begins.
    pub(crate) payload: usize,
    /// The value of the frame's only `id:` line.
    pub(crate) id: Option<(usize, usize)>,
}

impl FrameLayout {
    /// The same, counted from the frame's first byte.
    pub(crate) fn relative(self) -> Self {
        Self {
            from: 0,
            to: self.to - self.from,
            payload: self.payload - self.from,
            id: self.id.map(|(start, end)| (start - self.from, end - self.from)),
        }
    }
}

/// A frame with holes.
#[derive(Debug)]
struct Template<S> {
    frame: Box<[u8]>,
    id: Option<(usize, usize)>,
    string: (usize, usize),
    counter: Option<(usize, usize)>,
    kind: HoleKind,
    may_be_empty: bool,
    common: S,
}

/// What a match found, as places in the chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    template: usize,
    pub(crate) length: usize,
    pub(crate) id: Option<(usize, usize)>,
    string: StringSpan,
    counter: Option<i64>,
}

/// The templates of one parser.
#[derive(Debug)]
pub(crate) struct Templates<S> {
    list: Vec<Template<S>>,
    /// Bytes that failed attempts may still spend. Never positive where prediction is switched off.
    budget: i64,
    /// Bytes looked at, for the parser's debug counter.
    pub(crate) examined: u64,
}

impl<S> Templates<S> {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self { list: Vec::new(), budget: if enabled { INITIAL_BUDGET } else { 0 }, examined: 0 }
    }

    pub(crate) const fn may_learn(&self) -> bool {
        self.budget > 0
    }

    /// Finds the template of the frame that begins at the start of `remaining`.
    #[allow(clippy::inline_always, reason = "a match that is handed over in memory is waited for")]
    #[inline(always)]
    pub(crate) fn find(&mut self, remaining: &[u8], max_frame_bytes: usize) -> Option<Match> {
        if self.budget <= 0 {
            return None;
        }
        for at in 0..self.list.len() {
            let mut looked_at = 0;
            let found = self.list[at].matches(remaining, &mut looked_at);
            self.examined += looked_at as u64;
            match found {
                Some(mut found) if found.length <= max_frame_bytes => {
                    self.budget = self
                        .budget
                        .saturating_add(2 * cost(found.length) - cost(looked_at))
                        .min(INITIAL_BUDGET << 8);
                    if at != 0 {
                        self.list[..=at].rotate_right(1);
                    }
                    found.template = 0;
                    return Some(found);
                }
                _ => self.budget -= cost(looked_at),
            }
        }
        None
    }

    /// The values of a found, and what its event shares with its neighbours; `None` if the string, the only hole
    /// where bytes outside ASCII count, is ill-formed.
    #[inline]
    pub(crate) fn read<'a>(&'a self, found: &Match, remaining: &'a [u8]) -> Option<(&'a S, Fields<'a>)> {
        let template = &self.list[found.template];
        let inside = std::str::from_utf8(&remaining[found.string.start..found.string.end]).ok()?;
        let (string, raw) = if found.string.escaped {
            (Cow::Owned(unescape(inside)), Some(Cow::Borrowed(inside.as_bytes())))
        } else {
            (Cow::Borrowed(inside), None)
        };
        let fields = Fields {
            kind: template.kind,
            string,
            payload: Payload::Predicted { string: raw },
            counter: found.counter,
            id: EventId::default(),
        };
        Some((&template.common, fields))
    }
}

impl<T> Templates<Arc<Common<T>>> {
    /// Makes a template of a frame that was parsed in full and whose bytes lie together.
    pub(crate) fn learn(
        &mut self,
        frame: &[u8],
        layout: FrameLayout,
        holes: &Holes,
        common: &Arc<Common<T>>,
        payload: &[u8],
    ) {
        if frame.len() > MAX_TEMPLATE_BYTES {
            return;
        }
        let pattern = PayloadPattern {
            payload: payload.into(),
            string: (holes.string.start, holes.string.end),
            counter: holes.counter,
        };
        if common.pattern.set(pattern).is_err() {
            return;
        }
        self.budget -= cost(frame.len());
        let shift = layout.payload;
        self.list.truncate(MAX_TEMPLATES - 1);
        self.list.insert(
            0,
            Template {
                frame: frame.into(),
                id: layout.id,
                string: (holes.string.start + shift, holes.string.end + shift),
                counter: holes.counter.map(|(start, end)| (start + shift, end + shift)),
                kind: holes.kind,
                may_be_empty: holes.may_be_empty,
                common: common.clone(),
            },
        );
    }
}

/// Where in its template a cut frame stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Before the id's value.
    #[default]
    Lead,
    Id,
    /// Up to the string.
    Head,
    String,
    /// Up to the counter.
    Between,
    Counter,
    Tail,
}

/// How far an escape in the string has come: it may be cut anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// So many hexadecimal digits are missing.
    Hex(u8),
}

/// A frame that a template fits so far and that the chunk's end has cut.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// Which template; `None` while no frame is followed.
    template: Option<usize>,
    stage: Stage,
    /// Bytes of the stage's fixed part that have come.
    matched: usize,
    escape: Escape,
    escaped: bool,
    id: Vec<u8>,
    string: Vec<u8>,
    counter: Vec<u8>,
    /// Bytes of the frame that have come, and the offset of its first.
    pub(crate) length: usize,
    pub(crate) offset: u64,
}

/// What more bytes meant for a cut frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All of them fit, and more must come.
    Short,
    /// The frame is complete after so many of them.
    Complete(usize),
    /// The frame leaves the template after so many of them.
    Miss(usize),
}

impl InFlight {
    pub(crate) const fn is_active(&self) -> bool {
        self.template.is_some()
    }

    fn begin(&mut self, template: usize, offset: u64) {
        self.template = Some(template);
        (self.stage, self.matched, self.escape, self.escaped) = (Stage::Lead, 0, Escape::None, false);
        clear_and_shrink(&mut self.id);
        clear_and_shrink(&mut self.string);
        self.counter.clear();
        (self.length, self.offset) = (0, offset);
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    /// Goes on in the string; `None` when its end has come.
    fn string_step(&mut self, input: &[u8], at: &mut usize) -> Option<Step> {
        loop {
            let Some(&byte) = input.get(*at) else { return Some(Step::Short) };
            let taken = match (self.escape, byte) {
                (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                    self.escape = Escape::None;
                    1
                }
                (Escape::Backslash, b'u') => {
                    self.escape = Escape::Hex(4);
                    1
                }
                (Escape::Hex(missing), _) if byte.is_ascii_hexdigit() => {
                    self.escape = if missing == 1 { Escape::None } else { Escape::Hex(missing - 1) };
                    1
                }
                (Escape::Backslash | Escape::Hex(_), _) | (Escape::None, ..=0x1f) => {
                    return Some(Step::Miss(*at));
                }
                (Escape::None, b'"') => return None,
                (Escape::None, b'\\') => {
                    self.escape = Escape::Backslash;
                    self.escaped = true;
                    1
                }
                (Escape::None, _) => plain_end(input, *at) - *at,
            };
            self.string.extend_from_slice(&input[*at..*at + taken]);
            *at += taken;
        }
    }
}

impl<S> Templates<S> {
    /// Begins to follow the frame that the end of the chunk cuts, if a template fits its beginning.
    pub(crate) fn track(&mut self, remaining: &[u8], offset: u64, in_flight: &mut InFlight) -> bool {
        if self.budget <= 0 {
            return false;
        }
        for at in 0..self.list.len() {
            // More bytes than that would have been a match, or the string is too long for tracking to pay off.
            if remaining.len() < self.list[at].frame.len() + 256 {
                in_flight.begin(at, offset);
                if self.step(remaining, usize::MAX, in_flight) == Step::Short {
                    return true;
                }
                self.budget -= cost(in_flight.length);
                in_flight.template = None;
            }
        }
        false
    }

    /// Compares more bytes with the template of a cut frame.
    pub(crate) fn step(&mut self, input: &[u8], max_frame_bytes: usize, in_flight: &mut InFlight) -> Step {
        let Some(template) = in_flight.template.and_then(|at| self.list.get(at)) else {
            return Step::Miss(0);
        };
        let step = template.step(input, in_flight);
        let looked_at = match step {
            Step::Short => input.len(),
            Step::Complete(length) | Step::Miss(length) => length,
        };
        self.examined += looked_at as u64;
        in_flight.length += looked_at;
        match step {
            Step::Complete(_) if in_flight.length <= max_frame_bytes => {
                self.budget = (self.budget + 2 * cost(in_flight.length)).min(INITIAL_BUDGET << 8);
                step
            }
            Step::Short if in_flight.length <= max_frame_bytes => step,
            Step::Miss(_) => {
                self.budget -= 2 * cost(in_flight.length);
                step
            }
            // Too long to be sure of the limits: the full parse counts them.
            Step::Short | Step::Complete(_) => {
                self.budget -= 2 * cost(in_flight.length);
                Step::Miss(looked_at)
            }
        }
    }

    /// The bytes that have come of a cut frame.
    pub(crate) fn reconstruct(&self, in_flight: &InFlight) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(in_flight.length);
        if let Some(template) = in_flight.template.and_then(|at| self.list.get(at)) {
            template.reconstruct(in_flight, &mut bytes);
        }
        bytes
    }

    /// The values of a cut frame that is complete, and what its event shares with its neighbours.
    pub(crate) fn complete<'a>(&'a self, in_flight: &'a InFlight) -> Option<(&'a S, Fields<'a>)> {
        let template = self.list.get(in_flight.template?)?;
        let inside = std::str::from_utf8(&in_flight.string).ok()?;
        let (string, raw) = if in_flight.escaped {
            (Cow::Owned(unescape(inside)), Some(Cow::Borrowed(inside.as_bytes())))
        } else {
            (Cow::Borrowed(inside), None)
        };
        let fields = Fields {
            kind: template.kind,
            string,
            payload: Payload::Predicted { string: raw },
            counter: template
                .counter
                .and_then(|_| read_counter(&in_flight.counter))
                .map(|(number, _)| number),
            id: EventId::default(),
        };
        Some((&template.common, fields))
    }

    /// Whether the frame's template has a hole for the id, and its last byte.
    pub(crate) fn ending(&self, in_flight: &InFlight) -> (bool, Option<u8>) {
        match in_flight.template.and_then(|at| self.list.get(at)) {
            Some(template) => (template.id.is_some(), template.frame.last().copied()),
            None => (false, None),
        }
    }
}

impl InFlight {
    /// No frame is followed any more.
    pub(crate) fn finish(&mut self) {
        self.template = None;
    }
}

impl<S> Template<S> {
    /// The fixed bytes of a stage.
    fn fixed(&self, stage: Stage) -> &[u8] {
        let from = |place: Option<(usize, usize)>, otherwise: usize| place.map_or(otherwise, |(_, end)| end);
        match stage {
            Stage::Lead => &self.frame[..self.id.map_or(0, |(start, _)| start)],
            Stage::Head => &self.frame[from(self.id, 0)..self.string.0],
            Stage::Between => {
                &self.frame[self.string.1..self.counter.map_or(self.string.1, |(start, _)| start)]
            }
            Stage::Tail => &self.frame[from(self.counter, self.string.1)..],
            Stage::Id | Stage::String | Stage::Counter => &[],
        }
    }

    /// Goes on with a cut frame; see [`Templates::step`].
    fn step(&self, input: &[u8], in_flight: &mut InFlight) -> Step {
        let mut at = 0;
        loop {
            match in_flight.stage {
                Stage::Lead | Stage::Head | Stage::Between | Stage::Tail => {
                    let wanted = &self.fixed(in_flight.stage)[in_flight.matched..];
                    let given = &input[at..];
                    let common = wanted.len().min(given.len());
                    if wanted[..common] != given[..common] {
                        return Step::Miss(at);
                    }
                    at += common;
                    in_flight.matched += common;
                    if common < wanted.len() {
                        return Step::Short;
                    }
                    if in_flight.stage == Stage::Tail {
                        return Step::Complete(at);
                    }
                    in_flight.matched = 0;
                    in_flight.stage = match in_flight.stage {
                        Stage::Lead if self.id.is_some() => Stage::Id,
                        Stage::Lead => Stage::Head,
                        Stage::Head => Stage::String,
                        _ => Stage::Counter,
                    };
                }
                Stage::Id => {
                    let given = &input[at..];
                    let end = memchr::memchr2(b'\n', b'\r', given).unwrap_or(given.len());
                    // The space after the colon is no part of the value: another layout than the template's.
                    let after_colon = self.id.is_some_and(|(start, _)| self.frame[start - 1] == b':');
                    let spaced = in_flight.id.is_empty() && after_colon && given.first() == Some(&b' ');
                    if spaced || has_control(&given[..end]) {
                        return Step::Miss(at);
                    }
                    in_flight.id.extend_from_slice(&given[..end]);
                    at += end;
                    if end == given.len() {
                        return Step::Short;
                    }
                    in_flight.stage = Stage::Head;
                }
                Stage::String => match in_flight.string_step(input, &mut at) {
                    Some(step) => return step,
                    None if in_flight.string.is_empty() && !self.may_be_empty => return Step::Miss(at),
                    None if self.counter.is_some() => in_flight.stage = Stage::Between,
                    None => in_flight.stage = Stage::Tail,
                },
                Stage::Counter => {
                    let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    if in_flight.counter.len() + digits > MAX_DIGITS {
                        return Step::Miss(at);
                    }
                    in_flight.counter.extend_from_slice(&input[at..at + digits]);
                    at += digits;
                    if at == input.len() {
                        return Step::Short;
                    }
                    if read_counter(&in_flight.counter).is_none() {
                        return Step::Miss(at);
                    }
                    in_flight.stage = Stage::Tail;
                }
            }
        }
    }

    fn reconstruct(&self, in_flight: &InFlight, bytes: &mut Vec<u8>) {
        let order =
            [Stage::Lead, Stage::Id, Stage::Head, Stage::String, Stage::Between, Stage::Counter, Stage::Tail];
        for stage in order {
            let now = stage == in_flight.stage;
            match stage {
                Stage::Id => bytes.extend_from_slice(&in_flight.id),
                Stage::String => bytes.extend_from_slice(&in_flight.string),
                Stage::Counter => bytes.extend_from_slice(&in_flight.counter),
                fixed if now => bytes.extend_from_slice(&self.fixed(fixed)[..in_flight.matched]),
                // A template without a counter goes from the string to the tail.
                Stage::Between if self.counter.is_none() => {}
                fixed => bytes.extend_from_slice(self.fixed(fixed)),
            }
            if now {
                return;
            }
        }
    }

    /// Compares fixed bytes and reads holes; `None` where anything does not fit or the frame is not whole.
    #[allow(clippy::inline_always, reason = "as `find`, its only caller")]
    #[inline(always)]
    fn matches(&self, remaining: &[u8], looked_at: &mut usize) -> Option<Match> {
        let mut at = 0;
        let mut fixed_from = 0;
        let mut id = None;
        if let Some((start, end)) = self.id {
            *looked_at = start;
            if !begins_alike(remaining, &self.frame, start) {
                return None;
            }
            let id_end = self.id_end(remaining, start, end - start)?;
            *looked_at = id_end;
            id = Some((start, id_end));
            at = id_end;
            fixed_from = end;
        }
        let head = &self.frame[fixed_from..self.string.0];
        *looked_at += head.len();
        if !remaining[at..].starts_with(head) {
            return None;
        }
        at += head.len();
        let (string, escaped) = string_end(remaining, at)?;
        *looked_at += string - at;
        let string = StringSpan { start: at, end: string, escaped };
        if string.start == string.end && !self.may_be_empty {
            return None;
        }
        at = string.end;
        fixed_from = self.string.1;
        let mut counter = None;
        if let Some((start, end)) = self.counter {
            let between = &self.frame[fixed_from..start];
            *looked_at += between.len();
            if !remaining[at..].starts_with(between) {
                return None;
            }
            at += between.len();
            let (number, digits) = read_counter(&remaining[at..])?;
            counter = Some(number);
            at += digits;
            fixed_from = end;
        }
        let tail = &self.frame[fixed_from..];
        *looked_at += tail.len();
        if !remaining[at..].starts_with(tail) {
            return None;
        }
        Some(Match { template: 0, length: at + tail.len(), id, string, counter })
    }

    /// Where the id's value ends, which has almost always the length of the one before.
    #[inline]
    fn id_end(&self, remaining: &[u8], start: usize, guess: usize) -> Option<usize> {
        let value = remaining.get(start..start + guess)?;
        if value.first() == Some(&b' ') && self.frame[start - 1] == b':' {
            // The space after the colon is no part of the value: another layout than the template's.
            return None;
        }
        let terminator = self.frame[start + guess];
        if remaining.get(start + guess) == Some(&terminator) && !has_control(value) {
            return Some(start + guess);
        }
        let length = memchr::memchr2(b'\n', b'\r', &remaining[start..])?;
        let value = &remaining[start..start + length];
        if value.first() == Some(&b' ') && self.frame[start - 1] == b':' {
            return None;
        }
        (!has_control(value)).then_some(start + length)
    }
}

/// Whether the first `length` bytes are the same. As a rule these are the three of `id:`, for which a call to compare
/// them would cost more than they do.
#[inline]
fn begins_alike(remaining: &[u8], frame: &[u8], length: usize) -> bool {
    match (remaining.first_chunk(), frame.first_chunk()) {
        (Some(one), Some(other)) if (1..=8).contains(&length) => {
            let differ = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
            differ << (64 - 8 * length) == 0
        }
        _ => remaining.starts_with(&frame[..length]),
    }
}

/// Bytes as an entry of the account of attempts.
fn cost(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 4)
}

/// A number as a counter writes it: without sign, without leading zeros.
fn read_counter(remaining: &[u8]) -> Option<(i64, usize)> {
    let digits = remaining.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > MAX_DIGITS || (digits > 1 && remaining[0] == b'0') {
        return None;
    }
    let number = remaining[..digits].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((number, digits))
}
