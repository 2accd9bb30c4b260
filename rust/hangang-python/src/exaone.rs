//! `hangang.exaone`.

use std::sync::Arc;

use hangang::exaone::{Event, Exaone};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::common::{Origin, Recent, Repeated};
use crate::events::events;
use crate::field::default;
use crate::lazy::{Lazy, Shape};
use crate::parser::{ToPython, no_class, object, plain_stream_parser};
use crate::string_cache::StringCache;
use crate::values::malformed;

events! {
    in "hangang.exaone" as (py, event, cache, strings);

    /// A delta of the answer, or a step on the way to it.
    Answer of hangang::exaone::Answer<'_>, common AnswerCommon of hangang::exaone::AnswerCommon, without thinking {
        /// The answer delta; `""` while the service plans and searches.
        text = "" by strings.text(py, &event.text),
        /// The request's query, which every frame repeats.
        @common query = "" by cache.query.text(py, &event.query),
        /// What the service took the query for; `""` while planning.
        @common intent = "" by cache.intent.text(py, &event.intent),
        /// Sources of the answer; one object for all answers that repeat them.
        @common references: Lazy = () by cache.references(py, event.references.as_ref()),
        /// `planning`, `optimizing`, `answering`, or another state.
        @common progress_state = "" by cache.progress_state.text(py, &event.progress_state),
        /// 200.
        @common result_code = 200,
        /// The service's own text, usually None.
        @common description = None,
    }

    /// The service's error, inside a stream or as the whole answer.
    Error of hangang::exaone::Error<'_>, without text thinking {
        /// A code like an HTTP status.
        code = None,
        /// The service's message.
        message = "",
    }

    /// A frame that is none of the others.
    Unknown of hangang::exaone::Unknown<'_>, without text thinking {
        /// The payload's text.
        data = "",
    }
}

impl Answer {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.payload.bytes(self.common.get().origin.as_deref(), self.text.bind(py), None)
    }
}

impl Origin for hangang::exaone::AnswerCommon {}

/// Objects that the events of one stream share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::exaone::AnswerCommon, AnswerCommon>,
    query: Repeated,
    intent: Repeated,
    progress_state: Repeated,
    references: Option<(Arc<str>, Lazy)>,
}

impl Cache {
    /// The same list for every event whose frame repeats it.
    fn references(&mut self, py: Python<'_>, list: Option<&Arc<str>>) -> Lazy {
        let Some(list) = list else { return Lazy::Ready(default!(py, ())) };
        match &self.references {
            Some((known, shared)) if Arc::ptr_eq(known, list) => shared.clone_ref(py),
            _ => {
                let shared = Lazy::json(list, Shape::References);
                self.references = Some((list.clone(), shared.clone_ref(py)));
                shared
            }
        }
    }
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
        match event {
            Event::Answer(event) => object(py, Answer::of(py, event, cache, strings)),
            Event::Error(event) => object(py, Error::of(py, event, cache, strings)),
            Event::Unknown(event) => object(py, Unknown::of(py, event, cache, strings)),
            Event::Malformed(event) => malformed(py, event),
            _ => Err(no_class()),
        }
    }
}

plain_stream_parser! {
    /// EXAONE's streams and one-shot answers.
    StreamParser for Exaone in "hangang.exaone"
}
