//! OpenAI-compatible chat streams: CLOVA Studio Gov, CLOVA's `/v1/openai`, vLLM, SGLang, Friendli
//! (`wire/openai.md` §3, §8).
//!
//! Rules:
//! - shapes decide, never the SSE event's name; errors are looked for first, in every place where servers put
//!   them;
//! - reasoning has many names; one of them is taken, never two, so that nothing is counted twice;
//! - a whole answer (`message`) reads like a delta that brings everything at once;
//! - `""` and `"null"` are no finish reason: taken for one, they would make a cut stream look complete;
//! - `[DONE]`, an error or a finish reason ends the stream.

use std::borrow::Cow;

use crate::clova::own;
use crate::error::{Fault, Missing};
use crate::json::{Cursor, Kind};
use crate::parser::{Dialect, Frame, Keep, StreamEvent};
use crate::shared::{
    Malformed, ToolCallDelta, Usage, finish_reason, joined_parts, optional_object, tool_calls,
};

/// The parser of OpenAI-compatible streams.
pub type StreamParser = crate::parser::StreamParser<OpenAi>;

/// What an OpenAI-compatible stream brings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A delta, a usage report, or a whole answer.
    Chunk(Chunk<'a>),
    /// `[DONE]`.
    Done,
    /// The service gave up.
    Error(Box<Error<'a>>),
    /// A frame of a foreign shape.
    Unknown(Unknown<'a>),
    /// A bad frame, in `report` mode.
    Malformed(Malformed<'a>),
}

/// One chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk<'a> {
    /// The stream's id, the same in all its chunks.
    pub id: Option<Cow<'a, str>>,
    /// The model as the server names it.
    pub model: Option<Cow<'a, str>>,
    /// Unix time in seconds.
    pub created: Option<i64>,
    /// Token counts, as a rule in one chunk without choices.
    pub usage: Option<Usage>,
    /// The choices of this chunk.
    pub choices: Vec<Choice<'a>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

impl<'a> Chunk<'a> {
    /// The choice that carries the answer: the first whose index is 0.
    #[must_use]
    pub fn main(&self) -> Option<&Choice<'a>> {
        self.choices.iter().find(|choice| choice.index == 0)
    }
}

/// A delta of one choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice<'a> {
    /// Which of the `n` answers.
    pub index: i64,
    /// Answer text.
    pub text: Cow<'a, str>,
    /// Reasoning text.
    pub thinking: Cow<'a, str>,
    /// `assistant`, in the first chunk.
    pub role: Option<Cow<'a, str>>,
    /// Pieces of tool calls.
    pub tool_calls: Box<[ToolCallDelta]>,
    /// Why the model stopped.
    pub finish_reason: Option<Box<str>>,
}

/// An error's code, as the server writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code<'a> {
    /// `500`.
    Integer(i64),
    /// `"invalid_api_key"`.
    Text(Cow<'a, str>),
}

impl Code<'_> {
    pub(crate) fn into_owned(self) -> Code<'static> {
        match self {
            Self::Integer(number) => Code::Integer(number),
            Self::Text(text) => Code::Text(own(text)),
        }
    }
}

/// An error inside the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Error<'a> {
    /// A number or a name.
    pub code: Option<Code<'a>>,
    /// The service's own words.
    pub message: Cow<'a, str>,
    /// `invalid_request_error`, …
    pub kind: Option<Cow<'a, str>>,
    /// The parameter at fault.
    pub param: Option<Cow<'a, str>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A frame that is none of the above.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unknown<'a> {
    /// The payload's text.
    pub data: Cow<'a, str>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

impl<'a> StreamEvent<'a> for Event<'a> {
    type Owned = Event<'static>;

    fn text(&self) -> &str {
        match self {
            Self::Chunk(chunk) => chunk.main().map_or("", |choice| &choice.text),
            _ => "",
        }
    }

    fn keep(&self) -> Option<Keep> {
        match self {
            Self::Error(_) => Some(Keep::Error),
            Self::Done => Some(Keep::Done),
            _ => None,
        }
    }

    fn malformed(malformed: Malformed<'a>) -> Self {
        Self::Malformed(malformed)
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Chunk(chunk) => Event::Chunk(Chunk {
                id: chunk.id.map(own),
                model: chunk.model.map(own),
                created: chunk.created,
                usage: chunk.usage,
                choices: chunk.choices.into_iter().map(Choice::into_owned).collect(),
                raw: own(chunk.raw),
            }),
            Self::Done => Event::Done,
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

impl Choice<'_> {
    fn into_owned(self) -> Choice<'static> {
        Choice {
            index: self.index,
            text: own(self.text),
            thinking: own(self.thinking),
            role: self.role.map(own),
            tool_calls: self.tool_calls,
            finish_reason: self.finish_reason,
        }
    }
}

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct OpenAi {
    ended: bool,
}

impl Dialect for OpenAi {
    type Event<'a> = Event<'a>;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Option<Event<'a>>, Fault> {
        let text = frame.text()?;
        let mut cursor = Cursor::new(text, frame.max_depth);
        let event = if cursor.kind()? == Kind::Object {
            let mut fields = Fields::default();
            fields.read(&mut cursor, true)?;
            cursor.end()?;
            fields.event(frame)
        } else {
            cursor.skip()?;
            cursor.end()?;
            None
        };
        let event = event.unwrap_or(Event::Unknown(Unknown {
            data: Cow::Borrowed(text),
            raw: Cow::Borrowed(frame.payload),
        }));
        self.ended |= match &event {
            Event::Error(_) => true,
            Event::Chunk(chunk) => chunk.choices.iter().any(|choice| choice.finish_reason.is_some()),
            _ => false,
        };
        Ok(Some(event))
    }

    fn done<'a>(&mut self, _frame: &Frame<'a>) -> Option<Event<'a>> {
        self.ended = true;
        Some(Event::Done)
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
struct Fields<'a> {
    id: Option<Cow<'a, str>>,
    object: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    created: Option<i64>,
    usage: Option<Usage>,
    choices: Option<Vec<Choice<'a>>>,
    choice_error: Option<Failure<'a>>,
    error: Failure<'a>,
    /// `code`, `message`, `type`, `param` at top level.
    flat: Failure<'a>,
    /// `error_code`, `error_message`, `error_type`.
    prefixed: Failure<'a>,
    custom_status: Failure<'a>,
    status: Option<(Option<Cow<'a, str>>, Cow<'a, str>)>,
    result: Option<Box<Fields<'a>>>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, outermost: bool) -> Result<(), Fault> {
        cursor.object(|cursor, name| {
            match name {
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
                        cursor.object(|cursor, name| {
                            match name {
                                "Code" => custom.code = code(cursor)?,
                                "Description" => custom.message = cursor.optional_string()?,
                                _ => cursor.skip()?,
                            }
                            Ok(())
                        })
                    })?;
                }
                "status" => self.status = optional_object(cursor, status)?,
                "result" if outermost => {
                    self.result = optional_object(cursor, |cursor| {
                        let mut inner = Box::<Self>::default();
                        inner.read(cursor, false)?;
                        Ok(inner)
                    })?;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    fn event(self, frame: &Frame<'a>) -> Option<Event<'a>> {
        let raw = Cow::Borrowed(frame.payload);
        if self.error.present {
            return Some(self.error.event(self.custom_status, raw));
        }
        if self.object.as_deref() == Some("error") {
            return Some(self.flat.event(self.custom_status, raw));
        }
        if let Some(failure) = self.choice_error {
            return Some(failure.event(self.custom_status, raw));
        }
        let chunk = |choices| {
            let (id, model, created, usage) = (self.id, self.model, self.created, self.usage);
            Some(Event::Chunk(Chunk { id, model, created, usage, choices, raw: raw.clone() }))
        };
        if let Some(choices) = self.choices {
            return chunk(choices);
        }
        if self.prefixed.message.is_some() {
            return Some(self.prefixed.event(self.custom_status, raw));
        }
        if let Some((Some(code), message)) = self.status {
            // CLOVA's own envelope around the answer of a compatible service (`wire/gov.md` §1.2).
            if !code.starts_with('2') {
                let (code, message) = (Some(Code::Text(code)), Some(message));
                return Some(Failure { code, message, ..Failure::default() }.event(self.custom_status, raw));
            }
            if let Some(result) = self.result {
                return result.event(frame);
            }
        }
        if self.usage.is_some()
            || self.object.as_deref().is_some_and(|object| object.starts_with("chat.completion"))
        {
            return chunk(Vec::new());
        }
        None
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

pub(crate) fn code<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Code<'a>>, Fault> {
    Ok(match cursor.kind()? {
        Kind::String => cursor.optional_string()?.map(Code::Text),
        _ => cursor.optional_integer()?.map(Code::Integer),
    })
}

fn status<'a>(cursor: &mut Cursor<'a>) -> Result<(Option<Cow<'a, str>>, Cow<'a, str>), Fault> {
    let mut status = (None, Cow::Borrowed(""));
    cursor.object(|cursor, name| {
        match name {
            "code" => status.0 = cursor.optional_label()?,
            "message" => status.1 = cursor.optional_string()?.unwrap_or_default(),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(status)
}

fn error<'a>(cursor: &mut Cursor<'a>) -> Result<Failure<'a>, Fault> {
    let mut failure = Failure::default();
    match cursor.kind()? {
        Kind::Object => cursor.object(|cursor, name| {
            failure.present = true;
            match name {
                "code" => failure.code = code(cursor)?,
                "message" => failure.message = cursor.optional_string()?,
                "type" => failure.kind = cursor.optional_string()?,
                "param" => failure.param = cursor.optional_string()?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?,
        _ => {
            failure.message = cursor.optional_string()?;
            failure.present = failure.message.as_deref().is_some_and(|message| !message.is_empty());
        }
    }
    Ok(failure)
}

type Choices<'a> = (Option<Vec<Choice<'a>>>, Option<Failure<'a>>);

fn choices<'a>(cursor: &mut Cursor<'a>) -> Result<Choices<'a>, Fault> {
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
struct Reasoning<'a>([Option<Cow<'a, str>>; 4]);

impl<'a> Reasoning<'a> {
    /// Reads the member if it is one of the names.
    fn read(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Result<bool, Fault> {
        const NAMES: [&str; 4] = ["reasoning_content", "reasoning", "thinking", "thinking_content"];
        let Some(at) = NAMES.iter().position(|&known| known == name) else { return Ok(false) };
        self.0[at] = cursor.optional_string()?;
        Ok(true)
    }

    fn first(self) -> Option<Cow<'a, str>> {
        self.0.into_iter().flatten().find(|text| !text.is_empty())
    }
}

#[derive(Default)]
struct Delta<'a> {
    role: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    reasoning: Reasoning<'a>,
    details: Option<String>,
    tool_calls: Box<[ToolCallDelta]>,
}

fn choice<'a>(cursor: &mut Cursor<'a>, position: i64) -> Result<(Choice<'a>, Option<Failure<'a>>), Fault> {
    let mut index = None;
    let mut streamed = None;
    let mut whole = None;
    let mut reason = None;
    let mut reasoning = Reasoning::default();
    let mut failure = None;
    cursor.object(|cursor, name| {
        match name {
            "index" => index = cursor.optional_integer()?,
            "delta" => streamed = optional_object(cursor, delta)?,
            "message" => whole = optional_object(cursor, delta)?,
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
    let delta = streamed.or(whole).unwrap_or_default();
    let thinking = delta.reasoning.first().or_else(|| reasoning.first());
    let choice = Choice {
        index: index.unwrap_or(position),
        text: delta.text,
        thinking: thinking.or(delta.details.map(Cow::Owned)).unwrap_or_default(),
        role: delta.role,
        tool_calls: delta.tool_calls,
        finish_reason: reason.filter(|reason| reason != "null").and_then(|reason| finish_reason(&reason)),
    };
    Ok((choice, failure))
}

fn delta<'a>(cursor: &mut Cursor<'a>) -> Result<Delta<'a>, Fault> {
    let mut delta = Delta::default();
    cursor.object(|cursor, name| {
        match name {
            "role" => delta.role = cursor.optional_string()?,
            "content" => {
                delta.text = match cursor.kind()? {
                    Kind::Array => Cow::Owned(joined_parts(cursor)?.unwrap_or_default()),
                    _ => cursor.optional_string()?.unwrap_or_default(),
                }
            }
            "tool_calls" => delta.tool_calls = tool_calls(cursor)?,
            "reasoning_details" => delta.details = joined_parts(cursor)?,
            _ => {
                if !delta.reasoning.read(cursor, name)? {
                    cursor.skip()?;
                }
            }
        }
        Ok(())
    })?;
    Ok(delta)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Usage, Fault> {
    let mut usage = Usage::default();
    cursor.object(|cursor, name| {
        match name {
            "prompt_tokens" => usage.prompt_tokens = cursor.optional_integer()?,
            "completion_tokens" => usage.completion_tokens = cursor.optional_integer()?,
            "total_tokens" => usage.total_tokens = cursor.optional_integer()?,
            "completion_tokens_details" => {
                let mut reasoning = None;
                let mut thinking = None;
                optional_object(cursor, |cursor| {
                    cursor.object(|cursor, name| {
                        match name {
                            "reasoning_tokens" => reasoning = cursor.optional_integer()?,
                            "thinking_tokens" => thinking = cursor.optional_integer()?,
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })
                })?;
                usage.thinking_tokens = reasoning.or(thinking);
            }
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(usage)
}
