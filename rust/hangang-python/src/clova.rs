//! `hangang.clova`.

use hangang::clova::{Clova, Event};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Raw, default, event};
use crate::shared::{
    Repeated, RepeatedInteger, ai_filter, malformed, optional_integer, optional_text, text, tool_call, tuple,
    usage,
};

event! {
    /// A delta of the answer.
    ClovaToken = "Token" in "hangang.clova" {
        plain {
            text: default::text,
            thinking: default::text,
            role: default::none,
            tool_calls: default::tuple,
            finish_reason: default::none,
            index: default::none,
            input_length: default::none,
            output_length: default::none,
            created: default::none,
            seed: default::none,
            usage: default::none,
            id: default::text,
        }
        lazy {}
        order {
            text, thinking, role, tool_calls, finish_reason, index, input_length, output_length, created, seed,
            usage, id,
        }
        constants {}
    }
}

event! {
    /// The whole answer again, with what is known at its end.
    ClovaResult = "Result" in "hangang.clova" {
        plain {
            content: default::text,
            thinking_content: default::text,
            role: default::none,
            tool_calls: default::tuple,
            finish_reason: default::none,
            input_length: default::none,
            output_length: default::none,
            created: default::none,
            seed: default::none,
            usage: default::none,
            ai_filter: default::tuple,
            id: default::text,
        }
        lazy {}
        order {
            content, thinking_content, role, tool_calls, finish_reason, input_length, output_length, created, seed,
            usage, ai_filter, id,
        }
        constants { text, thinking }
    }
}

event! {
    /// `[DONE]`: nothing more comes.
    ClovaSignal = "Signal" in "hangang.clova" {
        plain { data: default::text, id: default::text }
        lazy {}
        order { data, id }
        constants { text, thinking }
    }
}

event! {
    /// The service gave up.
    ClovaError = "Error" in "hangang.clova" {
        plain { code: default::none, message: default::text, id: default::text }
        lazy {}
        order { code, message, id }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape or name.
    ClovaUnknown = "Unknown" in "hangang.clova" {
        plain {
            event: |py| PyString::intern(py, "message").into_any().unbind(),
            data: default::text,
            id: default::text,
        }
        lazy {}
        order { event, data, id }
        constants { text, thinking }
    }
}

/// Objects that one stream's events share: these members hardly change from frame to frame.
#[derive(Default)]
pub(crate) struct Cache {
    role: Repeated,
    created: RepeatedInteger,
    seed: RepeatedInteger,
    input_length: RepeatedInteger,
}

impl ToPython for Clova {
    type Cache = Cache;

    fn convert<'py>(py: Python<'py>, event: Event<'_>, cache: &mut Cache) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Token(token) => Bound::new(
                py,
                ClovaToken {
                    text: text(py, &token.text),
                    thinking: text(py, &token.thinking),
                    role: cache.role.optional(py, token.role.as_ref()),
                    tool_calls: tuple(py, &token.tool_calls, tool_call)?,
                    finish_reason: optional_text(py, token.finish_reason.as_deref()),
                    index: optional_integer(py, token.index),
                    input_length: cache.input_length.optional(py, token.input_length),
                    output_length: optional_integer(py, token.output_length),
                    created: cache.created.optional(py, token.created),
                    seed: cache.seed.optional(py, token.seed),
                    usage: usage(py, token.usage.as_ref())?,
                    id: text(py, &token.id),
                    raw: Raw::Owned((*token.raw).into()),
                },
            )?
            .into_any(),
            Event::Result(answer) => Bound::new(
                py,
                ClovaResult {
                    content: text(py, &answer.content),
                    thinking_content: text(py, &answer.thinking_content),
                    role: cache.role.optional(py, answer.role.as_ref()),
                    tool_calls: tuple(py, &answer.tool_calls, tool_call)?,
                    finish_reason: optional_text(py, answer.finish_reason.as_deref()),
                    input_length: optional_integer(py, answer.input_length),
                    output_length: optional_integer(py, answer.output_length),
                    created: optional_integer(py, answer.created),
                    seed: optional_integer(py, answer.seed),
                    usage: usage(py, answer.usage.as_ref())?,
                    ai_filter: tuple(py, &answer.ai_filter, ai_filter)?,
                    id: text(py, &answer.id),
                    raw: Raw::Owned((*answer.raw).into()),
                },
            )?
            .into_any(),
            Event::Signal(signal) => Bound::new(
                py,
                ClovaSignal {
                    data: text(py, &signal.data),
                    id: text(py, &signal.id),
                    raw: Raw::Owned((*signal.raw).into()),
                },
            )?
            .into_any(),
            Event::Error(error) => Bound::new(
                py,
                ClovaError {
                    code: optional_text(py, error.code.as_deref()),
                    message: text(py, &error.message),
                    id: text(py, &error.id),
                    raw: Raw::Owned((*error.raw).into()),
                },
            )?
            .into_any(),
            Event::Unknown(unknown) => Bound::new(
                py,
                ClovaUnknown {
                    event: text(py, &unknown.event),
                    data: text(py, &unknown.data),
                    id: text(py, &unknown.id),
                    raw: Raw::Owned((*unknown.raw).into()),
                },
            )?
            .into_any(),
            Event::Malformed(bad) => malformed(py, &bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// CLOVA Studio's own streams, v1 and v3.
    ClovaStreamParser for Clova in "hangang.clova"
}
