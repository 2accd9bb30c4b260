//! OpenAI-compatible chat streams: CLOVA Studio Gov, CLOVA's `/v1/openai`, `vLLM`, `SGLang`, Friendli
//! ([openai §3, §8]).
//!
//! Always true:
//! - shapes decide; of the event names only `error` means something. Errors are looked for first, in every place where
//!   servers put them (`Members::failure`);
//! - text is never dropped because of its type: a number or boolean is its own JSON text;
//! - `[DONE]`, an error, or a finish reason of every choice that was shown ends the stream.
//!
//! What will bite:
//! - reasoning has many names, and a server may send the same text under two of them: one is taken, never two;
//! - `message` is the whole answer of a one-shot body, but beside deltas it repeats them. A field of it counts only while
//!   no delta of that choice has brought one ([openai §8.4]);
//! - predicted frames must set the same flags as parsed ones, or a later snapshot would be delivered again;
//! - `""` and `"null"` are not finish reasons, or a cut stream would look complete.

use std::borrow::Cow;
use std::sync::Arc;

use super::debug::debug_fields;
use super::thinking_tags::{Split, Splitter};
use super::wire::{
    Pieces, ToolCallDelta, Usage, boxed, code, finish_reason, function, joined_scalar_parts, optional_list,
    optional_object, own, tool_calls,
};
use crate::dialect::{
    Common, CommonRef, Decoded, Deferred, Dialect, Fields, Frame, Malformed, Options, Payload, StreamEvent,
    sealed::Sealed,
};
use crate::error::{ErrorKind, FrameError, Missing};
use crate::json::{Cursor, Kind, Text, members};
use crate::predict::template::{HoleKind, Holes};
use crate::service::Service;

pub use super::thinking_tags::{InvalidTags, ThinkingTags};
pub use super::wire::Code;

/// The parser of OpenAI-compatible streams.
pub type StreamParser = crate::parser::StreamParser<OpenAi>;

/// The most choices of a stream that are followed. Of those beyond, messages are taken for snapshots, and the stream can
/// only end by `[DONE]` or an error.
const MAX_FOLLOWED: usize = 128;

impl StreamParser {
    /// A parser for servers that leave reasoning inside the content.
    #[must_use]
    pub fn with_thinking_tags(tags: ThinkingTags, options: Options) -> Self {
        Self::with_dialect(OpenAi { tags: Some(tags), ..OpenAi::default() }, options)
    }
}

/// The events of an OpenAI-compatible stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A delta, a usage report, or a whole answer.
    Chunk(Chunk<'a>),
    /// `[DONE]`.
    Done(Done<'a>),
    /// An error of the service, inside the stream.
    Error(Box<Error<'a>>),
    /// A frame of another shape, kept as it is.
    Unknown(Unknown<'a>),
    /// A bad frame, in `report` mode.
    Malformed(Malformed<'a>),
}

/// One chunk. Its text and thinking are those of its main choice; fields that neighbours repeat are
/// in [`ChunkCommon`] and read as if they were the chunk's own.
#[derive(Clone, Default, PartialEq)]
pub struct Chunk<'a> {
    /// Answer text of the main choice.
    pub text: Cow<'a, str>,
    /// Reasoning text of the main choice.
    pub thinking: Cow<'a, str>,
    /// The fields that neighbouring events repeat.
    pub common: CommonRef<'a, ChunkCommon>,
    /// What [`raw`](Self::raw) is made of.
    pub payload: Payload<'a>,
}

/// The fields of a chunk that its neighbours repeat.
#[derive(Default, PartialEq)]
pub struct ChunkCommon {
    /// The stream's id, the same in all its chunks.
    pub id: Option<Box<str>>,
    /// The model as the server names it.
    pub model: Option<Box<str>>,
    /// Unix time in seconds.
    pub created: Option<i64>,
    /// Token counts, mostly in a chunk of its own without choices.
    pub usage: Option<Usage>,
    /// The choices; the main one's text and thinking are in the chunk.
    pub choices: Box<[Choice]>,
    /// Which choice carries the answer: the first whose index is 0.
    pub main: Option<usize>,
}

impl std::ops::Deref for Chunk<'_> {
    type Target = ChunkCommon;

    fn deref(&self) -> &ChunkCommon {
        &self.common
    }
}

impl Chunk<'_> {
    /// The payload as received.
    #[must_use]
    pub fn raw(&self) -> Cow<'_, [u8]> {
        let string = if self.text.is_empty() { &self.thinking } else { &self.text };
        self.payload.bytes(self.common.arc(), string, None)
    }

    /// Whether it has no payload: then it has what thinking tags held back.
    fn is_held(&self) -> bool {
        matches!(&self.payload, Payload::Received(bytes) if bytes.is_empty())
    }

    /// Whether its deltas are the text and the thinking of the main choice, and nothing else.
    fn has_only_main_deltas(&self) -> bool {
        match (&*self.choices, self.main) {
            ([], _) => true,
            ([only], Some(0)) => only.tool_calls.is_empty() && only.refusal.is_empty(),
            _ => false,
        }
    }

    /// The choice that carries the answer.
    #[must_use]
    pub fn main_choice(&self) -> Option<&Choice> {
        self.choices.get(self.main?)
    }
}

/// A delta of one choice.
#[derive(Clone, Default, PartialEq)]
pub struct Choice {
    /// Which of the `n` answers.
    pub index: i64,
    /// Answer text; empty in the main choice, whose text is the chunk's.
    pub text: Box<str>,
    /// Reasoning text; empty in the main choice.
    pub thinking: Box<str>,
    /// `assistant`, in the first chunk.
    pub role: Option<Box<str>>,
    /// Pieces of tool calls.
    pub tool_calls: Box<[ToolCallDelta]>,
    /// Why the model stopped.
    pub finish_reason: Option<Box<str>>,
    /// The model's refusal, which is not answer text.
    pub refusal: Box<str>,
}

/// The end marker.
#[derive(Clone, Default, PartialEq)]
pub struct Done<'a> {
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// An error inside the stream.
#[derive(Clone, Default, PartialEq)]
pub struct Error<'a> {
    /// A number or a name.
    pub code: Option<Code<'a>>,
    /// The service's message.
    pub message: Cow<'a, str>,
    /// `invalid_request_error`, …
    pub kind: Option<Cow<'a, str>>,
    /// The parameter at fault.
    pub param: Option<Cow<'a, str>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A frame that is not one of the above.
#[derive(Clone, Default, PartialEq)]
pub struct Unknown<'a> {
    /// The payload's text.
    pub data: Cow<'a, str>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

debug_fields! {
    Chunk<'_> = "Chunk" { text, thinking, id, model, created, usage, choices }
    ChunkCommon = "ChunkCommon" { id, model, created, usage, choices }
    Choice = "Choice" { index, text, thinking, role, tool_calls, finish_reason, refusal }
    Done<'_> = "Done" { ; bytes raw }
    Error<'_> = "Error" { code, message, kind, param; bytes raw }
    Unknown<'_> = "Unknown" { data; bytes raw }
}

impl<'a> StreamEvent<'a> for Event<'a> {
    type Owned = Event<'static>;

    fn text(&self) -> &str {
        match self {
            Self::Chunk(chunk) => &chunk.text,
            _ => "",
        }
    }

    fn thinking(&self) -> &str {
        match self {
            Self::Chunk(chunk) => &chunk.thinking,
            _ => "",
        }
    }

    fn raw(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Chunk(chunk) => chunk.raw(),
            Self::Done(done) => Cow::Borrowed(&done.raw),
            Self::Error(error) => Cow::Borrowed(&error.raw),
            Self::Unknown(unknown) => Cow::Borrowed(&unknown.raw),
            Self::Malformed(malformed) => Cow::Borrowed(&malformed.raw),
        }
    }

    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_) | Self::Malformed(_))
    }

    fn deferred(&self) -> Option<Deferred> {
        match self {
            Self::Chunk(chunk) if chunk.is_held() => Some(Deferred::Held),
            Self::Error(_) => Some(Deferred::Error),
            Self::Done(_) => Some(Deferred::Done),
            _ => None,
        }
    }

    fn malformed(malformed: Malformed<'a>) -> Self {
        Self::Malformed(malformed)
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Chunk(chunk) => Event::Chunk(Chunk {
                text: own(chunk.text),
                thinking: own(chunk.thinking),
                common: chunk.common.into_owned(),
                payload: chunk.payload.into_owned(),
            }),
            Self::Done(Done { raw }) => Event::Done(Done { raw: own(raw) }),
            Self::Error(error) => Event::Error(Box::new(Error {
                code: error.code.map(Code::into_owned),
                message: own(error.message),
                kind: error.kind.map(own),
                param: error.param.map(own),
                raw: own(error.raw),
            })),
            Self::Unknown(Unknown { data, raw }) => {
                Event::Unknown(Unknown { data: own(data), raw: own(raw) })
            }
            Self::Malformed(malformed) => Event::Malformed(malformed.into_owned()),
        }
    }
}

/// The fields of a choice that a `message` may repeat.
mod seen {
    pub(super) const TEXT: u8 = 1;
    pub(super) const THINKING: u8 = 2;
    pub(super) const REFUSAL: u8 = 4;
    pub(super) const TOOL_CALLS: u8 = 8;
}

/// A choice of the stream.
#[derive(Clone, Debug)]
struct Followed {
    index: i64,
    /// Which fields a delta has brought.
    seen: u8,
    is_finished: bool,
    splitter: Option<Splitter>,
}

/// The choices of the stream, in the order in which they were first shown.
#[derive(Clone, Debug, Default)]
struct FollowedChoices {
    list: Vec<Followed>,
    /// There was a choice beyond the limit.
    overflow: bool,
    /// What predicted frames have brought to choice 0, besides its own `seen`.
    predicted: u8,
}

impl FollowedChoices {
    /// The choice with this index, followed from now on if there is room.
    fn get(&mut self, index: i64, tags: Option<&ThinkingTags>) -> Option<&mut Followed> {
        // Choices are mostly shown in the order of their indexes.
        let hint =
            usize::try_from(index).ok().filter(|&at| self.list.get(at).is_some_and(|one| one.index == index));
        let known = hint.or_else(|| self.list.iter().position(|one| one.index == index));
        if let Some(at) = known {
            let predicted = if index == 0 { self.predicted } else { 0 };
            let followed = &mut self.list[at];
            followed.seen |= predicted;
            return Some(followed);
        }
        if self.list.len() == MAX_FOLLOWED {
            self.overflow = true;
            return None;
        }
        let splitter = tags.map(ThinkingTags::splitter);
        self.list.push(Followed { index, seen: 0, is_finished: false, splitter });
        self.list.last_mut()
    }

    /// Whether every choice that was shown has a finish reason.
    fn all_finished(&self) -> bool {
        !self.list.is_empty() && !self.overflow && self.list.iter().all(|one| one.is_finished)
    }
}

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct OpenAi {
    /// `[DONE]` or an error was seen.
    ended: bool,
    choices: FollowedChoices,
    tags: Option<ThinkingTags>,
}

impl Sealed for OpenAi {}

impl Dialect for OpenAi {
    type Event<'a> = Event<'a>;

    const SERVICE: Service = Service::OpenAi;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let decoded = match self.decode_json(frame) {
            Err(error) if frame.name == b"error" && !frame.is_outside_data => not_json(error, frame)?,
            decoded => decoded?,
        };
        self.ended |= matches!(decoded.event, Event::Error(_));
        Ok(decoded)
    }

    type Common = ChunkCommon;

    fn common<'e>(event: &'e Event<'_>) -> Option<&'e Arc<Common<ChunkCommon>>> {
        match event {
            Event::Chunk(chunk) => Some(chunk.common.arc()),
            _ => None,
        }
    }

    fn predicted<'a>(&mut self, common: &'a Arc<Common<ChunkCommon>>, mut fields: Fields<'a>) -> Event<'a> {
        let field = if fields.kind == HoleKind::Text { seen::TEXT } else { seen::THINKING };
        self.choices.predicted |= if fields.string.is_empty() { 0 } else { field };
        let (text, thinking) = fields.text_and_thinking();
        Event::Chunk(Chunk { text, thinking, common: CommonRef::Borrowed(common), payload: fields.payload })
    }

    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Event<'a>> {
        self.ended = true;
        Some(Event::Done(Done { raw: Cow::Borrowed(frame.payload) }))
    }

    fn may_predict(&self) -> bool {
        self.tags.is_none()
    }

    fn flush(&mut self) -> Option<Event<'static>> {
        self.tags.as_ref()?;
        let mut choices = Vec::new();
        for followed in &mut self.choices.list {
            let mut split = Split::default();
            if let Some(splitter) = &mut followed.splitter {
                splitter.flush(&mut split);
            }
            if !split.text.is_empty() || !split.thinking.is_empty() {
                choices.push(Choice {
                    index: followed.index,
                    text: split.text.into(),
                    thinking: split.thinking.into(),
                    ..Choice::default()
                });
            }
        }
        if choices.is_empty() {
            return None;
        }
        let main = choices.iter().position(|choice| choice.index == 0);
        let (text, thinking) = main.map_or_else(Default::default, |main| {
            let choice: &mut Choice = &mut choices[main];
            (std::mem::take(&mut choice.text).into(), std::mem::take(&mut choice.thinking).into())
        });
        Some(Event::Chunk(Chunk {
            text: Cow::Owned(text),
            thinking: Cow::Owned(thinking),
            common: CommonRef::new(ChunkCommon { choices: choices.into(), main, ..ChunkCommon::default() }),
            payload: Payload::default(),
        }))
    }

    fn continues(event: &Event<'_>, next: &Event<'_>) -> bool {
        let (Event::Chunk(event), Event::Chunk(next)) = (event, next) else { return false };
        event.common.is_shared_with(&next.common) && next.has_only_main_deltas()
    }

    fn merge(event: &mut Event<'static>, next: &Event<'_>) {
        let (Event::Chunk(event), Event::Chunk(next)) = (event, next) else { return };
        event.text.to_mut().push_str(&next.text);
        event.thinking.to_mut().push_str(&next.thinking);
        event.payload = Payload::default();
    }

    fn missing(&self) -> Option<Missing> {
        (!self.ended && !self.choices.all_finished()).then_some(Missing::OpenAiEnd)
    }
}

impl OpenAi {
    fn decode_json<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let text = frame.text()?;
        let mut cursor = Cursor::new(text, frame.max_depth);
        let decoded = match cursor.kind()? {
            Kind::Object => {
                let mut members = Members::default();
                members.read(&mut cursor, true)?;
                cursor.end()?;
                members.event(frame, true, self)
            }
            Kind::String if frame.name == b"error" => {
                let message = cursor.optional_string()?;
                cursor.end()?;
                Some(Decoded::new(Failure { message, ..Failure::default() }.event(frame)))
            }
            kind => {
                cursor.skip_kind(kind)?;
                cursor.end()?;
                None
            }
        };
        Ok(decoded.unwrap_or_else(|| {
            Decoded::new(Event::Unknown(Unknown {
                data: Cow::Borrowed(text),
                raw: Cow::Borrowed(frame.payload),
            }))
        }))
    }
}

/// The event `error` with a text that is not JSON: the text is the message. What cannot be read as text, or is nested too
/// deep, stays an error of the stream.
fn not_json<'a>(error: FrameError, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
    if !matches!(error.kind, ErrorKind::InvalidJson { .. }) {
        return Err(error);
    }
    let message = Some(Cow::Borrowed(frame.plain_text()?));
    let event = Failure { message, ..Failure::default() }.event(frame);
    Ok(Decoded { event, holes: None, validated: false })
}

/// An error object, or the flat members of one.
#[derive(Default)]
struct Failure<'a> {
    code: Option<Code<'a>>,
    message: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
}

impl<'a> Failure<'a> {
    /// With what it lacks taken from others.
    fn or(self, code: Option<Code<'a>>, message: Option<Cow<'a, str>>, kind: Option<Cow<'a, str>>) -> Self {
        Self { code: self.code.or(code), message: self.message.or(message), kind: self.kind.or(kind), ..self }
    }

    fn event(self, frame: &Frame<'a>) -> Event<'a> {
        Event::Error(Box::new(Error {
            code: self.code,
            message: self.message.unwrap_or_default(),
            kind: self.kind,
            param: self.param,
            raw: Cow::Borrowed(frame.payload),
        }))
    }

    /// Whether its code is that of an HTTP error, and it has a message.
    fn is_http_error(&self) -> bool {
        matches!(self.code, Some(Code::Integer(400..))) && self.message.is_some()
    }
}

/// Every member that some frame of the dialect has; of duplicates the last wins.
#[derive(Default)]
struct Members<'a> {
    id: Option<Cow<'a, str>>,
    object: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    created: Option<i64>,
    usage: Option<Usage>,
    /// Groq's counters.
    x_groq_usage: Option<Usage>,
    choices: Option<Vec<RawChoice<'a>>>,
    /// The member `error`, if it is one.
    error: Option<Box<Failure<'a>>>,
    /// `code`, `message`, `type`, `param` at top level.
    flat: Failure<'a>,
    /// `text` and `detail` at top level: other names of a message.
    text: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    /// `error_code`, `error_message`, `error_type`.
    prefixed: Failure<'a>,
    /// The object `data`.
    data: Option<Box<Failure<'a>>>,
    custom_status: Option<Box<Failure<'a>>>,
    status: Option<Box<Status<'a>>>,
    result: Option<Box<Members<'a>>>,
}

impl<'a> Members<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, outermost: bool) -> Result<(), FrameError> {
        members!(cursor {
            "choices" => self.choices = choices(cursor)?,
            "id" => self.id = cursor.optional_string()?,
            "object" => self.object = cursor.optional_string()?,
            "model" => self.model = cursor.optional_string()?,
            "created" => self.created = cursor.optional_integer()?,
            "usage" => self.usage = optional_object(cursor, usage)?,
            "x_groq" => self.x_groq_usage = optional_object(cursor, x_groq)?.flatten(),
            "error" => self.error = error(cursor)?,
            "code" => self.flat.code = code(cursor)?,
            "message" => self.flat.message = cursor.optional_string()?,
            "type" => self.flat.kind = cursor.optional_string()?,
            "param" => self.flat.param = cursor.optional_string()?,
            "text" => self.text = cursor.optional_string()?,
            "detail" => self.detail = cursor.optional_string()?,
            "error_code" => self.prefixed.code = code(cursor)?,
            "error_message" => self.prefixed.message = cursor.optional_string()?,
            "error_type" => self.prefixed.kind = cursor.optional_string()?,
            "data" => self.data = optional_object(cursor, error_object)?,
            "custom_status" => {
                self.custom_status = optional_object(cursor, custom_status)?;
            },
            "status" if outermost => self.status = optional_object(cursor, status)?.flatten(),
            "result" if outermost => {
                self.result = optional_object(cursor, |cursor| {
                    let mut inner = Box::<Self>::default();
                    inner.read(cursor, false)?;
                    Ok(inner)
                })?;
            },
        })
    }

    fn event(
        &mut self,
        frame: &Frame<'a>,
        outermost: bool,
        state: &mut OpenAi,
    ) -> Option<Decoded<Event<'a>>> {
        if let Some(failure) = self.failure(outermost && frame.name == b"error") {
            return Some(Decoded::new(failure.event(frame)));
        }
        if let Some(choices) = self.choices.take() {
            return Some(self.chunk(choices, frame, state));
        }
        // CLOVA's own envelope around the answer of a compatible service ([gov §1.2]).
        if let Some(mut result) = self.result.take_if(|_| self.status.is_some()) {
            return result.event(frame, false, state);
        }
        let is_chunk = self.usage.is_some()
            || self.x_groq_usage.is_some()
            || self.object.as_deref().is_some_and(|object| object.starts_with("chat.completion"));
        is_chunk.then(|| self.chunk(Vec::new(), frame, state))
    }

    /// The error that the frame tells of, in the order in which the places of one are looked at.
    fn failure(&mut self, is_error_event: bool) -> Option<Failure<'a>> {
        if let Some(error) = self.error.take() {
            return Some(self.complete(*error));
        }
        if is_error_event {
            return Some(self.error_event());
        }
        if self.object.as_deref() == Some("error") {
            let flat = std::mem::take(&mut self.flat);
            return Some(self.complete(flat));
        }
        let mut choices = self.choices.iter_mut().flatten();
        if let Some(error) = choices.find_map(|choice| choice.error.take()) {
            return Some(self.complete(*error));
        }
        if matches!(self.prefixed.code, Some(Code::Integer(number)) if number != 0) {
            let Failure { code, message, kind, .. } = std::mem::take(&mut self.prefixed);
            let message = first_text([message, self.flat.message.take(), self.text.take()]);
            return Some(Failure { code, message, kind, ..Failure::default() });
        }
        if self.choices.is_some() {
            return None;
        }
        if self.prefixed.message.is_some() {
            return Some(std::mem::take(&mut self.prefixed));
        }
        for level in [Some(&mut self.flat), self.data.as_deref_mut()].into_iter().flatten() {
            if level.is_http_error() {
                return Some(std::mem::take(level));
            }
        }
        self.status.take_if(|status| !status.is_success).map(|status| status.failure)
    }

    /// An error in a member of its own, with what the members beside it add.
    fn complete(&mut self, error: Failure<'a>) -> Failure<'a> {
        let custom = self.custom_status.take().unwrap_or_default();
        error.or(custom.code, custom.message, self.prefixed.kind.take())
    }

    /// Any object under the event name `error`.
    fn error_event(&mut self) -> Failure<'a> {
        let flat = std::mem::take(&mut self.flat);
        let prefixed = std::mem::take(&mut self.prefixed);
        let custom = self.custom_status.take().unwrap_or_default();
        let message = first_text([flat.message, prefixed.message, self.text.take(), self.detail.take()]);
        Failure { message, ..flat }.or(prefixed.code, None, prefixed.kind).or(
            custom.code,
            custom.message,
            None,
        )
    }

    fn chunk(
        &mut self,
        choices: Vec<RawChoice<'a>>,
        frame: &Frame<'a>,
        state: &mut OpenAi,
    ) -> Decoded<Event<'a>> {
        let mut main = None;
        let mut text = Text::default();
        let mut thinking = Text::default();
        let mut all = Vec::with_capacity(choices.len());
        let mut usage = self.usage;
        // What a `message` means depends on the deltas before it, so a frame with one teaches no template.
        let mut has_message = false;
        for (at, raw) in choices.into_iter().enumerate() {
            usage = usage.or(raw.usage);
            has_message |= raw.message.is_some();
            let followed = state.choices.get(raw.index, state.tags.as_ref());
            let (mut choice, answer) = raw.choice(followed);
            if main.is_none() && choice.index == 0 {
                main = Some(at);
                (text, thinking) = answer;
            } else {
                choice.text = answer.0.value.into();
                choice.thinking = answer.1.value.into();
            }
            all.push(choice);
        }
        let string = match (text.value.is_empty(), thinking.value.is_empty()) {
            (_, true) if text.span.is_some() => text.span.map(|span| (HoleKind::Text, span)),
            (true, false) => thinking.span.map(|span| (HoleKind::Thinking, span)),
            _ => None,
        };
        let holes = string.filter(|_| !has_message).map(|(kind, string)| Holes {
            kind,
            string,
            counter: None,
            // Without its reasoning a delta would be searched for another name of it.
            may_be_empty: kind == HoleKind::Text,
        });
        let chunk = Chunk {
            text: text.value,
            thinking: thinking.value,
            common: CommonRef::new(ChunkCommon {
                id: boxed(self.id.take()),
                model: boxed(self.model.take()),
                created: self.created,
                usage: usage.or(self.x_groq_usage),
                choices: all.into(),
                main,
            }),
            payload: Payload::Received(Cow::Borrowed(frame.payload)),
        };
        Decoded { event: Event::Chunk(chunk), holes, validated: true }
    }
}

/// The first that is not empty.
fn first_text<const N: usize>(texts: [Option<Cow<'_, str>>; N]) -> Option<Cow<'_, str>> {
    texts.into_iter().flatten().find(|text| !text.is_empty())
}

fn custom_status<'a>(cursor: &mut Cursor<'a>) -> Result<Box<Failure<'a>>, FrameError> {
    let mut custom = Box::<Failure<'_>>::default();
    members!(cursor {
        "Code" => custom.code = code(cursor)?,
        "Description" => custom.message = cursor.optional_string()?,
    })?;
    Ok(custom)
}

/// CLOVA's `status`, which has a code.
struct Status<'a> {
    is_success: bool,
    failure: Failure<'a>,
}

fn status<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Box<Status<'a>>>, FrameError> {
    let mut failure = Failure::default();
    let mut is_success = None;
    members!(cursor {
        "code" => {
            // A number is its JSON text here, as it may not be an integer.
            let is_number = cursor.kind()? == Kind::Number;
            let label = cursor.optional_label()?;
            is_success = label.as_deref().map(|label| label.starts_with('2'));
            failure.code = label.map(|label| match label.parse() {
                Ok(number) if is_number => Code::Integer(number),
                _ => Code::Text(label),
            });
        },
        "message" => failure.message = cursor.optional_string()?,
    })?;
    Ok(is_success.map(|is_success| Box::new(Status { is_success, failure })))
}

fn error_object<'a>(cursor: &mut Cursor<'a>) -> Result<Box<Failure<'a>>, FrameError> {
    error_members(cursor).map(|(failure, _)| failure)
}

/// An error object, and whether it has a member.
fn error_members<'a>(cursor: &mut Cursor<'a>) -> Result<(Box<Failure<'a>>, bool), FrameError> {
    let mut failure = Box::<Failure<'_>>::default();
    let mut has_member = false;
    cursor.object(|cursor, name| {
        has_member = true;
        match name {
            "code" => failure.code = code(cursor)?,
            "message" => failure.message = cursor.optional_string()?,
            "type" => failure.kind = cursor.optional_string()?,
            "param" => failure.param = cursor.optional_string()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok((failure, has_member))
}

/// The member `error`: an object with a member, or a string that is not empty. Others say that there is no error.
fn error<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Box<Failure<'a>>>, FrameError> {
    if cursor.kind()? == Kind::Object {
        let (failure, has_member) = error_members(cursor)?;
        return Ok(has_member.then_some(failure));
    }
    let message = cursor.optional_string()?.filter(|message| !message.is_empty());
    Ok(message.map(|message| Box::new(Failure { message: Some(message), ..Failure::default() })))
}

fn choices<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Vec<RawChoice<'a>>>, FrameError> {
    let kind = cursor.kind()?;
    if kind != Kind::Array {
        return cursor.skip_kind(kind).map(|()| None);
    }
    // Mostly one. A choice is large, and an allocation for several would be a slow one.
    let mut choices = Vec::with_capacity(1);
    let mut position = 0;
    cursor.array(|cursor, kind| {
        if kind == Kind::Object {
            choices.push(raw_choice(cursor, position)?);
        } else {
            cursor.skip_kind(kind)?;
        }
        position += 1;
        Ok(())
    })?;
    Ok(Some(choices))
}

/// The names under which servers send reasoning, in the order in which one is taken.
#[derive(Default)]
struct Reasoning<'a>(Option<Box<[Text<'a>; 4]>>);

impl<'a> Reasoning<'a> {
    /// Reads the member if it is one of the names.
    fn read(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Result<(), FrameError> {
        const NAMES: [&str; 4] = ["reasoning_content", "reasoning", "thinking", "thinking_content"];
        match NAMES.iter().position(|&known| known == name) {
            Some(at) => self.0.get_or_insert_default()[at] = cursor.scalar_text()?,
            None => cursor.skip()?,
        }
        Ok(())
    }

    fn first(self) -> Option<Text<'a>> {
        self.0?.into_iter().find(|text| !text.value.is_empty())
    }
}

/// A `delta` or a `message`.
#[derive(Default)]
struct Content<'a> {
    role: Option<Cow<'a, str>>,
    text: Text<'a>,
    /// The thinking parts of the content.
    parts: String,
    reasoning: Reasoning<'a>,
    details: Option<String>,
    refusal: Cow<'a, str>,
    tool_calls: Box<[ToolCallDelta]>,
    function_call: Option<Box<ToolCallDelta>>,
}

/// The fields of an answer, from a delta or a message.
#[derive(Default)]
struct Answer<'a> {
    text: Text<'a>,
    thinking: Text<'a>,
    refusal: Cow<'a, str>,
    tool_calls: Box<[ToolCallDelta]>,
}

impl<'a> Content<'a> {
    /// `beside` is the reasoning at the level of the choice.
    fn answer(self, beside: Option<Reasoning<'a>>) -> Answer<'a> {
        let reasoning = self.reasoning.first().or_else(|| beside?.first());
        let mut thinking = reasoning
            .unwrap_or_else(|| Text { value: Cow::Owned(self.details.unwrap_or_default()), span: None });
        if !self.parts.is_empty() {
            thinking.value.to_mut().push_str(&self.parts);
            thinking.span = None;
        }
        let tool_calls = match self.function_call {
            Some(call) if self.tool_calls.is_empty() => Box::new([*call]),
            _ => self.tool_calls,
        };
        Answer { text: self.text, thinking, refusal: self.refusal, tool_calls }
    }
}

/// A choice as the wire has it.
struct RawChoice<'a> {
    index: i64,
    delta: Option<Content<'a>>,
    message: Option<Box<Content<'a>>>,
    reasoning: Reasoning<'a>,
    finish_reason: Option<Box<str>>,
    usage: Option<Usage>,
    error: Option<Box<Failure<'a>>>,
}

impl<'a> RawChoice<'a> {
    /// The choice with its text and thinking. `followed` is what the stream has shown of it.
    fn choice(self, followed: Option<&mut Followed>) -> (Choice, (Text<'a>, Text<'a>)) {
        let Self { index, delta, message, reasoning, finish_reason, .. } = self;
        // Reasoning at the level of the choice belongs to its delta, if it has one.
        let (beside_delta, beside_message) = if delta.is_some() || message.is_none() {
            (Some(reasoning), None)
        } else {
            (None, Some(reasoning))
        };
        let mut delta = delta.unwrap_or_default();
        let role = delta.role.take().or_else(|| message.as_ref()?.role.clone());
        let mut answer = delta.answer(beside_delta);
        if let Some(followed) = followed {
            followed.see(&answer);
            if let Some(message) = message {
                followed.fill(&mut answer, message.answer(beside_message));
            }
            followed.split(&mut answer, finish_reason.is_some());
            followed.is_finished |= finish_reason.is_some();
        }
        let choice = Choice {
            index,
            role: boxed(role),
            tool_calls: answer.tool_calls,
            finish_reason,
            refusal: answer.refusal.into(),
            ..Choice::default()
        };
        (choice, (answer.text, answer.thinking))
    }
}

impl Followed {
    /// A delta.
    fn see(&mut self, answer: &Answer<'_>) {
        let mut see = |field, is_empty: bool| self.seen |= if is_empty { 0 } else { field };
        see(seen::TEXT, answer.text.value.is_empty());
        see(seen::THINKING, answer.thinking.value.is_empty());
        see(seen::REFUSAL, answer.refusal.is_empty());
        see(seen::TOOL_CALLS, answer.tool_calls.is_empty());
    }

    /// A message: it counts where no delta has brought the field, and else repeats what was delivered.
    fn fill<'a>(&self, answer: &mut Answer<'a>, message: Answer<'a>) {
        let is_new = |field| self.seen & field == 0;
        if is_new(seen::TEXT) {
            answer.text = message.text;
        }
        if is_new(seen::THINKING) {
            answer.thinking = message.thinking;
        }
        if is_new(seen::REFUSAL) {
            answer.refusal = message.refusal;
        }
        if is_new(seen::TOOL_CALLS) {
            answer.tool_calls = message.tool_calls;
        }
    }

    /// Takes the reasoning between tags out of the text, and with the finish reason what was held back.
    fn split(&mut self, answer: &mut Answer<'_>, is_finished: bool) {
        let Some(splitter) = &mut self.splitter else { return };
        let mut split = Split::default();
        splitter.push(&answer.text.value, &mut split);
        if is_finished {
            splitter.flush(&mut split);
        }
        answer.text = Text { value: Cow::Owned(split.text), span: None };
        if !split.thinking.is_empty() {
            answer.thinking.value.to_mut().push_str(&split.thinking);
        }
    }
}

fn raw_choice<'a>(cursor: &mut Cursor<'a>, position: i64) -> Result<RawChoice<'a>, FrameError> {
    let mut index = None;
    let mut reason = None;
    let mut choice = RawChoice {
        index: position,
        delta: None,
        message: None,
        reasoning: Reasoning::default(),
        finish_reason: None,
        usage: None,
        error: None,
    };
    members!(cursor {
        "index" => index = cursor.optional_integer()?,
        "delta" => choice.delta = optional_object(cursor, content)?,
        "message" => choice.message = optional_object(cursor, |cursor| content(cursor).map(Box::new))?,
        "finish_reason" => reason = cursor.optional_string()?,
        "usage" => choice.usage = optional_object(cursor, usage)?,
        "error" => choice.error = optional_object(cursor, error_object)?,
    } else name => choice.reasoning.read(cursor, name)?)?;
    choice.index = index.unwrap_or(position);
    choice.finish_reason = reason.filter(|reason| reason != "null").and_then(|reason| finish_reason(&reason));
    Ok(choice)
}

fn content<'a>(cursor: &mut Cursor<'a>) -> Result<Content<'a>, FrameError> {
    let mut content = Content::default();
    members!(cursor {
        "role" => content.role = cursor.optional_string()?,
        "content" => {
            content.parts = String::new();
            content.text = if cursor.kind()? == Kind::Array {
                let text = content_parts(cursor, &mut content.parts)?;
                Text { value: Cow::Owned(text), span: None }
            } else {
                cursor.scalar_text()?
            };
        },
        "refusal" => content.refusal = cursor.scalar_text()?.value,
        "tool_calls" => content.tool_calls = tool_calls(cursor, Pieces::Arguments)?,
        "function_call" => content.function_call = optional_object(cursor, function_call)?,
        "reasoning_details" => content.details = joined_scalar_parts(cursor)?,
    } else name => content.reasoning.read(cursor, name)?)?;
    Ok(content)
}

/// The form of tool calls before there were tool calls: one call, without an id.
fn function_call(cursor: &mut Cursor<'_>) -> Result<Box<ToolCallDelta>, FrameError> {
    let mut call =
        ToolCallDelta { index: Some(0), kind: Some("function".into()), ..ToolCallDelta::default() };
    function(cursor, Pieces::Arguments, &mut call)?;
    Ok(Box::new(call))
}

/// A member of a part, which may be a list of text parts.
#[derive(Default)]
enum PartText<'a> {
    #[default]
    Absent,
    Scalar(Cow<'a, str>),
    List(String),
}

impl PartText<'_> {
    fn push_to(self, text: &mut String) {
        match self {
            Self::Absent => {}
            Self::Scalar(value) => text.push_str(&value),
            Self::List(value) => text.push_str(&value),
        }
    }
}

/// The text of content that is a list of parts. That of thinking parts is appended to `thinking`.
fn content_parts(cursor: &mut Cursor<'_>, thinking: &mut String) -> Result<String, FrameError> {
    let mut text = String::new();
    optional_list(cursor, |cursor| {
        let mut kind = None;
        let (mut own_text, mut own_thinking, mut own_reasoning) = Default::default();
        members!(cursor {
            "type" => kind = cursor.optional_string()?,
            "text" => own_text = part_text(cursor)?,
            "thinking" => own_thinking = part_text(cursor)?,
            "reasoning" => own_reasoning = part_text(cursor)?,
        })?;
        let named = match kind.as_deref() {
            Some("thinking") => own_thinking,
            Some("reasoning") => own_reasoning,
            _ => {
                // In other parts a list is not text.
                if let PartText::Scalar(value) = own_text {
                    text.push_str(&value);
                }
                return Ok(());
            }
        };
        if matches!(named, PartText::Absent) { own_text } else { named }.push_to(thinking);
        Ok(())
    })?;
    Ok(text)
}

fn part_text<'a>(cursor: &mut Cursor<'a>) -> Result<PartText<'a>, FrameError> {
    Ok(match cursor.kind()? {
        Kind::Array => PartText::List(joined_scalar_parts(cursor)?.unwrap_or_default()),
        kind @ (Kind::Object | Kind::Null) => cursor.skip_kind(kind).map(|()| PartText::Absent)?,
        _ => PartText::Scalar(cursor.scalar_text()?.value),
    })
}

fn x_groq(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, FrameError> {
    let mut counters = None;
    members!(cursor {
        "usage" => counters = optional_object(cursor, usage)?,
    })?;
    Ok(counters)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Usage, FrameError> {
    let mut usage = Usage::default();
    let mut details = None;
    let mut beside = None;
    members!(cursor {
        "prompt_tokens" => usage.prompt_tokens = cursor.optional_integer()?,
        "completion_tokens" => usage.completion_tokens = cursor.optional_integer()?,
        "total_tokens" => usage.total_tokens = cursor.optional_integer()?,
        "completion_tokens_details" => details = optional_object(cursor, token_details)?.flatten(),
        "reasoning_tokens" => beside = cursor.optional_integer()?,
    })?;
    usage.thinking_tokens = details.or(beside);
    Ok(usage)
}

fn token_details(cursor: &mut Cursor<'_>) -> Result<Option<i64>, FrameError> {
    let mut reasoning = None;
    let mut thinking = None;
    members!(cursor {
        "reasoning_tokens" => reasoning = cursor.optional_integer()?,
        "thinking_tokens" => thinking = cursor.optional_integer()?,
    })?;
    Ok(reasoning.or(thinking))
}
