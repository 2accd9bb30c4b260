//! OpenAI-compatible chat streams: CLOVA Studio Gov, CLOVA's `/v1/openai`, `vLLM`, `SGLang`, Friendli
//! ([openai §3, §8]).
//!
//! Always true:
//! - shapes decide, never the SSE event's name. Errors are looked for first, in every place where servers put them
//!   (`Members::failure`);
//! - `[DONE]`, an error or a finish reason ends the stream.
//!
//! What will bite:
//! - reasoning has many names, and a server may send the same text under two of them: one is taken, never two;
//! - a whole answer (`message`) reads like a delta that brings everything at once;
//! - `""` and `"null"` are not finish reasons, or a cut stream would look complete.

use std::borrow::Cow;
use std::sync::Arc;

use super::debug::debug_fields;
use super::wire::{
    Pieces, ToolCallDelta, Usage, boxed, code, finish_reason, joined_parts, optional_object, own, tool_calls,
};
use crate::dialect::{
    Common, CommonRef, Decoded, Deferred, Dialect, Fields, Frame, Malformed, Payload, StreamEvent,
    sealed::Sealed,
};
use crate::error::{FrameError, Missing};
use crate::json::{Cursor, Kind, Text, members};
use crate::predict::template::{HoleKind, Holes};

pub use super::wire::Code;

/// The parser of OpenAI-compatible streams.
pub type StreamParser = crate::parser::StreamParser<OpenAi>;

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
    Choice = "Choice" { index, text, thinking, role, tool_calls, finish_reason }
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

    fn deferred(&self) -> Option<Deferred> {
        match self {
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

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct OpenAi {
    ended: bool,
}

impl Sealed for OpenAi {}

impl Dialect for OpenAi {
    type Event<'a> = Event<'a>;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let text = frame.text()?;
        let mut cursor = Cursor::new(text, frame.max_depth);
        let decoded = if cursor.kind()? == Kind::Object {
            let mut members = Members::default();
            members.read(&mut cursor, true)?;
            cursor.end()?;
            members.event(frame)
        } else {
            cursor.skip()?;
            cursor.end()?;
            None
        };
        let decoded = decoded.unwrap_or_else(|| {
            Decoded::new(Event::Unknown(Unknown {
                data: Cow::Borrowed(text),
                raw: Cow::Borrowed(frame.payload),
            }))
        });
        self.ended |= match &decoded.event {
            Event::Error(_) => true,
            Event::Chunk(chunk) => chunk.choices.iter().any(|choice| choice.finish_reason.is_some()),
            _ => false,
        };
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
        let (text, thinking) = fields.text_and_thinking();
        Event::Chunk(Chunk { text, thinking, common: CommonRef::Borrowed(common), payload: fields.payload })
    }

    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Event<'a>> {
        self.ended = true;
        Some(Event::Done(Done { raw: Cow::Borrowed(frame.payload) }))
    }

    fn missing(&self) -> Option<Missing> {
        (!self.ended).then_some(Missing::OpenAiEnd)
    }
}

/// An error object, or the flat members of one.
#[derive(Default)]
struct Failure<'a> {
    /// It is an object with a member, or a string that is not empty.
    present: bool,
    code: Option<Code<'a>>,
    message: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
}

/// Every member that some frame of the dialect has; of duplicates the last wins.
#[derive(Default)]
struct Members<'a> {
    id: Option<Cow<'a, str>>,
    object: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    created: Option<i64>,
    usage: Option<Usage>,
    choices: Option<Vec<Delta<'a>>>,
    choice_error: Option<Failure<'a>>,
    error: Failure<'a>,
    /// `code`, `message`, `type`, `param` at top level.
    flat: Failure<'a>,
    /// `error_code`, `error_message`, `error_type`.
    prefixed: Failure<'a>,
    custom_status: Failure<'a>,
    status: Option<(Option<Cow<'a, str>>, Cow<'a, str>)>,
    result: Option<Box<Members<'a>>>,
}

impl<'a> Members<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, outermost: bool) -> Result<(), FrameError> {
        members!(cursor {
            "choices" => (self.choices, self.choice_error) = choices(cursor)?,
            "id" => self.id = cursor.optional_string()?,
            "object" => self.object = cursor.optional_string()?,
            "model" => self.model = cursor.optional_string()?,
            "created" => self.created = cursor.optional_integer()?,
            "usage" => self.usage = optional_object(cursor, usage)?,
            "error" => self.error = error(cursor)?,
            "code" => self.flat.code = code(cursor)?,
            "message" => self.flat.message = cursor.optional_string()?,
            "type" => self.flat.kind = cursor.optional_string()?,
            "param" => self.flat.param = cursor.optional_string()?,
            "error_code" => self.prefixed.code = code(cursor)?,
            "error_message" => self.prefixed.message = cursor.optional_string()?,
            "error_type" => self.prefixed.kind = cursor.optional_string()?,
            "custom_status" => {
                self.custom_status = Failure::default();
                let custom = &mut self.custom_status;
                optional_object(cursor, |cursor| {
                    members!(cursor {
                        "Code" => custom.code = code(cursor)?,
                        "Description" => custom.message = cursor.optional_string()?,
                    })
                })?;
            },
            "status" => self.status = optional_object(cursor, status)?,
            "result" if outermost => {
                self.result = optional_object(cursor, |cursor| {
                    let mut inner = Box::<Self>::default();
                    inner.read(cursor, false)?;
                    Ok(inner)
                })?;
            },
        })
    }

    fn event(mut self, frame: &Frame<'a>) -> Option<Decoded<Event<'a>>> {
        if let Some(failure) = self.failure() {
            let raw = Cow::Borrowed(frame.payload);
            return Some(Decoded::new(failure.event(self.custom_status, raw)));
        }
        if let Some(choices) = self.choices.take() {
            return Some(self.chunk(choices, frame));
        }
        if let Some(result) = self.result.take_if(|_| self.status.is_some()) {
            return result.event(frame);
        }
        let is_chunk = self.usage.is_some()
            || self.object.as_deref().is_some_and(|object| object.starts_with("chat.completion"));
        is_chunk.then(|| self.chunk(Vec::new(), frame))
    }

    /// The error that the frame tells of, in the order in which the places of one are looked at.
    fn failure(&mut self) -> Option<Failure<'a>> {
        if self.error.present {
            return Some(std::mem::take(&mut self.error));
        }
        if self.object.as_deref() == Some("error") {
            return Some(std::mem::take(&mut self.flat));
        }
        if self.choice_error.is_some() {
            return self.choice_error.take();
        }
        if self.choices.is_some() {
            return None;
        }
        if self.prefixed.message.is_some() {
            return Some(std::mem::take(&mut self.prefixed));
        }
        // CLOVA's own envelope around the answer of a compatible service ([gov §1.2]).
        match self.status.take() {
            Some((Some(code), message)) if !code.starts_with('2') => {
                Some(Failure { code: Some(Code::Text(code)), message: Some(message), ..Failure::default() })
            }
            Some((Some(code), message)) => {
                self.status = Some((Some(code), message));
                None
            }
            // A status without a code is none.
            _ => None,
        }
    }

    fn chunk(self, choices: Vec<Delta<'a>>, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        let main = choices.iter().position(|delta| delta.choice.index == 0);
        let mut text = Text::default();
        let mut thinking = Text::default();
        let mut all = Vec::with_capacity(choices.len());
        for (at, delta) in choices.into_iter().enumerate() {
            let mut choice = delta.choice;
            if Some(at) == main {
                (text, thinking) = (delta.text, delta.thinking);
            } else {
                choice.text = delta.text.value.into();
                choice.thinking = delta.thinking.value.into();
            }
            all.push(choice);
        }
        let string = match (text.value.is_empty(), thinking.value.is_empty()) {
            (_, true) if text.span.is_some() => text.span.map(|span| (HoleKind::Text, span)),
            (true, false) => thinking.span.map(|span| (HoleKind::Thinking, span)),
            _ => None,
        };
        let holes = string.map(|(kind, string)| Holes {
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
                id: boxed(self.id),
                model: boxed(self.model),
                created: self.created,
                usage: self.usage,
                choices: all.into(),
                main,
            }),
            payload: Payload::Received(Cow::Borrowed(frame.payload)),
        };
        Decoded { event: Event::Chunk(chunk), holes, validated: true }
    }
}

impl<'a> Failure<'a> {
    fn event(self, custom: Failure<'a>, raw: Cow<'a, [u8]>) -> Event<'a> {
        Event::Error(Box::new(Error {
            code: self.code.or(custom.code),
            message: self.message.or(custom.message).unwrap_or_default(),
            kind: self.kind,
            param: self.param,
            raw,
        }))
    }
}

fn status<'a>(cursor: &mut Cursor<'a>) -> Result<(Option<Cow<'a, str>>, Cow<'a, str>), FrameError> {
    let mut status = (None, Cow::Borrowed(""));
    members!(cursor {
        "code" => status.0 = cursor.optional_label()?,
        "message" => status.1 = cursor.optional_string()?.unwrap_or_default(),
    })?;
    Ok(status)
}

fn error<'a>(cursor: &mut Cursor<'a>) -> Result<Failure<'a>, FrameError> {
    let mut failure = Failure::default();
    if cursor.kind()? == Kind::Object {
        cursor.object(|cursor, name| {
            failure.present = true;
            match name {
                "code" => failure.code = code(cursor)?,
                "message" => failure.message = cursor.optional_string()?,
                "type" => failure.kind = cursor.optional_string()?,
                "param" => failure.param = cursor.optional_string()?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
    } else {
        failure.message = cursor.optional_string()?;
        failure.present = failure.message.as_deref().is_some_and(|message| !message.is_empty());
    }
    Ok(failure)
}

type Choices<'a> = (Option<Vec<Delta<'a>>>, Option<Failure<'a>>);

fn choices<'a>(cursor: &mut Cursor<'a>) -> Result<Choices<'a>, FrameError> {
    let mut failure = None;
    let mut position = 0;
    if cursor.kind()? != Kind::Array {
        cursor.skip()?;
        return Ok((None, None));
    }
    let mut choices = Vec::new();
    cursor.array(|cursor, kind| {
        if kind == Kind::Object {
            let (choice, error) = choice(cursor, position)?;
            choices.push(choice);
            failure = failure.take().or(error);
        } else {
            cursor.skip_kind(kind)?;
        }
        position += 1;
        Ok(())
    })?;
    Ok((Some(choices), failure))
}

/// The names under which servers send reasoning, in the order in which one is taken.
#[derive(Default)]
struct Reasoning<'a>([Text<'a>; 4]);

impl<'a> Reasoning<'a> {
    /// Reads the member if it is one of the names.
    fn read(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Result<bool, FrameError> {
        const NAMES: [&str; 4] = ["reasoning_content", "reasoning", "thinking", "thinking_content"];
        let Some(at) = NAMES.iter().position(|&known| known == name) else { return Ok(false) };
        self.0[at] = cursor.text()?;
        Ok(true)
    }

    fn first(self) -> Option<Text<'a>> {
        self.0.into_iter().find(|text| !text.value.is_empty())
    }
}

#[derive(Default)]
struct Content<'a> {
    role: Option<Cow<'a, str>>,
    text: Text<'a>,
    reasoning: Reasoning<'a>,
    details: Option<String>,
    tool_calls: Box<[ToolCallDelta]>,
}

/// A choice, with its strings still in place.
struct Delta<'a> {
    choice: Choice,
    text: Text<'a>,
    thinking: Text<'a>,
}

fn choice<'a>(
    cursor: &mut Cursor<'a>,
    position: i64,
) -> Result<(Delta<'a>, Option<Failure<'a>>), FrameError> {
    let mut index = None;
    let mut streamed = None;
    let mut whole = None;
    let mut reason = None;
    let mut reasoning = Reasoning::default();
    let mut failure = None;
    cursor.object(|cursor, name| {
        match name {
            "index" => index = cursor.optional_integer()?,
            "delta" => streamed = optional_object(cursor, content)?,
            "message" => whole = optional_object(cursor, content)?,
            "finish_reason" => reason = cursor.optional_string()?,
            "error" => {
                failure = if cursor.kind()? == Kind::Object {
                    Some(error(cursor)?)
                } else {
                    cursor.skip()?;
                    None
                };
            }
            _ => {
                if !reasoning.read(cursor, name)? {
                    cursor.skip()?;
                }
            }
        }
        Ok(())
    })?;
    let content = streamed.or(whole).unwrap_or_default();
    let details = content.details.map(|details| Text { value: Cow::Owned(details), span: None });
    let thinking = content.reasoning.first().or_else(|| reasoning.first()).or(details).unwrap_or_default();
    let choice = Choice {
        index: index.unwrap_or(position),
        role: boxed(content.role),
        tool_calls: content.tool_calls,
        finish_reason: reason.filter(|reason| reason != "null").and_then(|reason| finish_reason(&reason)),
        ..Choice::default()
    };
    Ok((Delta { choice, text: content.text, thinking }, failure))
}

fn content<'a>(cursor: &mut Cursor<'a>) -> Result<Content<'a>, FrameError> {
    let mut content = Content::default();
    cursor.object(|cursor, name| {
        match name {
            "role" => content.role = cursor.optional_string()?,
            "content" => {
                content.text = match cursor.kind()? {
                    Kind::Array => {
                        Text { value: Cow::Owned(joined_parts(cursor)?.unwrap_or_default()), span: None }
                    }
                    _ => cursor.text()?,
                }
            }
            "tool_calls" => content.tool_calls = tool_calls(cursor, Pieces::Arguments)?,
            "reasoning_details" => content.details = joined_parts(cursor)?,
            _ => {
                if !content.reasoning.read(cursor, name)? {
                    cursor.skip()?;
                }
            }
        }
        Ok(())
    })?;
    Ok(content)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Usage, FrameError> {
    let mut usage = Usage::default();
    members!(cursor {
        "prompt_tokens" => usage.prompt_tokens = cursor.optional_integer()?,
        "completion_tokens" => usage.completion_tokens = cursor.optional_integer()?,
        "total_tokens" => usage.total_tokens = cursor.optional_integer()?,
        "completion_tokens_details" => {
            let mut reasoning = None;
            let mut thinking = None;
            optional_object(cursor, |cursor| {
                members!(cursor {
                    "reasoning_tokens" => reasoning = cursor.optional_integer()?,
                    "thinking_tokens" => thinking = cursor.optional_integer()?,
                })
            })?;
            usage.thinking_tokens = reasoning.or(thinking);
        },
    })?;
    Ok(usage)
}
