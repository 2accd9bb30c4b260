//! CLOVA Studio's own chat streams, v1 and v3 ([clova §5, §6, §7, §10]).
//!
//! Always true:
//! - the event's name decides what a frame is; without one, its shape does. An undocumented name passes as [`Unknown`],
//!   and its payload need not be JSON;
//! - the answer is what the `token` events carry;
//! - `result` or an error ends the stream. `signal` alone does not, and it may be missing.
//!
//! What will bite:
//! - `result` repeats the whole answer: its [`text`](crate::StreamEvent::text) is empty, or everything would be shown
//!   twice;
//! - v1's `stopReason` and v3's `finishReason` are one field, and the case of their values differs.

use std::borrow::Cow;
use std::sync::Arc;

use super::debug::debug_fields;
use super::wire::{
    AiFilter, Pieces, ToolCallDelta, Usage, boxed, finish_reason, joined_parts, optional_list,
    optional_object, own, tool_calls,
};
use crate::dialect::{
    Common, CommonRef, Decoded, Deferred, Dialect, Fields, Frame, Malformed, Payload, StreamEvent,
    sealed::Sealed,
};
use crate::error::{FrameError, Missing};
use crate::framing::event_id::EventId;
use crate::json::{Cursor, Kind, Text, members};
use crate::predict::template::{HoleKind, Holes};
use crate::service::Service;
use crate::span::Span;

/// The parser of CLOVA streams.
pub type StreamParser = crate::parser::StreamParser<Clova>;

/// The events of a CLOVA stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A delta of the answer.
    Token(Token<'a>),
    /// The whole answer again, with what is known at its end.
    Result(Box<Answer<'a>>),
    /// `{"data":"[DONE]"}`: the stream is complete.
    Signal(Signal<'a>),
    /// An error of the service, inside the stream.
    Error(Error<'a>),
    /// A frame of another shape or name, kept as it is.
    Unknown(Unknown<'a>),
    /// A bad frame, in `report` mode.
    Malformed(Malformed<'a>),
}

/// A delta: text or thinking or pieces of tool calls. The fields that neighbours repeat are in
/// [`TokenCommon`] and read as if they were the token's own.
#[derive(Clone, Default, PartialEq)]
pub struct Token<'a> {
    /// Answer text.
    pub text: Cow<'a, str>,
    /// Reasoning text (v3).
    pub thinking: Cow<'a, str>,
    /// v1: tokens of the answer so far.
    pub output_length: Option<i64>,
    /// The SSE id.
    pub id: EventId<'a>,
    /// The fields that neighbouring events repeat.
    pub common: CommonRef<'a, TokenCommon>,
    /// What [`raw`](Self::raw) is made of.
    pub payload: Payload<'a>,
}

/// The fields of a token that its neighbours repeat.
#[derive(Default, PartialEq)]
pub struct TokenCommon {
    /// `assistant`.
    pub role: Option<Box<str>>,
    /// Pieces of tool calls (v3).
    pub tool_calls: Box<[ToolCallDelta]>,
    /// Usually absent before the result.
    pub finish_reason: Option<Box<str>>,
    /// v1, undocumented, 0.
    pub index: Option<i64>,
    /// v1: tokens of the prompt.
    pub input_length: Option<i64>,
    /// v3: Unix time, usually in seconds ([clova §11]).
    pub created: Option<i64>,
    /// v3: the seed in use, up to 4294967295.
    pub seed: Option<i64>,
    /// v3: absent before the result.
    pub usage: Option<Usage>,
}

impl std::ops::Deref for Token<'_> {
    type Target = TokenCommon;

    fn deref(&self) -> &TokenCommon {
        &self.common
    }
}

impl Token<'_> {
    /// The payload as received.
    #[must_use]
    pub fn raw(&self) -> Cow<'_, [u8]> {
        let string = if self.text.is_empty() { &self.thinking } else { &self.text };
        self.payload.bytes(self.common.arc(), string, self.output_length)
    }
}

/// The whole answer.
#[derive(Clone, Default, PartialEq)]
pub struct Answer<'a> {
    /// The whole text.
    pub content: Cow<'a, str>,
    /// The whole reasoning.
    pub thinking_content: Cow<'a, str>,
    /// `assistant`.
    pub role: Option<Cow<'a, str>>,
    /// The whole tool calls.
    pub tool_calls: Box<[ToolCallDelta]>,
    /// Why the model stopped.
    pub finish_reason: Option<Box<str>>,
    /// v1: tokens of the prompt.
    pub input_length: Option<i64>,
    /// v1: tokens of the answer.
    pub output_length: Option<i64>,
    /// v3: Unix time.
    pub created: Option<i64>,
    /// The seed in use.
    pub seed: Option<i64>,
    /// v3: token counts.
    pub usage: Option<Usage>,
    /// Verdicts of the AI filter, where asked for.
    pub ai_filter: Box<[AiFilter]>,
    /// The SSE id.
    pub id: EventId<'a>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A signal of the service.
#[derive(Clone, Default, PartialEq)]
pub struct Signal<'a> {
    /// `[DONE]`.
    pub data: Cow<'a, str>,
    /// The SSE id.
    pub id: EventId<'a>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// An error inside the stream.
#[derive(Clone, Default, PartialEq)]
pub struct Error<'a> {
    /// As [clova §7.2] lists them: `"42901"`.
    pub code: Option<Cow<'a, str>>,
    /// The service's message.
    pub message: Cow<'a, str>,
    /// The SSE id.
    pub id: EventId<'a>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A frame that is not one of the above.
#[derive(Clone, Default, PartialEq)]
pub struct Unknown<'a> {
    /// The event's name, `message` where it has none.
    pub event: Cow<'a, str>,
    /// The payload's text.
    pub data: Cow<'a, str>,
    /// The SSE id.
    pub id: EventId<'a>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

debug_fields! {
    Token<'_> = "Token" {
        text, thinking, role, tool_calls, finish_reason, index, input_length, output_length, created, seed, usage, id
    }
    TokenCommon = "TokenCommon" { role, tool_calls, finish_reason, index, input_length, created, seed, usage }
    Answer<'_> = "Answer" {
        content, thinking_content, role, tool_calls, finish_reason, input_length, output_length, created, seed, usage,
        ai_filter, id; bytes raw
    }
    Signal<'_> = "Signal" { data, id; bytes raw }
    Error<'_> = "Error" { code, message, id; bytes raw }
    Unknown<'_> = "Unknown" { event, data, id; bytes raw }
}

impl<'a> StreamEvent<'a> for Event<'a> {
    type Owned = Event<'static>;

    fn text(&self) -> &str {
        match self {
            Self::Token(token) => &token.text,
            _ => "",
        }
    }

    fn thinking(&self) -> &str {
        match self {
            Self::Token(token) => &token.thinking,
            _ => "",
        }
    }

    fn raw(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Token(token) => token.raw(),
            Self::Result(answer) => Cow::Borrowed(&answer.raw),
            Self::Signal(signal) => Cow::Borrowed(&signal.raw),
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
            Self::Result(_) => Some(Deferred::Result),
            Self::Error(_) => Some(Deferred::Error),
            _ => None,
        }
    }

    fn malformed(malformed: Malformed<'a>) -> Self {
        Self::Malformed(malformed)
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Token(token) => Event::Token(token.into_owned()),
            Self::Result(answer) => Event::Result(Box::new(answer.into_owned())),
            Self::Signal(Signal { data, id, raw }) => {
                Event::Signal(Signal { data: own(data), id: id.into_owned(), raw: own(raw) })
            }
            Self::Error(Error { code, message, id, raw }) => Event::Error(Error {
                code: code.map(own),
                message: own(message),
                id: id.into_owned(),
                raw: own(raw),
            }),
            Self::Unknown(Unknown { event, data, id, raw }) => Event::Unknown(Unknown {
                event: own(event),
                data: own(data),
                id: id.into_owned(),
                raw: own(raw),
            }),
            Self::Malformed(malformed) => Event::Malformed(malformed.into_owned()),
        }
    }
}

impl Token<'_> {
    fn into_owned(self) -> Token<'static> {
        Token {
            text: own(self.text),
            thinking: own(self.thinking),
            output_length: self.output_length,
            id: self.id.into_owned(),
            common: self.common.into_owned(),
            payload: self.payload.into_owned(),
        }
    }
}

impl Answer<'_> {
    fn into_owned(self) -> Answer<'static> {
        Answer {
            content: own(self.content),
            thinking_content: own(self.thinking_content),
            role: self.role.map(own),
            tool_calls: self.tool_calls,
            finish_reason: self.finish_reason,
            input_length: self.input_length,
            output_length: self.output_length,
            created: self.created,
            seed: self.seed,
            usage: self.usage,
            ai_filter: self.ai_filter,
            id: self.id.into_owned(),
            raw: own(self.raw),
        }
    }
}

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct Clova {
    ended: bool,
}

impl Sealed for Clova {}

impl Dialect for Clova {
    type Event<'a> = Event<'a>;

    const SERVICE: Service = Service::Clova;

    const HAS_ID: bool = true;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let decoded = decode(frame)?;
        self.ended |= matches!(decoded.event, Event::Result(_) | Event::Error(_));
        Ok(decoded)
    }

    type Common = TokenCommon;

    fn common<'e>(event: &'e Event<'_>) -> Option<&'e Arc<Common<TokenCommon>>> {
        match event {
            Event::Token(token) => Some(token.common.arc()),
            _ => None,
        }
    }

    fn predicted<'a>(&mut self, common: &'a Arc<Common<TokenCommon>>, mut fields: Fields<'a>) -> Event<'a> {
        let (text, thinking) = fields.text_and_thinking();
        Event::Token(Token {
            text,
            thinking,
            output_length: fields.counter,
            id: fields.id,
            common: CommonRef::Borrowed(common),
            payload: fields.payload,
        })
    }

    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Event<'a>> {
        // The documented marker is a JSON object, {"data":"[DONE]"}; a bare one is not of this dialect.
        Some(unknown(frame, frame.plain_text().unwrap_or_default()))
    }

    fn continues(event: &Event<'_>, next: &Event<'_>) -> bool {
        let (Event::Token(event), Event::Token(next)) = (event, next) else { return false };
        event.output_length.is_some() == next.output_length.is_some()
            && event.common.is_shared_with(&next.common)
            && next.tool_calls.is_empty()
    }

    fn merge(event: &mut Event<'static>, next: &Event<'_>) {
        let (Event::Token(event), Event::Token(next)) = (event, next) else { return };
        event.text.to_mut().push_str(&next.text);
        event.thinking.to_mut().push_str(&next.thinking);
        event.output_length = next.output_length;
        event.payload = Payload::default();
    }

    fn missing(&self) -> Option<Missing> {
        (!self.ended).then_some(Missing::ClovaResult)
    }
}

fn unknown<'a>(frame: &Frame<'a>, text: &'a str) -> Event<'a> {
    Event::Unknown(Unknown {
        event: frame.event(),
        data: Cow::Borrowed(text),
        id: frame.id.into(),
        raw: Cow::Borrowed(frame.payload),
    })
}

fn decode<'a>(frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
    let name = frame.name;
    if !matches!(name, b"" | b"message" | b"token" | b"result" | b"signal" | b"error") {
        let event = unknown(frame, frame.plain_text()?);
        return Ok(Decoded { event, holes: None, validated: false });
    }
    let text = frame.text()?;
    let mut cursor = Cursor::new(text, frame.max_depth);
    if cursor.kind()? != Kind::Object {
        cursor.skip()?;
        cursor.end()?;
        return Ok(Decoded::new(unknown(frame, text)));
    }
    let mut members = Members::default();
    members.read(&mut cursor, true)?;
    cursor.end()?;
    let event = match name {
        b"token" if members.message.is_some() => return Ok(members.token(frame)),
        b"result" if members.message.is_some() => Event::Result(Box::new(members.answer(frame))),
        b"signal" => match members.data.take() {
            Some(data) => {
                Event::Signal(Signal { data, id: frame.id.into(), raw: Cow::Borrowed(frame.payload) })
            }
            None => unknown(frame, text),
        },
        b"error" => {
            let status = members.status.take().or(members.error.take()).unwrap_or(Status {
                code: members.code.take(),
                message: members.message_text.take().unwrap_or_default(),
            });
            status.error(frame)
        }
        b"" | b"message" => match members.by_shape(frame) {
            Some(decoded) => return Ok(decoded),
            None => unknown(frame, text),
        },
        _ => unknown(frame, text),
    };
    Ok(Decoded::new(event))
}

#[derive(Default)]
struct Message<'a> {
    role: Option<Cow<'a, str>>,
    content: Text<'a>,
    thinking: Text<'a>,
    tool_calls: Box<[ToolCallDelta]>,
}

struct Status<'a> {
    code: Option<Cow<'a, str>>,
    message: Cow<'a, str>,
}

/// Every member that some frame of the dialect has; of duplicates the last wins.
#[derive(Default)]
struct Members<'a> {
    message: Option<Message<'a>>,
    message_text: Option<Cow<'a, str>>,
    finish_reason: Option<Cow<'a, str>>,
    stop_reason: Option<Cow<'a, str>>,
    index: Option<i64>,
    input_length: Option<i64>,
    /// The counter of v1, with the place of its digits.
    output_length: Option<(i64, Span)>,
    created: Option<i64>,
    seed: Option<i64>,
    usage: Option<Usage>,
    ai_filter: Box<[AiFilter]>,
    data: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    status: Option<Status<'a>>,
    error: Option<Status<'a>>,
    /// The answer of a one-shot body, `{"status": …, "result": {…}}`.
    result: Option<Box<Members<'a>>>,
}

impl<'a> Members<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, outermost: bool) -> Result<(), FrameError> {
        members!(cursor {
            "message" => {
                (self.message, self.message_text) = (None, None);
                match cursor.kind()? {
                    Kind::Object => self.message = Some(message(cursor)?),
                    _ => self.message_text = cursor.optional_string()?,
                }
            },
            "finishReason" => self.finish_reason = cursor.optional_string()?,
            "stopReason" => self.stop_reason = cursor.optional_string()?,
            "index" => self.index = cursor.optional_integer()?,
            "inputLength" => self.input_length = cursor.optional_integer()?,
            "outputLength" => self.output_length = cursor.placed_integer()?,
            "created" => self.created = cursor.optional_integer()?,
            "seed" => self.seed = cursor.optional_integer()?,
            "usage" => self.usage = optional_object(cursor, usage)?,
            "aiFilter" => self.ai_filter = ai_filter(cursor)?,
            "data" => self.data = cursor.optional_string()?,
            "code" => self.code = cursor.optional_label()?,
            "status" => self.status = optional_object(cursor, status)?,
            "error" => self.error = optional_object(cursor, status)?,
            "result" if outermost => {
                self.result = optional_object(cursor, |cursor| {
                    let mut inner = Box::<Self>::default();
                    inner.read(cursor, false)?;
                    Ok(inner)
                })?;
            },
        })
    }

    fn reason(&self) -> Option<Box<str>> {
        let either = self.finish_reason.as_deref().and_then(finish_reason);
        either.or_else(|| self.stop_reason.as_deref().and_then(finish_reason))
    }

    fn token(&mut self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        let finish_reason = self.reason();
        let message = self.message.take().unwrap_or_default();
        // Two strings at once are rare: such a frame does not become a template.
        let string = match (message.content.value.is_empty(), message.thinking.value.is_empty()) {
            (_, true) if message.content.span.is_some() => {
                message.content.span.map(|span| (HoleKind::Text, span))
            }
            (true, _) => message.thinking.span.map(|span| (HoleKind::Thinking, span)),
            _ => None,
        };
        let counter = self.output_length.map(|(_, digits)| digits);
        let holes = string
            .filter(|(_, string)| counter.is_none_or(|counter| counter.start > string.end))
            .map(|(kind, string)| Holes { kind, string, counter, may_be_empty: true });
        let token = Token {
            text: message.content.value,
            thinking: message.thinking.value,
            output_length: self.output_length.map(|(number, _)| number),
            id: frame.id.into(),
            common: CommonRef::new(TokenCommon {
                role: boxed(message.role),
                tool_calls: message.tool_calls,
                finish_reason,
                index: self.index,
                input_length: self.input_length,
                created: self.created,
                seed: self.seed,
                usage: self.usage,
            }),
            payload: Payload::Received(Cow::Borrowed(frame.payload)),
        };
        Decoded { event: Event::Token(token), holes, validated: true }
    }

    fn answer(&mut self, frame: &Frame<'a>) -> Answer<'a> {
        let finish_reason = self.reason();
        let message = self.message.take().unwrap_or_default();
        Answer {
            content: message.content.value,
            thinking_content: message.thinking.value,
            role: message.role,
            tool_calls: message.tool_calls,
            finish_reason,
            input_length: self.input_length,
            output_length: self.output_length.map(|(number, _)| number),
            created: self.created,
            seed: self.seed,
            usage: self.usage,
            ai_filter: std::mem::take(&mut self.ai_filter),
            id: frame.id.into(),
            raw: Cow::Borrowed(frame.payload),
        }
    }

    /// What a frame without a name is ([clova §10] rule 2).
    fn by_shape(&mut self, frame: &Frame<'a>) -> Option<Decoded<Event<'a>>> {
        if self.message.is_some() {
            // Only the last frame of an answer has a reason or token counts.
            return Some(if self.reason().is_some() || self.usage.is_some() {
                Decoded::new(Event::Result(Box::new(self.answer(frame))))
            } else {
                self.token(frame)
            });
        }
        if let Some(status) = self.status.take() {
            let good = status.code.as_deref().is_none_or(|code| code.starts_with('2'));
            return match self.result.take() {
                Some(mut result) if good && result.message.is_some() => {
                    Some(Decoded::new(Event::Result(Box::new(result.answer(frame)))))
                }
                _ if good && status.code.is_some() => None,
                _ => Some(Decoded::new(status.error(frame))),
            };
        }
        if let Some(data) = self.data.take().filter(|data| data == "[DONE]") {
            let signal = Signal { data, id: frame.id.into(), raw: Cow::Borrowed(frame.payload) };
            return Some(Decoded::new(Event::Signal(signal)));
        }
        self.error.take().map(|error| Decoded::new(error.error(frame)))
    }
}

impl<'a> Status<'a> {
    fn error(self, frame: &Frame<'a>) -> Event<'a> {
        Event::Error(Error {
            code: self.code,
            message: self.message,
            id: frame.id.into(),
            raw: Cow::Borrowed(frame.payload),
        })
    }
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, FrameError> {
    let mut message = Message::default();
    members!(cursor {
        "role" => message.role = cursor.optional_string()?,
        "content" => {
            message.content = match cursor.kind()? {
                Kind::Array => {
                    Text { value: Cow::Owned(joined_parts(cursor)?.unwrap_or_default()), span: None }
                }
                _ => cursor.text()?,
            }
        },
        "thinkingContent" => message.thinking = cursor.text()?,
        "toolCalls" => message.tool_calls = tool_calls(cursor, Pieces::PartialJson)?,
    })?;
    Ok(message)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Usage, FrameError> {
    let mut usage = Usage::default();
    members!(cursor {
        "promptTokens" => usage.prompt_tokens = cursor.optional_integer()?,
        "completionTokens" => usage.completion_tokens = cursor.optional_integer()?,
        "totalTokens" => usage.total_tokens = cursor.optional_integer()?,
        "completionTokensDetails" => {
            usage.thinking_tokens = None;
            optional_object(cursor, |cursor| {
                members!(cursor {
                    "thinkingTokens" => usage.thinking_tokens = cursor.optional_integer()?,
                })
            })?;
        },
    })?;
    Ok(usage)
}

fn ai_filter(cursor: &mut Cursor<'_>) -> Result<Box<[AiFilter]>, FrameError> {
    let filters = optional_list(cursor, |cursor| {
        let mut filter = AiFilter::default();
        members!(cursor {
            "groupName" => filter.group_name = boxed(cursor.optional_label()?),
            "name" => filter.name = boxed(cursor.optional_label()?),
            "score" => filter.score = boxed(cursor.optional_label()?),
            "result" => filter.result = boxed(cursor.optional_label()?),
        })?;
        Ok(filter)
    })?;
    Ok(filters.unwrap_or_default().into_boxed_slice())
}

/// `{"code", "message"}`, or the gateway's `{"errorCode", "message"}`.
fn status<'a>(cursor: &mut Cursor<'a>) -> Result<Status<'a>, FrameError> {
    let mut status = Status { code: None, message: Cow::Borrowed("") };
    let mut gateway_code = None;
    members!(cursor {
        "code" => status.code = cursor.optional_label()?,
        "errorCode" => gateway_code = cursor.optional_label()?,
        "message" => status.message = cursor.optional_string()?.unwrap_or_default(),
    })?;
    status.code = status.code.or(gateway_code);
    Ok(status)
}
