//! EXAONE's streams: JSON objects with nothing between them ([exaone §4, §5]).
//!
//! Always true:
//! - every frame repeats the query and the references; `answer` is a delta;
//! - equal lists of references are one object for all events that carry them;
//! - a `result_code` other than 200 is an error.
//!
//! What will bite:
//! - "no references" is `[{}]` on the wire, a list with an empty object in it;
//! - the wire has no end marker. A stream has ended when it showed an `answering` frame or an error, so one that is cut
//!   between two frames of the answer cannot be distinguished from a complete one.

use std::borrow::Cow;
use std::sync::Arc;

use super::debug::debug_fields;
use super::wire::{boxed, optional_object, own};
use crate::dialect::{
    Common, CommonRef, Decoded, Deferred, Dialect, Fields, Frame, Malformed, Payload, StreamEvent,
    sealed::Sealed,
};
use crate::error::{FrameError, Missing};
use crate::json::{Cursor, Kind, Text, members};
use crate::predict::template::{HoleKind, Holes};
use crate::service::Service;

/// The parser of EXAONE streams.
pub type StreamParser = crate::parser::StreamParser<Exaone>;

/// The events of an EXAONE stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A delta of the answer, or a step on the way to it.
    Answer(Answer<'a>),
    /// An error of the service, inside the stream.
    Error(Error<'a>),
    /// A frame of another shape, kept as it is.
    Unknown(Unknown<'a>),
    /// A bad frame, in `report` mode.
    Malformed(Malformed<'a>),
}

/// One frame. The fields that neighbours repeat are in [`AnswerCommon`] and read as if they were the answer's own.
#[derive(Clone, Default, PartialEq)]
pub struct Answer<'a> {
    /// The delta.
    pub text: Cow<'a, str>,
    /// The fields that neighbouring events repeat.
    pub common: CommonRef<'a, AnswerCommon>,
    /// What [`raw`](Self::raw) is made of.
    pub payload: Payload<'a>,
}

/// The fields of an answer that its neighbours repeat.
#[derive(Default, PartialEq)]
pub struct AnswerCommon {
    /// The user's query, echoed.
    pub query: Box<str>,
    /// `chitchat`, `web_search`, …; `""` while planning.
    pub intent: Box<str>,
    /// The references as a JSON array, one object for all frames that repeat it; `None` if there are none.
    pub references: Option<Arc<str>>,
    /// `planning`, `optimizing`, `answering`, …
    pub progress_state: Box<str>,
    /// 200.
    pub result_code: i64,
    /// Usually absent.
    pub description: Option<Box<str>>,
}

impl std::ops::Deref for Answer<'_> {
    type Target = AnswerCommon;

    fn deref(&self) -> &AnswerCommon {
        &self.common
    }
}

impl Answer<'_> {
    /// The payload as received.
    #[must_use]
    pub fn raw(&self) -> Cow<'_, [u8]> {
        self.payload.bytes(self.common.arc(), &self.text, None)
    }
}

/// An error inside the stream.
#[derive(Clone, Default, PartialEq)]
pub struct Error<'a> {
    /// The HTTP status that it means.
    pub code: Option<i64>,
    /// The service's message.
    pub message: Cow<'a, str>,
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
    Answer<'_> = "Answer" { text, query, intent, references, progress_state, result_code, description }
    AnswerCommon = "AnswerCommon" { query, intent, references, progress_state, result_code, description }
    Error<'_> = "Error" { code, message; bytes raw }
    Unknown<'_> = "Unknown" { data; bytes raw }
}

impl<'a> StreamEvent<'a> for Event<'a> {
    type Owned = Event<'static>;

    fn text(&self) -> &str {
        match self {
            Self::Answer(answer) => &answer.text,
            _ => "",
        }
    }

    fn thinking(&self) -> &'static str {
        ""
    }

    fn raw(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Answer(answer) => answer.raw(),
            Self::Error(error) => Cow::Borrowed(&error.raw),
            Self::Unknown(unknown) => Cow::Borrowed(&unknown.raw),
            Self::Malformed(malformed) => Cow::Borrowed(&malformed.raw),
        }
    }

    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_) | Self::Malformed(_))
    }

    fn deferred(&self) -> Option<Deferred> {
        matches!(self, Self::Error(_)).then_some(Deferred::Error)
    }

    fn malformed(malformed: Malformed<'a>) -> Self {
        Self::Malformed(malformed)
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Answer(answer) => Event::Answer(Answer {
                text: own(answer.text),
                common: answer.common.into_owned(),
                payload: answer.payload.into_owned(),
            }),
            Self::Error(Error { code, message, raw }) => {
                Event::Error(Error { code, message: own(message), raw: own(raw) })
            }
            Self::Unknown(Unknown { data, raw }) => {
                Event::Unknown(Unknown { data: own(data), raw: own(raw) })
            }
            Self::Malformed(malformed) => Event::Malformed(malformed.into_owned()),
        }
    }
}

/// The dialect's state between frames.
#[derive(Clone, Debug, Default)]
pub struct Exaone {
    ended: bool,
    /// The references of the last frame that had some: the next ones are almost always the same.
    references: Option<Arc<str>>,
}

impl Sealed for Exaone {}

impl Dialect for Exaone {
    type Event<'a> = Event<'a>;

    const SERVICE: Service = Service::Exaone;

    const STRICT_FIRST_BYTE: bool = true;

    fn decode<'a>(&mut self, frame: &Frame<'a>) -> Result<Decoded<Event<'a>>, FrameError> {
        let text = frame.text()?;
        let mut cursor = Cursor::new(text, frame.max_depth);
        let raw = Cow::Borrowed(frame.payload);
        if cursor.kind()? != Kind::Object {
            cursor.skip()?;
            cursor.end()?;
            return Ok(Decoded::new(Event::Unknown(Unknown { data: Cow::Borrowed(text), raw })));
        }
        let mut result_code = None;
        let mut description = None;
        let mut data = Data::default();
        members!(cursor {
            "result_code" => result_code = cursor.optional_integer()?,
            "description" => description = cursor.optional_string()?,
            "data" => data = optional_object(cursor, read_data)?.unwrap_or_default(),
        })?;
        cursor.end()?;
        let mut holes = None;
        let event = match result_code {
            Some(200) => {
                self.ended |= &*data.progress_state == "answering";
                holes = data.answer.span.map(|string| Holes {
                    kind: HoleKind::Text,
                    string,
                    counter: None,
                    may_be_empty: true,
                });
                Event::Answer(Answer {
                    text: data.answer.value,
                    common: CommonRef::new(AnswerCommon {
                        query: data.query.into(),
                        intent: data.intent.into(),
                        references: self.share(data.references),
                        progress_state: data.progress_state.into(),
                        result_code: 200,
                        description: boxed(description),
                    }),
                    payload: Payload::Received(raw),
                })
            }
            Some(_) => {
                self.ended = true;
                Event::Error(Error { code: result_code, message: description.unwrap_or_default(), raw })
            }
            None => Event::Unknown(Unknown { data: Cow::Borrowed(text), raw }),
        };
        Ok(Decoded { event, holes, validated: true })
    }

    type Common = AnswerCommon;

    fn common<'e>(event: &'e Event<'_>) -> Option<&'e Arc<Common<AnswerCommon>>> {
        match event {
            Event::Answer(answer) => Some(answer.common.arc()),
            _ => None,
        }
    }

    fn predicted<'a>(&mut self, common: &'a Arc<Common<AnswerCommon>>, fields: Fields<'a>) -> Event<'a> {
        // A template's frame was parsed in full, and what it meant for the end is noted already.
        Event::Answer(Answer {
            text: fields.string,
            common: CommonRef::Borrowed(common),
            payload: fields.payload,
        })
    }

    fn done<'a>(&mut self, frame: &Frame<'a>) -> Option<Event<'a>> {
        let data = Cow::Borrowed(frame.plain_text().unwrap_or_default());
        Some(Event::Unknown(Unknown { data, raw: Cow::Borrowed(frame.payload) }))
    }

    fn continues(event: &Event<'_>, next: &Event<'_>) -> bool {
        let (Event::Answer(event), Event::Answer(next)) = (event, next) else { return false };
        event.common.is_shared_with(&next.common)
    }

    fn merge(event: &mut Event<'static>, next: &Event<'_>) {
        let (Event::Answer(event), Event::Answer(next)) = (event, next) else { return };
        event.text.to_mut().push_str(&next.text);
        event.payload = Payload::default();
    }

    fn missing(&self) -> Option<Missing> {
        (!self.ended).then_some(Missing::ExaoneAnswer)
    }
}

impl Exaone {
    fn share(&mut self, list: Option<&str>) -> Option<Arc<str>> {
        let list = list?;
        match &self.references {
            Some(known) if **known == *list => {}
            _ => self.references = Some(list.into()),
        }
        self.references.clone()
    }
}

#[derive(Default)]
struct Data<'a> {
    query: Cow<'a, str>,
    intent: Cow<'a, str>,
    answer: Text<'a>,
    progress_state: Cow<'a, str>,
    references: Option<&'a str>,
}

fn read_data<'a>(cursor: &mut Cursor<'a>) -> Result<Data<'a>, FrameError> {
    let mut data = Data::default();
    members!(cursor {
        "query" => data.query = cursor.optional_string()?.unwrap_or_default(),
        "intent" => data.intent = cursor.optional_string()?.unwrap_or_default(),
        "answer" => data.answer = cursor.text()?,
        "progress_state" => data.progress_state = cursor.optional_string()?.unwrap_or_default(),
        "references" => {
            let (kind, list) = cursor.raw()?;
            data.references = (kind == Kind::Array && has_content(list)).then_some(list);
        },
    })?;
    Ok(data)
}

/// Whether a JSON array has an element besides empty objects: any other byte than brackets, commas and space.
fn has_content(list: &str) -> bool {
    let inside = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or(list);
    // An inner list, even an empty one, is an element of its own.
    inside.bytes().any(|byte| !matches!(byte, b'{' | b'}' | b',' | b' ' | b'\t' | b'\n' | b'\r'))
}
