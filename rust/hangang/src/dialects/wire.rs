//! Wire shapes that several dialects share, and their types.
//!
//! Always true: a reader walks over the whole value at the cursor, whatever its kind. A value of a kind that it does not
//! expect is skipped, never an error: only invalid JSON is.

use std::borrow::Cow;

use super::debug::debug_fields;
use crate::error::FrameError;
use crate::json::{Cursor, Kind, members};

/// A piece of a tool call, or a whole one.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ToolCallDelta {
    /// Which call the piece belongs to; `None` where the wire has no index (CLOVA).
    pub index: Option<i64>,
    /// The call's id; on CLOVA its presence opens the next call.
    pub id: Option<Box<str>>,
    /// `function`.
    pub kind: Option<Box<str>>,
    /// The function's name.
    pub name: Option<Box<str>>,
    /// A fragment of the arguments' JSON text (CLOVA's `partialJson`).
    pub partial_json: Option<Box<str>>,
    /// The arguments as JSON text: whole, or a fragment where the wire streams a string (OpenAI-compatible).
    pub arguments: Option<Box<str>>,
}

/// Token counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<i64>,
    /// Tokens of the answer, thinking included.
    pub completion_tokens: Option<i64>,
    /// As the service states it; not always the sum.
    pub total_tokens: Option<i64>,
    /// Tokens of thinking.
    pub thinking_tokens: Option<i64>,
}

/// One verdict of CLOVA's AI filter.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct AiFilter {
    /// `curse` or `unsafeContents`.
    pub group_name: Option<Box<str>>,
    /// `discrimination`, `insult`, `sexualHarassment`.
    pub name: Option<Box<str>>,
    /// `"-1"` to `"2"`, a string on the wire.
    pub score: Option<Box<str>>,
    /// `OK` or `ERROR`; often absent.
    pub result: Option<Box<str>>,
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

pub(crate) fn own<T: ?Sized + ToOwned>(part: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(part.into_owned())
}

pub(crate) fn code<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Code<'a>>, FrameError> {
    Ok(match cursor.kind()? {
        Kind::String => cursor.optional_string()?.map(Code::Text),
        _ => cursor.optional_integer()?.map(Code::Integer),
    })
}

debug_fields! {
    ToolCallDelta = "ToolCallDelta" { index, id, kind, name, partial_json, arguments }
    Usage = "Usage" { prompt_tokens, completion_tokens, total_tokens, thinking_tokens }
    AiFilter = "AiFilter" { group_name, name, score, result }
}

pub(crate) fn boxed(text: Option<Cow<'_, str>>) -> Option<Box<str>> {
    text.map(|text| text.into_owned().into_boxed_str())
}

/// Reads the value at the cursor with `object` if it is an object; `None` for a value of another kind.
pub(crate) fn optional_object<'a, T>(
    cursor: &mut Cursor<'a>,
    object: impl FnOnce(&mut Cursor<'a>) -> Result<T, FrameError>,
) -> Result<Option<T>, FrameError> {
    match cursor.kind()? {
        Kind::Object => object(cursor).map(Some),
        kind => cursor.skip_kind(kind).map(|()| None),
    }
}

/// Reads the objects of the list at the cursor; elements of another kind are skipped. `None` for a value that is not a list.
pub(crate) fn optional_list<'a, T>(
    cursor: &mut Cursor<'a>,
    mut object: impl FnMut(&mut Cursor<'a>) -> Result<T, FrameError>,
) -> Result<Option<Vec<T>>, FrameError> {
    match cursor.kind()? {
        Kind::Array => {
            let mut list = Vec::new();
            cursor.array(|cursor, kind| {
                if kind == Kind::Object {
                    list.push(object(cursor)?);
                    Ok(())
                } else {
                    cursor.skip_kind(kind)
                }
            })?;
            Ok(Some(list))
        }
        kind => cursor.skip_kind(kind).map(|()| None),
    }
}

/// The `text` strings of a list of parts, joined with nothing between; the spelling of `content` as a list.
pub(crate) fn joined_parts(cursor: &mut Cursor<'_>) -> Result<Option<String>, FrameError> {
    let parts = optional_list(cursor, |cursor| {
        let mut text = None;
        members!(cursor {
            "text" => text = cursor.optional_string()?,
        })?;
        Ok(text)
    })?;
    Ok(parts.map(|parts| parts.into_iter().flatten().collect()))
}

/// The same with numbers and booleans as their own JSON text, for servers that do not send every text as a string.
pub(crate) fn joined_scalar_parts(cursor: &mut Cursor<'_>) -> Result<Option<String>, FrameError> {
    let parts = optional_list(cursor, |cursor| {
        let mut text = Cow::Borrowed("");
        members!(cursor {
            "text" => text = cursor.scalar_text()?.value,
        })?;
        Ok(text)
    })?;
    Ok(parts.map(|parts| parts.concat()))
}

/// How a dialect sends a call's arguments in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// As `partialJson` (CLOVA).
    PartialJson,
    /// As strings in `arguments` (OpenAI-compatible).
    Arguments,
}

/// The list of tool calls at the cursor; any other value has no calls.
pub(crate) fn tool_calls(
    cursor: &mut Cursor<'_>,
    pieces: Pieces,
) -> Result<Box<[ToolCallDelta]>, FrameError> {
    let calls = optional_list(cursor, |cursor| {
        let mut call = ToolCallDelta::default();
        members!(cursor {
            "index" => call.index = cursor.optional_integer()?,
            "id" => call.id = boxed(cursor.optional_string()?),
            "type" => call.kind = boxed(cursor.optional_string()?),
            "function" => {
                (call.name, call.partial_json, call.arguments) = (None, None, None);
                optional_object(cursor, |cursor| function(cursor, pieces, &mut call))?;
            },
        })?;
        Ok(call)
    })?;
    Ok(calls.unwrap_or_default().into_boxed_slice())
}

/// The function of a call at the cursor, which is an object.
pub(crate) fn function(
    cursor: &mut Cursor<'_>,
    pieces: Pieces,
    call: &mut ToolCallDelta,
) -> Result<(), FrameError> {
    members!(cursor {
        "name" => call.name = boxed(cursor.optional_string()?),
        "partialJson" if pieces == Pieces::PartialJson => {
            call.partial_json = boxed(cursor.optional_string()?);
        },
        "arguments" => call.arguments = arguments(cursor)?,
    })
}

/// Arguments are JSON text, whether the wire has a string or the value itself.
fn arguments(cursor: &mut Cursor<'_>) -> Result<Option<Box<str>>, FrameError> {
    Ok(match cursor.kind()? {
        Kind::String => boxed(cursor.optional_string()?),
        Kind::Null => cursor.skip().map(|()| None)?,
        _ => Some(cursor.raw()?.1.into()),
    })
}

/// Folds the case of the reasons that are known; unknown ones pass as they are, and `""` is none.
pub(crate) fn finish_reason(reason: &str) -> Option<Box<str>> {
    const KNOWN: [&str; 7] =
        ["length", "stop", "stop_before", "end_token", "tool_calls", "content_filter", "function_call"];
    match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(reason)) {
        Some(&known) => Some(known.into()),
        None if reason.is_empty() => None,
        None => Some(reason.into()),
    }
}
