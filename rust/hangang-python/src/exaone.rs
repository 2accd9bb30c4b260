//! `hangang.exaone`.

use std::sync::Arc;

use hangang::exaone::{Event, Exaone};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::parser::{ToPython, plain_stream_parser};
use crate::record::{Lazy, Raw, Shape, default, event};
use crate::shared::{Repeated, integer, malformed, optional_integer, optional_text, text};

event! {
    /// A delta of the answer, or a step on the way to it.
    ExaoneAnswer = "Answer" in "hangang.exaone" {
        plain {
            text: default::text,
            query: default::text,
            intent: default::text,
            progress_state: default::text,
            result_code: |py| integer(py, 200),
            description: default::none,
        }
        lazy { references: default::tuple }
        order { text, query, intent, references, progress_state, result_code, description }
        constants { thinking }
    }
}

event! {
    /// The service gave up.
    ExaoneError = "Error" in "hangang.exaone" {
        plain { code: default::none, message: default::text }
        lazy {}
        order { code, message }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    ExaoneUnknown = "Unknown" in "hangang.exaone" {
        plain { data: default::text }
        lazy {}
        order { data }
        constants { text, thinking }
    }
}

/// Objects that one stream's events share.
#[derive(Default)]
pub(crate) struct Cache {
    query: Repeated,
    intent: Repeated,
    progress_state: Repeated,
    references: Option<(Arc<str>, Lazy)>,
    none: Option<Lazy>,
}

impl Cache {
    /// The same list for every event whose frame repeated it.
    fn references(&mut self, py: Python<'_>, list: Option<Arc<str>>) -> Lazy {
        let Some(list) = list else {
            return self.none.get_or_insert_with(|| Lazy::Ready(Arc::new(default::tuple(py)))).clone();
        };
        match &self.references {
            Some((last, shared)) if Arc::ptr_eq(last, &list) => shared.clone(),
            _ => {
                let shared = Lazy::json(&list, Shape::References);
                self.references = Some((list, shared.clone()));
                shared
            }
        }
    }
}

impl ToPython for Exaone {
    type Cache = Cache;

    fn convert<'py>(py: Python<'py>, event: Event<'_>, cache: &mut Cache) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Answer(answer) => Bound::new(
                py,
                ExaoneAnswer {
                    text: text(py, &answer.text),
                    query: cache.query.text(py, &answer.query),
                    intent: cache.intent.text(py, &answer.intent),
                    progress_state: cache.progress_state.text(py, &answer.progress_state),
                    result_code: integer(py, answer.result_code),
                    description: optional_text(py, answer.description.as_deref()),
                    references: cache.references(py, answer.references),
                    raw: Raw::Owned((*answer.raw).into()),
                },
            )?
            .into_any(),
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
            Event::Malformed(bad) => malformed(py, &bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

plain_stream_parser! {
    /// EXAONE's streams: JSON objects with nothing between them.
    ExaoneStreamParser for Exaone in "hangang.exaone"
}
