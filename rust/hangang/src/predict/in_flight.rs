//! A frame that the end of a chunk cuts, tracked through the next chunks while a template fits it.
//!
//! Always true: nothing is kept of such a frame but the values of its holes. Where it leaves the template, what was
//! seen is reconstructed from the template and given to the full parse, so no byte is lost and none is read twice by it.
//!
//! What will bite:
//! - a hole may be cut anywhere, also inside `\ud55c` or between the digits of a counter: [`InFlight`] remembers how
//!   far it is;
//! - the framer has seen nothing of the frame, so what it would hold of it has to be computed (`StreamParser::pending`).

use std::sync::Arc;

use super::common::Common;
use super::template::{Fields, MAX_DIGITS, Template, Templates, read_counter};
use crate::framing::clear_and_shrink;
use crate::json::{has_control, plain_end};
use crate::span::Span;

/// How much longer than its template the tail of a chunk may be and still be tracked. More bytes than that would have
/// been a whole match, or the string is too long for tracking to pay off.
const MAX_EXCESS: usize = 256;

/// Where in its template a frame in flight is.
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

/// How much of an escape in the string has been seen: it may be cut anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// This many hexadecimal digits are missing.
    Hex(u8),
}

/// A frame that a template fits so far and that the chunk's end has cut.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// Which template; `None` while no frame is tracked.
    template: Option<usize>,
    stage: Stage,
    /// Bytes of the stage's fixed part that were seen.
    matched: usize,
    escape: Escape,
    escaped: bool,
    id: Vec<u8>,
    string: Vec<u8>,
    counter: Vec<u8>,
    /// Bytes of the frame that were seen, and the offset of its first.
    pub(crate) length: usize,
    pub(crate) offset: u64,
}

/// What more bytes mean for a frame in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All of them fit, and the frame is not complete.
    Incomplete,
    /// The frame is complete after this many of them.
    Complete(usize),
    /// The frame leaves the template after this many of them.
    Miss(usize),
}

/// What one hole makes of more bytes.
enum HoleStep {
    /// They all belong to it, as far as one can see.
    Incomplete,
    /// It ends before the byte at the position.
    Complete,
    /// It does not fit.
    Miss,
}

impl InFlight {
    pub(crate) const fn is_active(&self) -> bool {
        self.template.is_some()
    }

    /// No frame is tracked any more.
    pub(crate) fn finish(&mut self) {
        self.template = None;
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    fn begin(&mut self, template: usize, offset: u64) {
        self.template = Some(template);
        (self.stage, self.matched, self.escape, self.escaped) = (Stage::Lead, 0, Escape::None, false);
        clear_and_shrink(&mut self.id);
        clear_and_shrink(&mut self.string);
        self.counter.clear();
        (self.length, self.offset) = (0, offset);
    }

    /// Continues in the id. `after_colon`: a space at its beginning would not be part of the value.
    fn id_step(&mut self, input: &[u8], position: &mut usize, after_colon: bool) -> HoleStep {
        let given = &input[*position..];
        let end = memchr::memchr2(b'\n', b'\r', given).unwrap_or(given.len());
        let spaced = self.id.is_empty() && after_colon && given.first() == Some(&b' ');
        if spaced || has_control(&given[..end]) {
            return HoleStep::Miss;
        }
        self.id.extend_from_slice(&given[..end]);
        *position += end;
        if end == given.len() { HoleStep::Incomplete } else { HoleStep::Complete }
    }

    /// Continues in the string.
    fn string_step(&mut self, input: &[u8], position: &mut usize) -> HoleStep {
        loop {
            let Some(&byte) = input.get(*position) else { return HoleStep::Incomplete };
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
                (Escape::Backslash | Escape::Hex(_), _) | (Escape::None, ..=0x1f) => return HoleStep::Miss,
                (Escape::None, b'"') => return HoleStep::Complete,
                (Escape::None, b'\\') => {
                    self.escape = Escape::Backslash;
                    self.escaped = true;
                    1
                }
                (Escape::None, _) => plain_end(input, *position) - *position,
            };
            self.string.extend_from_slice(&input[*position..*position + taken]);
            *position += taken;
        }
    }

    /// Continues in the counter.
    fn counter_step(&mut self, input: &[u8], position: &mut usize) -> HoleStep {
        let digits = input[*position..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if self.counter.len() + digits > MAX_DIGITS {
            return HoleStep::Miss;
        }
        self.counter.extend_from_slice(&input[*position..*position + digits]);
        *position += digits;
        if *position == input.len() {
            HoleStep::Incomplete
        } else if read_counter(&self.counter).is_none() {
            HoleStep::Miss
        } else {
            HoleStep::Complete
        }
    }

    /// Continues in fixed bytes.
    fn fixed_step(&mut self, fixed: &[u8], input: &[u8], position: &mut usize) -> HoleStep {
        let wanted = &fixed[self.matched..];
        let given = &input[*position..];
        let length = wanted.len().min(given.len());
        if wanted[..length] != given[..length] {
            return HoleStep::Miss;
        }
        *position += length;
        self.matched += length;
        if length < wanted.len() { HoleStep::Incomplete } else { HoleStep::Complete }
    }
}

impl<T> Templates<T> {
    /// Begins to track the frame that the end of the chunk cuts, if a template fits its beginning.
    pub(crate) fn track(&mut self, remaining: &[u8], offset: u64, in_flight: &mut InFlight) -> bool {
        if self.budget.is_exhausted() {
            return false;
        }
        for at in 0..self.list.len() {
            if remaining.len() < self.list[at].frame.len() + MAX_EXCESS {
                in_flight.begin(at, offset);
                if self.step(remaining, usize::MAX, in_flight) == Step::Incomplete {
                    return true;
                }
                self.budget.charge(in_flight.length);
                in_flight.finish();
            }
        }
        false
    }

    /// Compares more bytes with the template of the frame in flight.
    pub(crate) fn step(&mut self, input: &[u8], max_frame_bytes: usize, in_flight: &mut InFlight) -> Step {
        let Some(template) = in_flight.template.and_then(|at| self.list.get(at)) else {
            return Step::Miss(0);
        };
        let mut step = template.step(input, in_flight);
        let looked_at = match step {
            Step::Incomplete => input.len(),
            Step::Complete(length) | Step::Miss(length) => length,
        };
        self.examined += looked_at as u64;
        in_flight.length += looked_at;
        if in_flight.length > max_frame_bytes {
            // It may break a limit: the full parse counts them.
            step = Step::Miss(looked_at);
        }
        match step {
            Step::Incomplete => {}
            Step::Complete(_) => self.budget.earn(in_flight.length),
            Step::Miss(_) => self.budget.charge(2 * in_flight.length),
        }
        step
    }

    /// The bytes of the frame in flight, as they were seen.
    pub(crate) fn reconstruct(&self, in_flight: &InFlight) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(in_flight.length);
        if let Some(template) = in_flight.template.and_then(|at| self.list.get(at)) {
            template.reconstruct(in_flight, &mut bytes);
        }
        bytes
    }

    /// What the frame in flight holds, which is complete, and the common fields of its event; `None` if the string is
    /// not UTF-8.
    pub(crate) fn complete<'a>(
        &'a self,
        in_flight: &'a InFlight,
    ) -> Option<(&'a Arc<Common<T>>, Fields<'a>)> {
        let template = self.list.get(in_flight.template?)?;
        let inside = std::str::from_utf8(&in_flight.string).ok()?;
        let counter =
            template.counter.and_then(|_| read_counter(&in_flight.counter)).map(|(number, _)| number);
        Some((&template.common, Fields::new(template.kind, inside, in_flight.escaped, counter)))
    }

    /// Whether the frame's template has a hole for the id, and its last byte.
    pub(crate) fn ending(&self, in_flight: &InFlight) -> (bool, Option<u8>) {
        match in_flight.template.and_then(|at| self.list.get(at)) {
            Some(template) => (template.id.is_some(), template.frame.last().copied()),
            None => (false, None),
        }
    }
}

impl<T> Template<T> {
    /// The fixed bytes of a stage.
    fn fixed(&self, stage: Stage) -> &[u8] {
        let end = |hole: Option<Span>, otherwise: usize| hole.map_or(otherwise, |hole| hole.end);
        match stage {
            Stage::Lead => &self.frame[..self.id.map_or(0, |hole| hole.start)],
            Stage::Head => &self.frame[end(self.id, 0)..self.string.start],
            Stage::Between => {
                &self.frame[self.string.end..self.counter.map_or(self.string.end, |hole| hole.start)]
            }
            Stage::Tail => &self.frame[end(self.counter, self.string.end)..],
            Stage::Id | Stage::String | Stage::Counter => &[],
        }
    }

    /// The stage after this one; a template without id or counter skips theirs. `None` after the last.
    fn next_stage(&self, stage: Stage) -> Option<Stage> {
        Some(match stage {
            Stage::Lead if self.id.is_some() => Stage::Id,
            Stage::Lead | Stage::Id => Stage::Head,
            Stage::Head => Stage::String,
            Stage::String if self.counter.is_some() => Stage::Between,
            Stage::Between => Stage::Counter,
            Stage::String | Stage::Counter => Stage::Tail,
            Stage::Tail => return None,
        })
    }

    /// Continues with a frame in flight; see [`Templates::step`].
    fn step(&self, input: &[u8], in_flight: &mut InFlight) -> Step {
        let mut position = 0;
        loop {
            let stage = in_flight.stage;
            let step = match stage {
                Stage::Id => {
                    let after_colon = self.id.is_some_and(|hole| self.frame[hole.start - 1] == b':');
                    in_flight.id_step(input, &mut position, after_colon)
                }
                Stage::String => match in_flight.string_step(input, &mut position) {
                    HoleStep::Complete if in_flight.string.is_empty() && !self.may_be_empty => HoleStep::Miss,
                    step => step,
                },
                Stage::Counter => in_flight.counter_step(input, &mut position),
                fixed => in_flight.fixed_step(self.fixed(fixed), input, &mut position),
            };
            match step {
                HoleStep::Incomplete => return Step::Incomplete,
                HoleStep::Miss => return Step::Miss(position),
                HoleStep::Complete => match self.next_stage(stage) {
                    Some(next) => (in_flight.stage, in_flight.matched) = (next, 0),
                    None => return Step::Complete(position),
                },
            }
        }
    }

    fn reconstruct(&self, in_flight: &InFlight, bytes: &mut Vec<u8>) {
        let mut stage = Stage::Lead;
        loop {
            let is_last = stage == in_flight.stage;
            match stage {
                Stage::Id => bytes.extend_from_slice(&in_flight.id),
                Stage::String => bytes.extend_from_slice(&in_flight.string),
                Stage::Counter => bytes.extend_from_slice(&in_flight.counter),
                fixed if is_last => bytes.extend_from_slice(&self.fixed(fixed)[..in_flight.matched]),
                fixed => bytes.extend_from_slice(self.fixed(fixed)),
            }
            match self.next_stage(stage) {
                Some(next) if !is_last => stage = next,
                _ => return,
            }
        }
    }
}
