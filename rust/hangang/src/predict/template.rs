//! Templates: frames that were parsed in full, with holes where the next ones will differ.
//!
//! A template is the bytes of a whole frame with up to three holes: the value of its `id:` line, the string that
//! carries the delta, and CLOVA v1's counter after it. Equal fixed bytes and a valid value in each hole mean an equal
//! parse, so only the holes are read.
//!
//! Always true:
//! - a template is tried only where a frame begins and nothing of it is held;
//! - a match is a whole frame, no longer than `max_frame_bytes`: it can break no limit of size, and its depth is that
//!   of the template;
//! - a string must be valid UTF-8 and valid JSON, or the template does not match. Nothing is raised here.
//!
//! What will bite:
//! - `id:x` and `id: x` are different layouts, as a space after the colon is not part of the value. An id that begins
//!   with a space fits neither ([`Template::id_end`]);
//! - some strings change their meaning when they are empty ([`Holes::may_be_empty`]): without its reasoning, an
//!   OpenAI-compatible delta would be searched for reasoning under another name;
//! - a counter with a leading zero is not JSON, and one of 19 digits may not fit 64 bits ([`read_counter`]).

use std::borrow::Cow;
use std::sync::Arc;

use super::budget::Budget;
use super::common::{Common, Payload, PayloadPattern};
use crate::framing::event_id::EventId;
use crate::json::{StringSpan, has_control, string_end, unescape};
use crate::span::{FrameLayout, Span};

/// Most templates of a parser, the last used first.
const MAX_TEMPLATES: usize = 4;
/// Longest frame that becomes a template.
const MAX_TEMPLATE_BYTES: usize = 64 << 10;
/// Longest counter, in digits: it cannot pass 64 bits.
pub(super) const MAX_DIGITS: usize = 18;

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
    /// The digits of the counter, after the string.
    pub(crate) counter: Option<Span>,
    /// Whether an empty string there means the same kind of event.
    pub(crate) may_be_empty: bool,
}

/// What was read from the holes of a predicted frame.
pub struct Fields<'a> {
    pub(crate) kind: HoleKind,
    pub(crate) string: Cow<'a, str>,
    pub(crate) payload: Payload<'a>,
    pub(crate) counter: Option<i64>,
    pub(crate) id: EventId<'a>,
}

impl<'a> Fields<'a> {
    /// `inside` is the string as received, between its quotes.
    #[inline]
    pub(super) fn new(kind: HoleKind, inside: &'a str, escaped: bool, counter: Option<i64>) -> Self {
        let (string, received) = if escaped {
            (Cow::Owned(unescape(inside)), Some(Cow::Borrowed(inside.as_bytes())))
        } else {
            (Cow::Borrowed(inside), None)
        };
        let payload = Payload::Predicted { string: received };
        Self { kind, string, payload, counter, id: EventId::default() }
    }

    /// The string as the pair of answer text and reasoning text.
    pub(crate) fn text_and_thinking(&mut self) -> (Cow<'a, str>, Cow<'a, str>) {
        let string = std::mem::take(&mut self.string);
        match self.kind {
            HoleKind::Text => (string, Cow::Borrowed("")),
            HoleKind::Thinking => (Cow::Borrowed(""), string),
        }
    }
}

/// A frame with holes.
#[derive(Debug)]
pub(super) struct Template<T> {
    pub(super) frame: Box<[u8]>,
    pub(super) id: Option<Span>,
    pub(super) string: Span,
    pub(super) counter: Option<Span>,
    pub(super) kind: HoleKind,
    pub(super) may_be_empty: bool,
    pub(super) common: Arc<Common<T>>,
}

/// A whole frame that the first template fits, as places in the chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub(crate) length: usize,
    pub(crate) id: Option<Span>,
    string: StringSpan,
    counter: Option<i64>,
}

impl Match {
    /// What the string is between its quotes; `None` if it is not UTF-8. No other hole can have bytes outside ASCII that
    /// count.
    #[inline]
    pub(crate) fn string<'a>(&self, remaining: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(&remaining[self.string.start..self.string.end]).ok()
    }

    #[inline]
    pub(crate) fn fields<'a>(&self, kind: HoleKind, string: &'a str) -> Fields<'a> {
        Fields::new(kind, string, self.string.escaped, self.counter)
    }
}

/// The templates of one parser.
#[derive(Debug)]
pub(crate) struct Templates<T> {
    pub(super) list: Vec<Template<T>>,
    pub(super) budget: Budget,
    /// Bytes looked at, for the parser's debug counter.
    pub(crate) examined: u64,
}

impl<T> Templates<T> {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self { list: Vec::new(), budget: Budget::new(enabled), examined: 0 }
    }

    pub(crate) const fn may_learn(&self) -> bool {
        !self.budget.is_exhausted()
    }

    /// Finds the template of the frame that begins at the start of `remaining`, and moves it to the front.
    #[allow(clippy::inline_always, reason = "a match that is handed over in memory is waited for")]
    #[inline(always)]
    pub(crate) fn find_match(&mut self, remaining: &[u8], max_frame_bytes: usize) -> Option<Match> {
        if self.budget.is_exhausted() {
            return None;
        }
        for at in 0..self.list.len() {
            let mut looked_at = 0;
            let found = self.list[at].matches(remaining, &mut looked_at);
            self.examined += looked_at as u64;
            self.budget.charge(looked_at);
            match found {
                Some(found) if found.length <= max_frame_bytes => {
                    self.budget.earn(found.length);
                    if at != 0 {
                        self.list[..=at].rotate_right(1);
                    }
                    return Some(found);
                }
                _ => {}
            }
        }
        None
    }

    /// The common fields of a match's event, and which field its string is.
    #[inline]
    pub(crate) fn first(&self) -> Option<(&Arc<Common<T>>, HoleKind)> {
        self.list.first().map(|template| (&template.common, template.kind))
    }

    /// Makes a template of a frame that was parsed in full and whose bytes lie together.
    pub(crate) fn learn(
        &mut self,
        layout: &FrameLayout<'_>,
        holes: &Holes,
        common: &Arc<Common<T>>,
        payload: &[u8],
    ) {
        let frame = layout.bytes;
        if frame.len() > MAX_TEMPLATE_BYTES {
            return;
        }
        let string = Span::new(holes.string.start, holes.string.end);
        if !common.set_pattern(PayloadPattern { payload: payload.into(), string, counter: holes.counter }) {
            return;
        }
        self.budget.charge(frame.len());
        self.list.truncate(MAX_TEMPLATES - 1);
        self.list.insert(
            0,
            Template {
                frame: frame.into(),
                id: layout.id,
                string: string.shifted(layout.payload),
                counter: holes.counter.map(|counter| counter.shifted(layout.payload)),
                kind: holes.kind,
                may_be_empty: holes.may_be_empty,
                common: common.clone(),
            },
        );
    }
}

impl<T> Template<T> {
    /// Compares fixed bytes and reads holes; `None` where anything does not fit or the frame is not whole.
    #[allow(clippy::inline_always, reason = "as `find_match`, its only caller")]
    #[inline(always)]
    fn matches(&self, remaining: &[u8], looked_at: &mut usize) -> Option<Match> {
        let mut position = 0;
        let mut fixed_from = 0;
        let mut id = None;
        if let Some(hole) = self.id {
            *looked_at = hole.start;
            if !begins_alike(remaining, &self.frame, hole.start) {
                return None;
            }
            let end = self.id_end(remaining, hole)?;
            *looked_at = end;
            id = Some(Span::new(hole.start, end));
            position = end;
            fixed_from = hole.end;
        }
        let mut fixed = |position: &mut usize, fixed: &[u8]| {
            let fits = remaining[*position..].starts_with(fixed);
            *position += fixed.len();
            *looked_at = *position;
            fits
        };
        if !fixed(&mut position, &self.frame[fixed_from..self.string.start]) {
            return None;
        }
        let (end, escaped) = string_end(remaining, position)?;
        let string = StringSpan { start: position, end, escaped };
        if string.start == string.end && !self.may_be_empty {
            return None;
        }
        position = end;
        fixed_from = self.string.end;
        let mut counter = None;
        if let Some(hole) = self.counter {
            if !fixed(&mut position, &self.frame[fixed_from..hole.start]) {
                return None;
            }
            let (number, digits) = read_counter(&remaining[position..])?;
            counter = Some(number);
            position += digits;
            fixed_from = hole.end;
        }
        if !fixed(&mut position, &self.frame[fixed_from..]) {
            return None;
        }
        Some(Match { length: position, id, string, counter })
    }

    /// Where the value of the `id:` line ends. It almost always has the length of the one before, so that place is
    /// looked at first.
    #[inline]
    fn id_end(&self, remaining: &[u8], hole: Span) -> Option<usize> {
        let Span { start, end } = hole;
        let value = remaining.get(start..end)?;
        // The space after the colon is not part of the value: another layout than the template's.
        let spaced = |value: &[u8]| value.first() == Some(&b' ') && self.frame[start - 1] == b':';
        if spaced(value) {
            return None;
        }
        if remaining.get(end) == Some(&self.frame[end]) && !has_control(value) {
            return Some(end);
        }
        let length = memchr::memchr2(b'\n', b'\r', &remaining[start..])?;
        let value = &remaining[start..start + length];
        (!spaced(value) && !has_control(value)).then_some(start + length)
    }
}

/// Whether the first `length` bytes are the same. Mostly these are the three of `id:`, and a call to compare them would
/// cost more than they do.
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

/// A number as a counter writes it, without sign or leading zeros, and how many digits it has.
pub(super) fn read_counter(bytes: &[u8]) -> Option<(i64, usize)> {
    let digits = bytes.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > MAX_DIGITS || (digits > 1 && bytes[0] == b'0') {
        return None;
    }
    let number = bytes[..digits].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((number, digits))
}
