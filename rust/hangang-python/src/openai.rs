//! `hangang.openai`.

use std::sync::Arc;

use hangang::Common;
use hangang::openai::{Choice, Chunk, Code, Event, OpenAi};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Arg, Payload, Raw, Recent, default, event, or, predictable, record};
use crate::shared::{
    Repeated, integer, malformed, object, optional_integer, optional_text, text, tool_call, tuple, usage,
};
use crate::string_cache::StringCache;

/// A delta, a usage report, or a whole answer.
#[pyclass(frozen, module = "hangang.openai", name = "Chunk")]
pub(crate) struct OpenAIChunk {
    #[pyo3(get)]
    text: Py<PyAny>,
    #[pyo3(get)]
    thinking: Py<PyAny>,
    /// One object for neighbours that repeat the same: whoever folds them looks into it once.
    #[pyo3(get, name = "_rest")]
    common: Py<ChunkCommon>,
    payload: Payload,
}

/// What a chunk shares with its neighbours.
#[pyclass(frozen)]
pub(crate) struct ChunkCommon {
    role: Py<PyAny>,
    tool_calls: Py<PyAny>,
    finish_reason: Py<PyAny>,
    id: Py<PyAny>,
    model: Py<PyAny>,
    created: Py<PyAny>,
    usage: Py<PyAny>,
    /// The choices as Python has them, but for the main one's text and thinking; or what a chunk made by hand
    /// was given.
    choices: Choices,
    origin: Option<Arc<Common<hangang::openai::ChunkCommon>>>,
}

enum Choices {
    Made(Py<PyAny>),
    Parsed(Vec<OpenAIChoice>, Option<usize>),
}

impl OpenAIChunk {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.text.bind(py);
        let string = if text.is_truthy()? { text } else { self.thinking.bind(py) };
        self.payload.bytes(self.common.get().origin.as_deref(), string, None)
    }
}

predictable! {
    OpenAIChunk = "Chunk" in "hangang.openai" {
        plain { text, thinking }
        common { role, tool_calls, finish_reason, id, model, created, usage }
        order { text, thinking, role, tool_calls, finish_reason, id, model, created, usage, choices }
        methods {
            #[new]
            #[pyo3(signature = (
                text = Arg::absent(), thinking = Arg::absent(), role = Arg::absent(), tool_calls = Arg::absent(), finish_reason = Arg::absent(), id = Arg::absent(),
                model = Arg::absent(), created = Arg::absent(), usage = Arg::absent(), choices = Arg::absent()
            ), text_signature = "(text='', thinking='', role=None, tool_calls=(), finish_reason=None, id=None, model=None, created=None, usage=None, choices=())")]
            #[allow(clippy::too_many_arguments)]
            fn new(
                py: Python<'_>,
                text: Arg,
                thinking: Arg,
                role: Arg,
                tool_calls: Arg,
                finish_reason: Arg,
                id: Arg,
                model: Arg,
                created: Arg,
                usage: Arg,
                choices: Arg,
            ) -> PyResult<Self> {
                let common = ChunkCommon {
                    role: or(py, role, default::none),
                    tool_calls: or(py, tool_calls, default::tuple),
                    finish_reason: or(py, finish_reason, default::none),
                    id: or(py, id, default::none),
                    model: or(py, model, default::none),
                    created: or(py, created, default::none),
                    usage: or(py, usage, default::none),
                    choices: Choices::Made(or(py, choices, default::tuple)),
                    origin: None,
                };
                Ok(Self {
                    text: or(py, text, default::text),
                    thinking: or(py, thinking, default::text),
                    common: Py::new(py, common)?,
                    payload: Payload::None,
                })
            }

            /// All choices, made when they are read: most readers want only the main one's text.
            #[getter]
            fn choices(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                match &self.common.get().choices {
                    Choices::Made(choices) => Ok(choices.clone_ref(py)),
                    Choices::Parsed(choices, main) => {
                        let choices = choices.iter().enumerate().map(|(at, choice)| {
                            let (text, thinking) = if Some(at) == *main {
                                (&self.text, &self.thinking)
                            } else {
                                (&choice.text, &choice.thinking)
                            };
                            object(py, OpenAIChoice {
                                index: choice.index.clone_ref(py),
                                text: text.clone_ref(py),
                                thinking: thinking.clone_ref(py),
                                role: choice.role.clone_ref(py),
                                tool_calls: choice.tool_calls.clone_ref(py),
                                finish_reason: choice.finish_reason.clone_ref(py),
                            })
                        });
                        let choices = choices.collect::<PyResult<Vec<_>>>()?;
                        Ok(PyTuple::new(py, choices)?.into_any().unbind())
                    }
                }
            }
        }
    }
}

record! {
    /// A delta of one choice.
    OpenAIChoice = "Choice" in "hangang.openai" {
        signature { "(index=0, text='', thinking='', role=None, tool_calls=(), finish_reason=None)" }
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
        signature { "()" }
        plain {}
        lazy {}
        order {}
        constants { text, thinking }
    }
}

event! {
    /// The service gave up.
    OpenAIError = "Error" in "hangang.openai" {
        signature { "(code=None, message='', type=None, param=None)" }
        plain { code: default::none, message: default::text, r#type: default::none, param: default::none }
        lazy {}
        order { code, message, r#type, param }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    OpenAIUnknown = "Unknown" in "hangang.openai" {
        signature { "(data='')" }
        plain { data: default::text }
        lazy {}
        order { data }
        constants { text, thinking }
    }
}

/// Objects that one stream's events share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::openai::ChunkCommon, ChunkCommon>,
    id: Repeated,
    model: Repeated,
}

pub(crate) fn error_code(py: Python<'_>, code: Option<&Code<'_>>) -> Py<PyAny> {
    match code {
        None => py.None(),
        Some(Code::Integer(number)) => integer(py, *number),
        Some(Code::Text(name)) => text(py, name),
    }
}

fn choice(py: Python<'_>, choice: &Choice) -> PyResult<OpenAIChoice> {
    Ok(OpenAIChoice {
        index: integer(py, choice.index),
        text: text(py, &choice.text),
        thinking: text(py, &choice.thinking),
        role: optional_text(py, choice.role.as_deref()),
        tool_calls: tuple(py, &choice.tool_calls, tool_call)?,
        finish_reason: optional_text(py, choice.finish_reason.as_deref()),
    })
}

fn chunk<'py>(
    py: Python<'py>,
    chunk: &Chunk<'_>,
    cache: &mut Cache,
    strings: &mut StringCache,
) -> PyResult<Bound<'py, PyAny>> {
    let Cache { common, id, model } = cache;
    let common = common.get(py, chunk.common.arc(), || {
        let choices = chunk.choices.iter().map(|one| choice(py, one)).collect::<PyResult<Vec<_>>>()?;
        // The chunk shows the main choice's members as its own, and shares their objects.
        let main = chunk.main.and_then(|main| choices.get(main));
        let own = |pick: fn(&OpenAIChoice) -> &Py<PyAny>, absent: fn(Python<'_>) -> Py<PyAny>| {
            main.map_or_else(|| absent(py), |choice| pick(choice).clone_ref(py))
        };
        let common = ChunkCommon {
            role: own(|choice| &choice.role, default::none),
            tool_calls: own(|choice| &choice.tool_calls, default::tuple),
            finish_reason: own(|choice| &choice.finish_reason, default::none),
            id: id.optional(py, chunk.id.as_deref()),
            model: model.optional(py, chunk.model.as_deref()),
            created: optional_integer(py, chunk.created),
            usage: usage(py, chunk.usage.as_ref())?,
            choices: Choices::Parsed(choices, chunk.main),
            origin: chunk.common.arc().is_template().then(|| chunk.common.arc().clone()),
        };
        Py::new(py, common)
    })?;
    let chunk = OpenAIChunk {
        text: strings.text(py, &chunk.text),
        thinking: strings.text(py, &chunk.thinking),
        common,
        payload: Payload::of(&chunk.payload),
    };
    Ok(Bound::new(py, chunk)?.into_any())
}

impl ToPython for OpenAi {
    type Cache = Cache;

    #[inline]
    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Chunk(one) => chunk(py, one, cache, strings)?,
            Event::Done(done) => {
                Bound::new(py, OpenAIDone { raw: Raw::Owned((*done.raw).into()) })?.into_any()
            }
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
            Event::Malformed(bad) => malformed(py, bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// OpenAI-compatible chat streams.
    OpenAIStreamParser for OpenAi in "hangang.openai"
}
