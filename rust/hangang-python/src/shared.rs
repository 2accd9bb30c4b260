//! Types that several dialects share.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::record::{default, record};

record! {
    /// A piece of a tool call, or a whole one.
    ToolCallDelta = "ToolCallDelta" in "hangang" {
        signature { "(index=None, id=None, type=None, name=None, partial_json=None, arguments=None)" }
        plain {
            index: default::none,
            id: default::none,
            r#type: default::none,
            name: default::none,
            partial_json: default::none,
            arguments: default::none,
        }
        lazy {}
        order { index, id, r#type, name, partial_json, arguments }
        hidden {}
        methods {}
    }
}

record! {
    /// Token counts.
    Usage = "Usage" in "hangang" {
        signature { "(prompt_tokens=None, completion_tokens=None, total_tokens=None, thinking_tokens=None)" }
        plain {
            prompt_tokens: default::none,
            completion_tokens: default::none,
            total_tokens: default::none,
            thinking_tokens: default::none,
        }
        lazy {}
        order { prompt_tokens, completion_tokens, total_tokens, thinking_tokens }
        hidden {}
        methods {}
    }
}

record! {
    /// One verdict of CLOVA's AI filter.
    AIFilter = "AIFilter" in "hangang" {
        signature { "(group_name=None, name=None, score=None, result=None)" }
        plain {
            group_name: default::none,
            name: default::none,
            score: default::none,
            result: default::none,
        }
        lazy {}
        order { group_name, name, score, result }
        hidden {}
        methods {}
    }
}

record! {
    /// A frame that was delimited and judged bad, where the parser reports instead of failing.
    Malformed = "Malformed" in "hangang" {
        signature { "(raw=b'', error=None)" }
        plain { raw: |py| PyBytes::new(py, b"").into_any().unbind(), error: default::none }
        lazy {}
        order { raw, error }
        hidden {}
        methods {
            /// Always empty: this kind of event carries none.
            #[classattr]
            fn text() -> &'static str {
                ""
            }

            /// Always empty: this kind of event carries none.
            #[classattr]
            fn thinking() -> &'static str {
                ""
            }

            /// `json.loads` of the frame, which raises what is wrong with it.
            fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                let text = self.raw.bind(py).call_method1("decode", ("utf-8",))?;
                py.import("json")?.call_method1("loads", (text,))
            }
        }
    }
}

pub(crate) fn text(py: Python<'_>, text: &str) -> Py<PyAny> {
    PyString::new(py, text).into_any().unbind()
}

pub(crate) fn optional_text(py: Python<'_>, value: Option<&str>) -> Py<PyAny> {
    value.map_or_else(|| py.None(), |value| text(py, value))
}

pub(crate) fn integer(py: Python<'_>, value: i64) -> Py<PyAny> {
    match value.into_pyobject(py) {
        Ok(value) => value.into_any().unbind(),
    }
}

pub(crate) fn optional_integer(py: Python<'_>, value: Option<i64>) -> Py<PyAny> {
    value.map_or_else(|| py.None(), |value| integer(py, value))
}

pub(crate) fn object<T>(py: Python<'_>, value: T) -> PyResult<Py<PyAny>>
where
    T: PyClass + Into<PyClassInitializer<T>>,
{
    Ok(Py::new(py, value)?.into_any())
}

pub(crate) fn tuple<'a, T: 'a>(
    py: Python<'_>,
    items: impl IntoIterator<Item = &'a T, IntoIter: ExactSizeIterator>,
    convert: impl Fn(Python<'_>, &T) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let items = items.into_iter();
    if items.len() == 0 {
        return Ok(default::tuple(py));
    }
    let items = items.map(|item| convert(py, item)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, items)?.into_any().unbind())
}

pub(crate) fn tool_call(py: Python<'_>, call: &hangang::ToolCallDelta) -> PyResult<Py<PyAny>> {
    let call = ToolCallDelta {
        index: optional_integer(py, call.index),
        id: optional_text(py, call.id.as_deref()),
        r#type: optional_text(py, call.kind.as_deref()),
        name: optional_text(py, call.name.as_deref()),
        partial_json: optional_text(py, call.partial_json.as_deref()),
        arguments: optional_text(py, call.arguments.as_deref()),
    };
    object(py, call)
}

pub(crate) fn usage(py: Python<'_>, usage: Option<&hangang::Usage>) -> PyResult<Py<PyAny>> {
    let Some(usage) = usage else { return Ok(py.None()) };
    let usage = Usage {
        prompt_tokens: optional_integer(py, usage.prompt_tokens),
        completion_tokens: optional_integer(py, usage.completion_tokens),
        total_tokens: optional_integer(py, usage.total_tokens),
        thinking_tokens: optional_integer(py, usage.thinking_tokens),
    };
    object(py, usage)
}

pub(crate) fn ai_filter(py: Python<'_>, filter: &hangang::AiFilter) -> PyResult<Py<PyAny>> {
    let filter = AIFilter {
        group_name: optional_text(py, filter.group_name.as_deref()),
        name: optional_text(py, filter.name.as_deref()),
        score: optional_text(py, filter.score.as_deref()),
        result: optional_text(py, filter.result.as_deref()),
    };
    object(py, filter)
}

pub(crate) fn malformed<'py>(
    py: Python<'py>,
    malformed: &hangang::Malformed<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let event = Malformed {
        raw: PyBytes::new(py, &malformed.raw).into_any().unbind(),
        error: crate::errors::exception(py, &malformed.error, None, None)?.unbind(),
    };
    Ok(Bound::new(py, event)?.into_any())
}

/// The last string of a field that rarely changes from event to event: its object is used again.
#[derive(Default)]
pub(crate) struct Repeated(Option<(Box<str>, Py<PyAny>)>);

impl Repeated {
    pub(crate) fn text(&mut self, py: Python<'_>, value: &str) -> Py<PyAny> {
        match &self.0 {
            Some((last, object)) if **last == *value => object.clone_ref(py),
            _ => {
                let object = text(py, value);
                self.0 = Some((value.into(), object.clone_ref(py)));
                object
            }
        }
    }

    pub(crate) fn optional(&mut self, py: Python<'_>, value: Option<&str>) -> Py<PyAny> {
        match value {
            Some(value) => self.text(py, value),
            None => py.None(),
        }
    }
}
