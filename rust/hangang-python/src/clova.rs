//! `hangang.clova`.

use std::sync::Arc;

use hangang::Common;
use hangang::clova::{Clova, Event, Token};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Arg, Id, Payload, Raw, Recent, default, event, or, predictable};
use crate::shared::{
    Repeated, ai_filter, malformed, optional_integer, optional_text, text, tool_call, tuple, usage,
};
use crate::string_cache::StringCache;

/// A delta of the answer.
#[pyclass(frozen, module = "hangang.clova", name = "Token")]
#[repr(C)]
pub(crate) struct ClovaToken {
    #[pyo3(get)]
    text: Py<PyAny>,
    #[pyo3(get)]
    thinking: Py<PyAny>,
    id: Id,
    /// One object for neighbours that repeat the same: whoever folds them looks into it once.
    #[pyo3(get, name = "_rest")]
    common: Py<TokenCommon>,
    output_length: Option<i64>,
    payload: Payload,
}

/// What a token shares with its neighbours.
#[pyclass(frozen)]
pub(crate) struct TokenCommon {
    role: Py<PyAny>,
    tool_calls: Py<PyAny>,
    finish_reason: Py<PyAny>,
    index: Py<PyAny>,
    input_length: Py<PyAny>,
    created: Py<PyAny>,
    seed: Py<PyAny>,
    usage: Py<PyAny>,
    /// `id` and `output_length` of a token made by hand, which may be anything.
    made: Option<[Py<PyAny>; 2]>,
    origin: Option<Arc<Common<hangang::clova::TokenCommon>>>,
}

impl ClovaToken {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.text.bind(py);
        let string = if text.is_truthy()? { text } else { self.thinking.bind(py) };
        self.payload.bytes(self.common.get().origin.as_deref(), string, self.output_length)
    }
}

predictable! {
    ClovaToken = "Token" in "hangang.clova" {
        plain { text, thinking }
        common { role, tool_calls, finish_reason, index, input_length, created, seed, usage }
        order {
            text, thinking, role, tool_calls, finish_reason, index, input_length, output_length, created, seed,
            usage, id,
        }
        methods {
            #[new]
            #[pyo3(signature = (
                text = Arg::absent(), thinking = Arg::absent(), role = Arg::absent(), tool_calls = Arg::absent(), finish_reason = Arg::absent(), index = Arg::absent(),
                input_length = Arg::absent(), output_length = Arg::absent(), created = Arg::absent(), seed = Arg::absent(), usage = Arg::absent(), id = Arg::absent()
            ), text_signature = "(text='', thinking='', role=None, tool_calls=(), finish_reason=None, index=None, input_length=None, output_length=None, created=None, seed=None, usage=None, id='')")]
            #[allow(clippy::too_many_arguments)]
            fn new(
                py: Python<'_>,
                text: Arg,
                thinking: Arg,
                role: Arg,
                tool_calls: Arg,
                finish_reason: Arg,
                index: Arg,
                input_length: Arg,
                output_length: Arg,
                created: Arg,
                seed: Arg,
                usage: Arg,
                id: Arg,
            ) -> PyResult<Self> {
                let common = TokenCommon {
                    role: or(py, role, default::none),
                    tool_calls: or(py, tool_calls, default::tuple),
                    finish_reason: or(py, finish_reason, default::none),
                    index: or(py, index, default::none),
                    input_length: or(py, input_length, default::none),
                    created: or(py, created, default::none),
                    seed: or(py, seed, default::none),
                    usage: or(py, usage, default::none),
                    made: Some([or(py, id, default::text), or(py, output_length, default::none)]),
                    origin: None,
                };
                Ok(Self {
                    text: or(py, text, default::text),
                    thinking: or(py, thinking, default::text),
                    common: Py::new(py, common)?,
                    id: Id::of(b""),
                    output_length: None,
                    payload: Payload::None,
                })
            }

            #[getter]
            #[allow(clippy::unnecessary_wraps)]
            fn id(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                Ok(match &self.common.get().made {
                    Some([id, _]) => id.clone_ref(py),
                    None => self.id.text(py),
                })
            }

            #[getter]
            #[allow(clippy::unnecessary_wraps)]
            fn output_length(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                Ok(match &self.common.get().made {
                    Some([_, output_length]) => output_length.clone_ref(py),
                    None => optional_integer(py, self.output_length),
                })
            }
        }
    }
}

event! {
    /// The whole answer again, with what is known at its end.
    ClovaResult = "Result" in "hangang.clova" {
        signature { "(content='', thinking_content='', role=None, tool_calls=(), finish_reason=None, input_length=None, output_length=None, created=None, seed=None, usage=None, ai_filter=(), id='')" }
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
        signature { "(data='', id='')" }
        plain { data: default::text, id: default::text }
        lazy {}
        order { data, id }
        constants { text, thinking }
    }
}

event! {
    /// The service gave up.
    ClovaError = "Error" in "hangang.clova" {
        signature { "(code=None, message='', id='')" }
        plain { code: default::none, message: default::text, id: default::text }
        lazy {}
        order { code, message, id }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape or name.
    ClovaUnknown = "Unknown" in "hangang.clova" {
        signature { "(event='message', data='', id='')" }
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

/// Objects that one stream's events share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::clova::TokenCommon, TokenCommon>,
    role: Repeated,
}

fn token<'py>(
    py: Python<'py>,
    token: &Token<'_>,
    cache: &mut Cache,
    strings: &mut StringCache,
) -> PyResult<Bound<'py, PyAny>> {
    let common = cache.common.get(py, token.common.arc(), || {
        Py::new(
            py,
            TokenCommon {
                role: cache.role.optional(py, token.role.as_deref()),
                tool_calls: tuple(py, &token.tool_calls, tool_call)?,
                finish_reason: optional_text(py, token.finish_reason.as_deref()),
                index: optional_integer(py, token.index),
                input_length: optional_integer(py, token.input_length),
                created: optional_integer(py, token.created),
                seed: optional_integer(py, token.seed),
                usage: usage(py, token.usage.as_ref())?,
                made: None,
                origin: token.common.arc().is_template().then(|| token.common.arc().clone()),
            },
        )
    })?;
    let token = ClovaToken {
        text: strings.text(py, &token.text),
        thinking: strings.text(py, &token.thinking),
        common,
        id: Id::of(token.id.as_bytes()),
        output_length: token.output_length,
        payload: Payload::of(&token.payload),
    };
    Ok(Bound::new(py, token)?.into_any())
}

impl ToPython for Clova {
    type Cache = Cache;

    #[inline]
    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Token(one) => token(py, one, cache, strings)?,
            Event::Result(answer) => Bound::new(
                py,
                ClovaResult {
                    content: text(py, &answer.content),
                    thinking_content: text(py, &answer.thinking_content),
                    role: cache.role.optional(py, answer.role.as_deref()),
                    tool_calls: tuple(py, &answer.tool_calls, tool_call)?,
                    finish_reason: optional_text(py, answer.finish_reason.as_deref()),
                    input_length: optional_integer(py, answer.input_length),
                    output_length: optional_integer(py, answer.output_length),
                    created: optional_integer(py, answer.created),
                    seed: optional_integer(py, answer.seed),
                    usage: usage(py, answer.usage.as_ref())?,
                    ai_filter: tuple(py, &answer.ai_filter, ai_filter)?,
                    id: text(py, &answer.id.text()),
                    raw: Raw::Owned((*answer.raw).into()),
                },
            )?
            .into_any(),
            Event::Signal(signal) => Bound::new(
                py,
                ClovaSignal {
                    data: text(py, &signal.data),
                    id: text(py, &signal.id.text()),
                    raw: Raw::Owned((*signal.raw).into()),
                },
            )?
            .into_any(),
            Event::Error(error) => Bound::new(
                py,
                ClovaError {
                    code: optional_text(py, error.code.as_deref()),
                    message: text(py, &error.message),
                    id: text(py, &error.id.text()),
                    raw: Raw::Owned((*error.raw).into()),
                },
            )?
            .into_any(),
            Event::Unknown(unknown) => Bound::new(
                py,
                ClovaUnknown {
                    event: text(py, &unknown.event),
                    data: text(py, &unknown.data),
                    id: text(py, &unknown.id.text()),
                    raw: Raw::Owned((*unknown.raw).into()),
                },
            )?
            .into_any(),
            Event::Malformed(bad) => malformed(py, bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// CLOVA Studio's own streams, v1 and v3.
    ClovaStreamParser for Clova in "hangang.clova"
}
