//! `hangang.exaone`.

use std::sync::Arc;

use hangang::Common;
use hangang::exaone::{Answer, Event, Exaone};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Arg, Lazy, Payload, Raw, Recent, Shape, default, event, or, predictable};
use crate::shared::{Repeated, integer, malformed, optional_integer, optional_text, text};
use crate::string_cache::StringCache;

/// A delta of the answer, or a step on the way to it.
#[pyclass(frozen, module = "hangang.exaone", name = "Answer")]
pub(crate) struct ExaoneAnswer {
    #[pyo3(get)]
    text: Py<PyAny>,
    /// One object for neighbours that repeat the same: whoever folds them looks into it once.
    #[pyo3(get, name = "_rest")]
    common: Py<AnswerCommon>,
    payload: Payload,
}

/// What an answer shares with its neighbours.
#[pyclass(frozen)]
pub(crate) struct AnswerCommon {
    query: Py<PyAny>,
    intent: Py<PyAny>,
    references: Lazy,
    progress_state: Py<PyAny>,
    result_code: Py<PyAny>,
    description: Py<PyAny>,
    origin: Option<Arc<Common<hangang::exaone::AnswerCommon>>>,
}

impl ExaoneAnswer {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.payload.bytes(self.common.get().origin.as_deref(), self.text.bind(py), None)
    }
}

predictable! {
    ExaoneAnswer = "Answer" in "hangang.exaone" {
        plain { text }
        common { query, intent, progress_state, result_code, description }
        order { text, query, intent, references, progress_state, result_code, description }
        methods {
            #[new]
            #[pyo3(signature = (
                text = Arg::absent(), query = Arg::absent(), intent = Arg::absent(), references = Arg::absent(), progress_state = Arg::absent(),
                result_code = Arg::absent(), description = Arg::absent()
            ), text_signature = "(text='', query='', intent='', references=(), progress_state='', result_code=200, description=None)")]
            #[allow(clippy::too_many_arguments)]
            fn new(
                py: Python<'_>,
                text: Arg,
                query: Arg,
                intent: Arg,
                references: Arg,
                progress_state: Arg,
                result_code: Arg,
                description: Arg,
            ) -> PyResult<Self> {
                let common = AnswerCommon {
                    query: or(py, query, default::text),
                    intent: or(py, intent, default::text),
                    references: Lazy::ready(or(py, references, default::tuple)),
                    progress_state: or(py, progress_state, default::text),
                    result_code: or(py, result_code, |py| integer(py, 200)),
                    description: or(py, description, default::none),
                    origin: None,
                };
                Ok(Self { text: or(py, text, default::text), common: Py::new(py, common)?, payload: Payload::None })
            }

            /// The references, one object for all answers that repeat them.
            #[getter]
            fn references(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                self.common.get().references.get(py)
            }

            /// Always empty: the service sends no reasoning.
            #[classattr]
            fn thinking() -> &'static str {
                ""
            }
        }
    }
}

event! {
    /// The service gave up.
    ExaoneError = "Error" in "hangang.exaone" {
        signature { "(code=None, message='')" }
        plain { code: default::none, message: default::text }
        lazy {}
        order { code, message }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    ExaoneUnknown = "Unknown" in "hangang.exaone" {
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
    common: Recent<hangang::exaone::AnswerCommon, AnswerCommon>,
    query: Repeated,
    intent: Repeated,
    progress_state: Repeated,
    references: Option<(Arc<str>, Lazy)>,
    none: Option<Lazy>,
}

impl Cache {
    /// The same list for every event whose frame repeated it.
    fn references(&mut self, py: Python<'_>, list: Option<&Arc<str>>) -> Lazy {
        let Some(list) = list else {
            return self.none.get_or_insert_with(|| Lazy::Ready(Arc::new(default::tuple(py)))).clone();
        };
        match &self.references {
            Some((known, shared)) if Arc::ptr_eq(known, list) => shared.clone(),
            _ => {
                let shared = Lazy::json(list, Shape::References);
                self.references = Some((list.clone(), shared.clone()));
                shared
            }
        }
    }
}

fn answer<'py>(
    py: Python<'py>,
    answer: &Answer<'_>,
    cache: &mut Cache,
    strings: &mut StringCache,
) -> PyResult<Bound<'py, PyAny>> {
    let mut recent = std::mem::take(&mut cache.common);
    let common = recent.get(py, answer.common.arc(), || {
        let common = AnswerCommon {
            query: cache.query.text(py, &answer.query),
            intent: cache.intent.text(py, &answer.intent),
            references: cache.references(py, answer.references.as_ref()),
            progress_state: cache.progress_state.text(py, &answer.progress_state),
            result_code: integer(py, answer.result_code),
            description: optional_text(py, answer.description.as_deref()),
            origin: answer.common.arc().is_template().then(|| answer.common.arc().clone()),
        };
        Py::new(py, common)
    });
    cache.common = recent;
    let answer = ExaoneAnswer {
        text: strings.text(py, &answer.text),
        common: common?,
        payload: Payload::of(&answer.payload),
    };
    Ok(Bound::new(py, answer)?.into_any())
}

impl ToPython for Exaone {
    type Cache = Cache;

    #[inline]
    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Answer(one) => answer(py, one, cache, strings)?,
            Event::Error(error) => Bound::new(
                py,
                ExaoneError {
                    code: optional_integer(py, error.code),
                    message: text(py, &error.message),
                    raw: Raw::Owned((*error.raw).into()),
                },
            )?
            .into_any(),
            Event::Unknown(unknown) => Bound::new(
                py,
                ExaoneUnknown { data: text(py, &unknown.data), raw: Raw::Owned((*unknown.raw).into()) },
            )?
            .into_any(),
            Event::Malformed(bad) => malformed(py, bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// EXAONE's streams: JSON objects with nothing between them.
    ExaoneStreamParser for Exaone in "hangang.exaone"
}
