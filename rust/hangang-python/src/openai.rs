//! `hangang.openai`.

use hangang::openai::{Choice, Code, Event, OpenAi};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Raw, default, event, record};
use crate::shared::{
    Repeated, RepeatedInteger, integer, malformed, object, optional_text, text, tool_call, tuple, usage,
};

event! {
    /// A delta, a usage report, or a whole answer.
    OpenAIChunk = "Chunk" in "hangang.openai" {
        plain {
            text: default::text,
            thinking: default::text,
            role: default::none,
            tool_calls: default::tuple,
            finish_reason: default::none,
            id: default::none,
            model: default::none,
            created: default::none,
            usage: default::none,
            choices: default::tuple,
        }
        lazy {}
        order { text, thinking, role, tool_calls, finish_reason, id, model, created, usage, choices }
        constants {}
    }
}

record! {
    /// A delta of one choice.
    OpenAIChoice = "Choice" in "hangang.openai" {
        plain {
            index: |py| integer(py, 0),
            text: default::text,
            thinking: default::text,
            role: default::none,
            tool_calls: default::tuple,
            finish_reason: default::none,
        }
        lazy {}
        order { index, text, thinking, role, tool_calls, finish_reason }
        hidden {}
        methods {}
    }
}

event! {
    /// `[DONE]`.
    OpenAIDone = "Done" in "hangang.openai" {
        plain {}
        lazy {}
        order {}
        constants { text, thinking }
    }
}

event! {
    /// The service gave up.
    OpenAIError = "Error" in "hangang.openai" {
        plain { code: default::none, message: default::text, r#type: default::none, param: default::none }
        lazy {}
        order { code, message, r#type, param }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    OpenAIUnknown = "Unknown" in "hangang.openai" {
        plain { data: default::text }
        lazy {}
        order { data }
        constants { text, thinking }
    }
}

/// Objects that one stream's events share.
#[derive(Default)]
pub(crate) struct Cache {
    id: Repeated,
    model: Repeated,
    created: RepeatedInteger,
}

pub(crate) fn error_code(py: Python<'_>, code: Option<&Code<'_>>) -> Py<PyAny> {
    match code {
        None => py.None(),
        Some(Code::Integer(number)) => integer(py, *number),
        Some(Code::Text(name)) => text(py, name),
    }
}

/// A choice's object. The chunk shows the main choice's members as its own, and shares these objects.
fn choice(py: Python<'_>, choice: &Choice<'_>) -> PyResult<OpenAIChoice> {
    Ok(OpenAIChoice {
        index: integer(py, choice.index),
        text: text(py, &choice.text),
        thinking: text(py, &choice.thinking),
        role: optional_text(py, choice.role.as_deref()),
        tool_calls: tuple(py, &choice.tool_calls, tool_call)?,
        finish_reason: optional_text(py, choice.finish_reason.as_deref()),
    })
}

impl ToPython for OpenAi {
    type Cache = Cache;

    fn convert<'py>(py: Python<'py>, event: Event<'_>, cache: &mut Cache) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Chunk(chunk) => {
                let main = chunk.choices.iter().position(|choice| choice.index == 0);
                let choices =
                    chunk.choices.iter().map(|one| choice(py, one)).collect::<PyResult<Vec<_>>>()?;
                let own = main.map(|at| &choices[at]);
                let member = |pick: fn(&OpenAIChoice) -> &Py<PyAny>, absent: fn(Python<'_>) -> Py<PyAny>| {
                    own.map_or_else(|| absent(py), |choice| pick(choice).clone_ref(py))
                };
                let text = member(|choice| &choice.text, default::text);
                let thinking = member(|choice| &choice.thinking, default::text);
                let role = member(|choice| &choice.role, default::none);
                let tool_calls = member(|choice| &choice.tool_calls, default::tuple);
                let finish_reason = member(|choice| &choice.finish_reason, default::none);
                let choices =
                    choices.into_iter().map(|choice| object(py, choice)).collect::<PyResult<Vec<_>>>()?;
                let chunk = OpenAIChunk {
                    text,
                    thinking,
                    role,
                    tool_calls,
                    finish_reason,
                    id: cache.id.optional(py, chunk.id.as_ref()),
                    model: cache.model.optional(py, chunk.model.as_ref()),
                    created: cache.created.optional(py, chunk.created),
                    usage: usage(py, chunk.usage.as_ref())?,
                    choices: PyTuple::new(py, choices)?.into_any().unbind(),
                    raw: Raw::Owned((*chunk.raw).into()),
                };
                Bound::new(py, chunk)?.into_any()
            }
            Event::Done => Bound::new(py, OpenAIDone { raw: Raw::Owned((*b"[DONE]").into()) })?.into_any(),
            Event::Error(error) => Bound::new(
                py,
                OpenAIError {
                    code: error_code(py, error.code.as_ref()),
                    message: text(py, &error.message),
                    r#type: optional_text(py, error.kind.as_deref()),
                    param: optional_text(py, error.param.as_deref()),
                    raw: Raw::Owned((*error.raw).into()),
                },
            )?
            .into_any(),
            Event::Unknown(unknown) => Bound::new(
                py,
                OpenAIUnknown { data: text(py, &unknown.data), raw: Raw::Owned((*unknown.raw).into()) },
            )?
            .into_any(),
            Event::Malformed(bad) => malformed(py, &bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// OpenAI-compatible chat streams.
    OpenAIStreamParser for OpenAi in "hangang.openai"
}
