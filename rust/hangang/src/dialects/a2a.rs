//! A2A streams (Agent to Agent, JSON-RPC over SSE), protocols 0.2, 0.3 and 1.0 and the Gov dialects
//! ([a2a §3, §4, §5, §6], [gov §1.4]).
//!
//! Always true:
//! - states and roles are folded to one spelling: `TASK_STATE_INPUT_REQUIRED` is `input-required`;
//! - answer text is the text parts of artifacts and messages, joined with nothing between. The message inside a status
//!   is progress, not answer;
//! - a stray `[DONE]` means nothing.
//!
//! What will bite:
//! - 0.2 and 0.3 name a result by `kind`, 1.0 by the member that holds it; a result with neither is recognized by its
//!   keys. Parts are always recognized by their keys: `kind` and `type` both occur, and neither in 1.0;
//! - an interrupted state does not end a stream by itself: the last state decides, at the end.

use std::borrow::Cow;
use std::sync::Arc;

use super::debug::debug_fields;
use super::wire::{boxed, code, optional_list, optional_object, own};
use crate::dialect::{
    Common, CommonRef, Decoded, Deferred, Dialect, Fields, Frame, Malformed, Options, Payload, StreamEvent,
    sealed::Sealed,
};
use crate::error::{FrameError, Missing};
use crate::json::{Cursor, Kind, StringSpan, Text, members};
use crate::predict::template::{HoleKind, Holes};
use crate::service::Service;

pub use super::wire::Code;

/// The parser of A2A streams.
pub type StreamParser = crate::parser::StreamParser<A2a>;

impl StreamParser {
    /// A parser for agents whose streams end in one of two ways.
    #[must_use]
    pub fn with_end(end: End, options: Options) -> Self {
        Self::with_dialect(A2a { end, ..A2a::default() }, options)
    }
}

/// The events of an A2A stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A snapshot of the task.
    Task(Box<Task<'a>>),
    /// A message of the agent, which is the whole answer.
    Message(Box<Message<'a>>),
    /// A change of the task's state.
    StatusUpdate(Box<StatusUpdate<'a>>),
    /// A piece of an artifact.
    ArtifactUpdate(ArtifactUpdate<'a>),
    /// A JSON-RPC error.
    Error(Box<Error<'a>>),
    /// A frame of another shape, kept as it is.
    Unknown(Unknown<'a>),
    /// A bad frame, in `report` mode.
    Malformed(Malformed<'a>),
}

/// A task with what it has produced so far. JSON of any shape is deferred as its text.
#[derive(Clone, Default, PartialEq)]
pub struct Task<'a> {
    /// The task's id.
    pub id: Option<Cow<'a, str>>,
    /// The conversation's id.
    pub context_id: Option<Cow<'a, str>>,
    /// Folded: `working`, `completed`, …
    pub state: String,
    /// The text parts of all artifacts.
    pub content: Cow<'a, str>,
    /// JSON array.
    pub artifacts: Option<Cow<'a, str>>,
    /// JSON array.
    pub history: Option<Cow<'a, str>>,
    /// JSON object.
    pub metadata: Option<Cow<'a, str>>,
    /// The text of the status's message: a question, or the reason of a failure; not part of the answer.
    pub message: Option<Cow<'a, str>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A message.
#[derive(Clone, Default, PartialEq)]
pub struct Message<'a> {
    /// Its text parts.
    pub text: Cow<'a, str>,
    /// Folded: `agent`, `user`.
    pub role: Option<String>,
    /// The message's id.
    pub message_id: Option<Cow<'a, str>>,
    /// The task's id.
    pub task_id: Option<Cow<'a, str>>,
    /// The conversation's id.
    pub context_id: Option<Cow<'a, str>>,
    /// JSON array.
    pub parts: Option<Cow<'a, str>>,
    /// JSON object; in Gov's wrapper the member beside the message.
    pub metadata: Option<Cow<'a, str>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A change of state.
#[derive(Clone, Default, PartialEq)]
pub struct StatusUpdate<'a> {
    /// The task's id.
    pub task_id: Option<Cow<'a, str>>,
    /// The conversation's id.
    pub context_id: Option<Cow<'a, str>>,
    /// Folded: `working`, `completed`, …
    pub state: String,
    /// Progress text; not part of the answer.
    pub message: Option<Cow<'a, str>>,
    /// 0.2 and 0.3: the stream is complete.
    pub is_final: bool,
    /// JSON object.
    pub metadata: Option<Cow<'a, str>>,
    /// The payload as received.
    pub raw: Cow<'a, [u8]>,
}

/// A piece of an artifact. The fields that neighbours repeat are in [`ArtifactCommon`] and read as if they were
/// the update's own.
#[derive(Clone, Default, PartialEq)]
pub struct ArtifactUpdate<'a> {
    /// Its text parts.
    pub text: Cow<'a, str>,
    /// The fields that neighbouring events repeat.
    pub common: CommonRef<'a, ArtifactCommon>,
    /// What [`raw`](Self::raw) is made of.
    pub payload: Payload<'a>,
}

/// The fields of an artifact update that its neighbours repeat.
#[derive(Default, PartialEq)]
pub struct ArtifactCommon {
    /// The task's id.
    pub task_id: Option<Box<str>>,
    /// The conversation's id.
    pub context_id: Option<Box<str>>,
    /// Which artifact.
    pub artifact_id: Option<Box<str>>,
    /// The artifact's name.
    pub name: Option<Box<str>>,
    /// Whether the parts are appended to the earlier ones, or replace them.
    pub append: bool,
    /// The artifact is complete.
    pub last_chunk: bool,
    /// JSON object.
    pub metadata: Option<Box<str>>,
    parts: Option<Margins>,
}

/// Where the parts are in the payload. Counted from both ends, as in the payload of a predicted update only the parts
/// differ in length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Margins {
    before: usize,
    after: usize,
}

impl std::ops::Deref for ArtifactUpdate<'_> {
    type Target = ArtifactCommon;

    fn deref(&self) -> &ArtifactCommon {
        &self.common
    }
}

impl ArtifactUpdate<'_> {
    /// The payload as received.
    #[must_use]
    pub fn raw(&self) -> Cow<'_, [u8]> {
        self.payload.bytes(self.common.arc(), &self.text, None)
    }

    /// The parts as JSON array.
    #[must_use]
    pub fn parts(&self) -> Option<String> {
        self.common.parts_of(&self.raw())
    }
}

impl ArtifactCommon {
    /// The parts as JSON array, cut out of an update's payload.
    #[must_use]
    pub fn parts_of(&self, payload: &[u8]) -> Option<String> {
        let Margins { before, after } = self.parts?;
        let parts = payload.get(before..payload.len().checked_sub(after)?)?;
        String::from_utf8(parts.to_vec()).ok()
    }
}

/// A JSON-RPC error.
#[derive(Clone, Default, PartialEq)]
pub struct Error<'a> {
    /// `-32603`, …
    pub code: Option<Code<'a>>,
    /// The server's message.
    pub message: Cow<'a, str>,
    /// JSON of any shape.
    pub data: Option<Cow<'a, str>>,
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
    Task<'_> = "Task" { id, context_id, state, content, artifacts, history, metadata, message; bytes raw }
    Message<'_> = "Message" { text, role, message_id, task_id, context_id, parts, metadata; bytes raw }
    StatusUpdate<'_> = "StatusUpdate" { task_id, context_id, state, message, is_final, metadata; bytes raw }
    ArtifactUpdate<'_> = "ArtifactUpdate" {
        text, task_id, context_id, artifact_id, name, append, last_chunk, metadata
    }
    ArtifactCommon = "ArtifactCommon" { task_id, context_id, artifact_id, name, append, last_chunk, metadata }
    Error<'_> = "Error" { code, message, data; bytes raw }
    Unknown<'_> = "Unknown" { data; bytes raw }
}

impl<'a> StreamEvent<'a> for Event<'a> {
    type Owned = Event<'static>;

    fn text(&self) -> &str {
        match self {
            Self::Message(message) => &message.text,
            Self::ArtifactUpdate(update) => &update.text,
            _ => "",
        }
    }

    fn thinking(&self) -> &'static str {
        ""
    }

    fn raw(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Task(task) => Cow::Borrowed(&task.raw),
            Self::Message(message) => Cow::Borrowed(&message.raw),
            Self::StatusUpdate(update) => Cow::Borrowed(&update.raw),
            Self::ArtifactUpdate(update) => update.raw(),
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
            Self::Error(_) => Some(Deferred::Error),
            Self::Task(_) => Some(Deferred::Task),
            Self::StatusUpdate(_) => Some(Deferred::StatusUpdate),
            _ => None,
        }
    }

    fn malformed(malformed: Malformed<'a>) -> Self {
        Self::Malformed(malformed)
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Task(task) => Event::Task(Box::new(Task {
                id: task.id.map(own),
                context_id: task.context_id.map(own),
                state: task.state,
                content: own(task.content),
                artifacts: task.artifacts.map(own),
                history: task.history.map(own),
                metadata: task.metadata.map(own),
                message: task.message.map(own),
                raw: own(task.raw),
            })),
            Self::Message(message) => Event::Message(Box::new(Message {
                text: own(message.text),
                role: message.role,
                message_id: message.message_id.map(own),
                task_id: message.task_id.map(own),
                context_id: message.context_id.map(own),
                parts: message.parts.map(own),
                metadata: message.metadata.map(own),
                raw: own(message.raw),
            })),
            Self::StatusUpdate(update) => Event::StatusUpdate(Box::new(StatusUpdate {
                task_id: update.task_id.map(own),
                context_id: update.context_id.map(own),
                state: update.state,
                message: update.message.map(own),
                is_final: update.is_final,
                metadata: update.metadata.map(own),
                raw: own(update.raw),
            })),
            Self::ArtifactUpdate(update) => Event::ArtifactUpdate(ArtifactUpdate {
                text: own(update.text),
                common: update.common.into_owned(),
                payload: update.payload.into_owned(),
            }),
            Self::Error(error) => Event::Error(Box::new(Error {
                code: error.code.map(Code::into_owned),
                message: own(error.message),
                data: error.data.map(own),
                raw: own(error.raw),
            })),
            Self::Unknown(Unknown { data, raw }) => {
                Event::Unknown(Unknown { data: own(data), raw: own(raw) })
            }
            Self::Malformed(malformed) => Event::Malformed(malformed.into_owned()),
        }
    }
}

/// What ends a stream besides the protocol's own marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Nothing: the task's last state decides.
    #[default]
    State,
    /// An artifact's last chunk, after which Gov's second agent profile may send no status.
    LastChunk,
}

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct A2a {
    end: End,
    /// An error, a message, a final status or a last chunk was seen. Nothing after it takes that back.
    ended: bool,
    /// The last state was terminal or interrupted; a later one may differ.
    at_rest: bool,
}

impl Sealed for A2a {}

impl Dialect for A2a {
    type Event<'a> = Event<'a>;

    const SERVICE: Service = Service::A2a;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let text = frame.text()?;
        let mut cursor = Cursor::new(text, frame.max_depth);
        let decoded = if cursor.kind()? == Kind::Object {
            let mut envelope = Envelope::default();
            envelope.read(&mut cursor)?;
            cursor.end()?;
            envelope.event(frame)
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
        match &decoded.event {
            Event::Error(_) | Event::Message(_) => self.ended = true,
            Event::Task(task) => self.at_rest = is_rest(&task.state),
            Event::StatusUpdate(update) => {
                self.at_rest = is_rest(&update.state);
                self.ended |= update.is_final;
            }
            Event::ArtifactUpdate(update) => self.ended |= update.last_chunk && self.end == End::LastChunk,
            Event::Unknown(_) | Event::Malformed(_) => {}
        }
        Ok(decoded)
    }

    type Common = ArtifactCommon;

    fn common<'e>(event: &'e Event<'_>) -> Option<&'e Arc<Common<ArtifactCommon>>> {
        match event {
            Event::ArtifactUpdate(update) => Some(update.common.arc()),
            _ => None,
        }
    }

    fn predicted<'a>(&mut self, common: &'a Arc<Common<ArtifactCommon>>, fields: Fields<'a>) -> Event<'a> {
        // A template's frame was parsed in full, and what it meant for the end is noted already.
        Event::ArtifactUpdate(ArtifactUpdate {
            text: fields.string,
            common: CommonRef::Borrowed(common),
            payload: fields.payload,
        })
    }

    fn done<'a>(&mut self, _frame: &Frame<'a>) -> Option<Event<'a>> {
        None
    }

    fn missing(&self) -> Option<Missing> {
        match self.end {
            _ if self.ended || self.at_rest => None,
            End::State => Some(Missing::A2aEnd),
            End::LastChunk => Some(Missing::A2aLastChunk),
        }
    }
}

/// Terminal and interrupted states.
fn is_rest(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "canceled" | "rejected" | "input-required" | "auth-required")
}

/// `TASK_STATE_INPUT_REQUIRED` and `input-required` are one.
fn fold(name: &str, prefix: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix(prefix).unwrap_or(&lower).replace('_', "-")
}

/// Parts: their JSON and the text in them.
#[derive(Default)]
struct Parts<'a> {
    /// Where the JSON begins in the payload.
    start: usize,
    json: Option<&'a str>,
    text: Cow<'a, str>,
    /// The inside of the only text.
    string: Option<StringSpan>,
}

impl Parts<'_> {
    /// These if they are a list, else the others.
    fn or(self, others: Self) -> Self {
        if self.json.is_some() { self } else { others }
    }
}

/// An artifact.
#[derive(Default)]
struct Inner<'a> {
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    parts: Parts<'a>,
    metadata: Option<&'a str>,
}

#[derive(Default)]
struct Status<'a> {
    state: Option<Cow<'a, str>>,
    /// The text of its message.
    message: Option<Cow<'a, str>>,
}

/// The members of every kind of result together: the kind may be named after them.
#[derive(Default)]
struct Body<'a> {
    kind: Option<Cow<'a, str>>,
    has_id: bool,
    id: Option<Cow<'a, str>>,
    context_id: Option<Cow<'a, str>>,
    has_task_id: bool,
    task_id: Option<Cow<'a, str>>,
    message_id: Option<Cow<'a, str>>,
    role: Option<Cow<'a, str>>,
    status: Option<Status<'a>>,
    artifact: Option<Inner<'a>>,
    parts: Parts<'a>,
    /// Protocol 0.3's proto JSON has a message's parts here.
    content: Parts<'a>,
    artifacts: Parts<'a>,
    history: Option<&'a str>,
    metadata: Option<&'a str>,
    append: bool,
    last_chunk: bool,
    is_final: bool,
    /// `task`, `message`, `statusUpdate`, `artifactUpdate` of protocol 1.0.
    members: [Option<Box<Body<'a>>>; 4],
}

const MEMBERS: [&str; 4] = ["task", "message", "statusUpdate", "artifactUpdate"];

#[derive(Default)]
struct Envelope<'a> {
    has_jsonrpc: bool,
    has_result: bool,
    result: Option<Box<Body<'a>>>,
    error: Option<Failure<'a>>,
    /// The same members without an envelope: the REST binding.
    bare: Box<Body<'a>>,
}

#[derive(Default)]
struct Failure<'a> {
    code: Option<Code<'a>>,
    message: Option<Cow<'a, str>>,
    data: Option<&'a str>,
    detail: Option<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), FrameError> {
        members!(cursor {
            "jsonrpc" => {
                self.has_jsonrpc = true;
                cursor.skip()?;
            },
            "result" => {
                self.has_result = true;
                self.result = member(cursor, true)?;
            },
            "error" => self.error = failure(cursor)?,
            "metadata" => self.bare.metadata = optional_json_object(cursor)?,
        } else name => match MEMBERS.iter().position(|&member| member == name) {
            Some(at) => self.bare.members[at] = member(cursor, false)?,
            None => cursor.skip()?,
        })
    }

    fn event(self, frame: &Frame<'a>) -> Option<Decoded<Event<'a>>> {
        if let Some(error) = self.error {
            return Some(error.event(frame));
        }
        match self.result {
            Some(result) => result.event(frame),
            None if self.has_result || self.has_jsonrpc => None,
            None => self.bare.event_of_member(frame).ok(),
        }
    }
}

fn member<'a>(cursor: &mut Cursor<'a>, outermost: bool) -> Result<Option<Box<Body<'a>>>, FrameError> {
    optional_object(cursor, |cursor| {
        let mut body = Box::<Body<'_>>::default();
        body.read(cursor, outermost)?;
        Ok(body)
    })
}

impl<'a> Body<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, outermost: bool) -> Result<(), FrameError> {
        members!(cursor {
            "kind" => self.kind = cursor.optional_string()?,
            "id" => (self.has_id, self.id) = (true, cursor.optional_string()?),
            "contextId" => self.context_id = cursor.optional_string()?,
            "taskId" => (self.has_task_id, self.task_id) = (true, cursor.optional_string()?),
            "messageId" => self.message_id = cursor.optional_string()?,
            "role" => self.role = cursor.optional_string()?,
            "status" => self.status = optional_object(cursor, status)?,
            "artifact" => self.artifact = optional_object(cursor, inner)?,
            "parts" => self.parts = parts(cursor)?,
            "content" => self.content = parts(cursor)?,
            "artifacts" => self.artifacts = artifacts(cursor)?,
            "history" => {
                let (kind, json) = cursor.raw()?;
                self.history = (kind == Kind::Array).then_some(json);
            },
            "metadata" => self.metadata = optional_json_object(cursor)?,
            "append" => self.append = cursor.is_true()?,
            "lastChunk" => self.last_chunk = cursor.is_true()?,
            "final" => self.is_final = cursor.is_true()?,
        } else name => match MEMBERS.iter().position(|&member| member == name) {
            Some(at) if outermost => self.members[at] = member(cursor, false)?,
            _ => cursor.skip()?,
        })
    }

    fn event(self: Box<Self>, frame: &Frame<'a>) -> Option<Decoded<Event<'a>>> {
        match self.kind.as_deref() {
            Some("task") => return Some(self.task(frame)),
            Some("message") => return Some(self.message(frame)),
            Some("status-update") => return Some(self.status_update(frame)),
            Some("artifact-update") => return Some(self.artifact_update(frame)),
            _ => {}
        }
        match self.event_of_member(frame) {
            Ok(event) => Some(event),
            Err(body) if body.artifact.is_some() => Some(body.artifact_update(frame)),
            Err(body) if body.status.is_some() && body.has_task_id => Some(body.status_update(frame)),
            Err(body) if body.status.is_some() && body.has_id => Some(body.task(frame)),
            Err(body) if body.parts.json.is_some() => Some(body.message(frame)),
            Err(_) => None,
        }
    }

    /// The event of the member that protocol 1.0 names; the body itself if there is no such member.
    fn event_of_member(mut self: Box<Self>, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, Box<Self>> {
        let Some(at) = self.members.iter().position(Option::is_some) else { return Err(self) };
        let Some(mut body) = self.members[at].take() else { return Err(self) };
        // Gov's first agent profile puts the session id beside the message.
        body.metadata = body.metadata.or(self.metadata);
        Ok(match at {
            0 => body.task(frame),
            1 => body.message(frame),
            2 => body.status_update(frame),
            _ => body.artifact_update(frame),
        })
    }

    fn state(&self) -> String {
        let state = self.status.as_ref().and_then(|status| status.state.as_deref());
        let state = state.map_or_else(String::new, |state| fold(state, "task_state_"));
        // Both spellings occur; the specification's is the one that is known as terminal.
        if state == "cancelled" { "canceled".to_owned() } else { state }
    }

    fn task(self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        Decoded::new(Event::Task(Box::new(Task {
            state: self.state(),
            id: self.id,
            context_id: self.context_id,
            content: self.artifacts.text,
            artifacts: self.artifacts.json.map(Cow::Borrowed),
            history: self.history.map(Cow::Borrowed),
            metadata: self.metadata.map(Cow::Borrowed),
            message: self.status.and_then(|status| status.message),
            raw: Cow::Borrowed(frame.payload),
        })))
    }

    fn message(self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        let parts = self.parts.or(self.content);
        Decoded::new(Event::Message(Box::new(Message {
            text: parts.text,
            role: self.role.map(|role| fold(&role, "role_")),
            message_id: self.message_id,
            task_id: self.task_id,
            context_id: self.context_id,
            parts: parts.json.map(Cow::Borrowed),
            metadata: self.metadata.map(Cow::Borrowed),
            raw: Cow::Borrowed(frame.payload),
        })))
    }

    fn status_update(self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        Decoded::new(Event::StatusUpdate(Box::new(StatusUpdate {
            state: self.state(),
            task_id: self.task_id,
            context_id: self.context_id,
            message: self.status.and_then(|status| status.message),
            is_final: self.is_final,
            metadata: self.metadata.map(Cow::Borrowed),
            raw: Cow::Borrowed(frame.payload),
        })))
    }

    fn artifact_update(self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        let artifact = self.artifact.unwrap_or_default();
        // The text is joined from one part: an empty one is still that part's.
        let holes = artifact.parts.string.map(|string| Holes {
            kind: HoleKind::Text,
            string,
            counter: None,
            may_be_empty: true,
        });
        let update = ArtifactUpdate {
            text: artifact.parts.text,
            common: CommonRef::new(ArtifactCommon {
                task_id: boxed(self.task_id),
                context_id: boxed(self.context_id),
                artifact_id: boxed(artifact.id),
                name: boxed(artifact.name),
                append: self.append,
                last_chunk: self.last_chunk,
                metadata: self.metadata.or(artifact.metadata).map(Into::into),
                parts: artifact.parts.json.map(|json| Margins {
                    before: artifact.parts.start,
                    after: frame.payload.len() - artifact.parts.start - json.len(),
                }),
            }),
            payload: Payload::Received(Cow::Borrowed(frame.payload)),
        };
        Decoded { event: Event::ArtifactUpdate(update), holes, validated: true }
    }
}

impl<'a> Failure<'a> {
    fn event(self, frame: &Frame<'a>) -> Decoded<Event<'a>> {
        Decoded::new(Event::Error(Box::new(Error {
            code: self.code,
            message: self.message.or(self.detail).unwrap_or_default(),
            data: self.data.map(Cow::Borrowed),
            raw: Cow::Borrowed(frame.payload),
        })))
    }
}

fn failure<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Failure<'a>>, FrameError> {
    let mut failure = Failure::default();
    match cursor.kind()? {
        Kind::Object => {
            members!(cursor {
                "code" => failure.code = code(cursor)?,
                "message" => failure.message = cursor.optional_string()?,
                "data" => (failure.data, failure.detail) = data(cursor)?,
            })?;
            Ok(Some(failure))
        }
        Kind::String => {
            failure.message = cursor.optional_string()?;
            Ok(Some(failure))
        }
        kind => cursor.skip_kind(kind).map(|()| None),
    }
}

/// An error's data as JSON, and Gov's `detail` in it.
fn data<'a>(cursor: &mut Cursor<'a>) -> Result<(Option<&'a str>, Option<Cow<'a, str>>), FrameError> {
    let start = cursor.mark()?;
    let mut detail = None;
    optional_object(cursor, |cursor| {
        members!(cursor {
            "detail" => detail = cursor.optional_string()?,
        })
    })?;
    Ok((Some(cursor.since(start)), detail))
}

fn optional_json_object<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, FrameError> {
    let (kind, json) = cursor.raw()?;
    Ok((kind == Kind::Object).then_some(json))
}

fn status<'a>(cursor: &mut Cursor<'a>) -> Result<Status<'a>, FrameError> {
    let mut status = Status::default();
    members!(cursor {
        "state" => status.state = cursor.optional_string()?,
        "message" => status.message = optional_object(cursor, message_text)?,
    })?;
    Ok(status)
}

/// The text of a status's message.
fn message_text<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, FrameError> {
    let (mut list, mut content) = (Parts::default(), Parts::default());
    members!(cursor {
        "parts" => list = parts(cursor)?,
        "content" => content = parts(cursor)?,
    })?;
    Ok(list.or(content).text)
}

fn inner<'a>(cursor: &mut Cursor<'a>) -> Result<Inner<'a>, FrameError> {
    let mut inner = Inner::default();
    members!(cursor {
        "artifactId" => inner.id = cursor.optional_string()?,
        "name" => inner.name = cursor.optional_string()?,
        "parts" => inner.parts = parts(cursor)?,
        "metadata" => inner.metadata = optional_json_object(cursor)?,
    })?;
    Ok(inner)
}

fn parts<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, FrameError> {
    let start = cursor.mark()?;
    let mut text = Cow::Borrowed("");
    let mut strings = 0;
    let mut string = None;
    let list = optional_list(cursor, |cursor| {
        let mut part = Text::default();
        members!(cursor {
            "text" => part = cursor.text()?,
        })?;
        strings += usize::from(part.span.is_some());
        string = string.or(part.span);
        join(&mut text, part.value);
        Ok(())
    })?;
    Ok(Parts {
        start,
        json: list.map(|_| cursor.since(start)),
        text,
        string: string.filter(|_| strings == 1),
    })
}

fn artifacts<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, FrameError> {
    let start = cursor.mark()?;
    let mut text = Cow::Borrowed("");
    let list = optional_list(cursor, |cursor| {
        join(&mut text, inner(cursor)?.parts.text);
        Ok(())
    })?;
    Ok(Parts { start, json: list.map(|_| cursor.since(start)), text, string: None })
}

/// Joins without a copy while there is only one piece.
fn join<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else if !piece.is_empty() {
        text.to_mut().push_str(&piece);
    }
}
