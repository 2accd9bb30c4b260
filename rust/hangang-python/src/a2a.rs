//! `hangang.a2a`.

use std::borrow::Cow;
use std::sync::Arc;

use hangang::a2a::{A2a, End, Event, StreamParser};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList, PyString, PyTuple};

use crate::openai::error_code;
use crate::parser::{GuardedStream, ToPython, options, stream_parser};
use crate::record::{Lazy, Raw, Shape, default, event};
use crate::shared::{Repeated, malformed, optional_text, text};

event! {
    /// A snapshot of the task.
    A2ATask = "Task" in "hangang.a2a" {
        plain { id: default::none, context_id: default::none, state: default::text, content: default::text }
        lazy { artifacts: default::tuple, history: default::tuple, metadata: default::none }
        order { id, context_id, state, content, artifacts, history, metadata }
        constants { text, thinking }
    }
}

event! {
    /// A message of the agent, which is the whole answer.
    A2AMessage = "Message" in "hangang.a2a" {
        plain {
            text: default::text,
            role: default::none,
            message_id: default::none,
            task_id: default::none,
            context_id: default::none,
        }
        lazy { parts: default::tuple, metadata: default::none }
        order { text, role, message_id, task_id, context_id, parts, metadata }
        constants { thinking }
    }
}

event! {
    /// A change of the task's state.
    A2AStatusUpdate = "StatusUpdate" in "hangang.a2a" {
        plain {
            task_id: default::none,
            context_id: default::none,
            state: default::text,
            message: default::none,
            r#final: default::no,
        }
        lazy { metadata: default::none }
        order { task_id, context_id, state, message, r#final, metadata }
        constants { text, thinking }
    }
}

event! {
    /// A piece of an artifact.
    A2AArtifactUpdate = "ArtifactUpdate" in "hangang.a2a" {
        plain {
            text: default::text,
            task_id: default::none,
            context_id: default::none,
            artifact_id: default::none,
            name: default::none,
            append: default::no,
            last_chunk: default::no,
        }
        lazy { parts: default::tuple, metadata: default::none }
        order { text, task_id, context_id, artifact_id, name, parts, append, last_chunk, metadata }
        constants { thinking }
    }
}

event! {
    /// A JSON-RPC error.
    A2AError = "Error" in "hangang.a2a" {
        plain { code: default::none, message: default::text }
        lazy { data: default::none }
        order { code, message, data }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    A2AUnknown = "Unknown" in "hangang.a2a" {
        plain { data: default::text }
        lazy {}
        order { data }
        constants { text, thinking }
    }
}

/// Objects that one stream's events share.
#[derive(Default)]
pub(crate) struct Cache {
    task_id: Repeated,
    context_id: Repeated,
    artifact_id: Repeated,
    name: Repeated,
    none: Option<Lazy>,
    tuple: Option<Lazy>,
}

impl Cache {
    /// A value of any shape, converted when it is read.
    fn value(&mut self, py: Python<'_>, json: Option<&Cow<'_, str>>) -> Lazy {
        match json {
            Some(json) => Lazy::json(json, Shape::Value),
            None => self.none.get_or_insert_with(|| Lazy::Ready(Arc::new(py.None()))).clone(),
        }
    }

    /// The objects of a list, converted when they are read.
    fn objects(&mut self, py: Python<'_>, json: Option<&Cow<'_, str>>) -> Lazy {
        match json {
            Some(json) => Lazy::json(json, Shape::Objects),
            None => self.tuple.get_or_insert_with(|| Lazy::Ready(Arc::new(default::tuple(py)))).clone(),
        }
    }
}

fn boolean(py: Python<'_>, value: bool) -> Py<PyAny> {
    PyBool::new(py, value).to_owned().into_any().unbind()
}

impl ToPython for A2a {
    type Cache = Cache;

    fn convert<'py>(py: Python<'py>, event: Event<'_>, cache: &mut Cache) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Task(task) => Bound::new(
                py,
                A2ATask {
                    id: cache.task_id.optional(py, task.id.as_ref()),
                    context_id: cache.context_id.optional(py, task.context_id.as_ref()),
                    state: text(py, &task.state),
                    content: text(py, &task.content),
                    artifacts: cache.objects(py, task.artifacts.as_ref()),
                    history: cache.objects(py, task.history.as_ref()),
                    metadata: cache.value(py, task.metadata.as_ref()),
                    raw: Raw::Owned((*task.raw).into()),
                },
            )?
            .into_any(),
            Event::Message(message) => Bound::new(
                py,
                A2AMessage {
                    text: text(py, &message.text),
                    role: optional_text(py, message.role.as_deref()),
                    message_id: optional_text(py, message.message_id.as_deref()),
                    task_id: cache.task_id.optional(py, message.task_id.as_ref()),
                    context_id: cache.context_id.optional(py, message.context_id.as_ref()),
                    parts: cache.objects(py, message.parts.as_ref()),
                    metadata: cache.value(py, message.metadata.as_ref()),
                    raw: Raw::Owned((*message.raw).into()),
                },
            )?
            .into_any(),
            Event::StatusUpdate(update) => Bound::new(
                py,
                A2AStatusUpdate {
                    task_id: cache.task_id.optional(py, update.task_id.as_ref()),
                    context_id: cache.context_id.optional(py, update.context_id.as_ref()),
                    state: text(py, &update.state),
                    message: optional_text(py, update.message.as_deref()),
                    r#final: boolean(py, update.is_final),
                    metadata: cache.value(py, update.metadata.as_ref()),
                    raw: Raw::Owned((*update.raw).into()),
                },
            )?
            .into_any(),
            Event::ArtifactUpdate(update) => Bound::new(
                py,
                A2AArtifactUpdate {
                    text: text(py, &update.text),
                    task_id: cache.task_id.optional(py, update.task_id.as_ref()),
                    context_id: cache.context_id.optional(py, update.context_id.as_ref()),
                    artifact_id: cache.artifact_id.optional(py, update.artifact_id.as_ref()),
                    name: cache.name.optional(py, update.name.as_ref()),
                    parts: cache.objects(py, update.parts.as_ref()),
                    append: boolean(py, update.append),
                    last_chunk: boolean(py, update.last_chunk),
                    metadata: cache.value(py, update.metadata.as_ref()),
                    raw: Raw::Owned((*update.raw).into()),
                },
            )?
            .into_any(),
            Event::Error(error) => Bound::new(
                py,
                A2AError {
                    code: error_code(py, error.code.as_ref()),
                    message: text(py, &error.message),
                    data: cache.value(py, error.data.as_ref()),
                    raw: Raw::Owned((*error.raw).into()),
                },
            )?
            .into_any(),
            Event::Unknown(unknown) => Bound::new(
                py,
                A2AUnknown { data: text(py, &unknown.data), raw: Raw::Owned((*unknown.raw).into()) },
            )?
            .into_any(),
            Event::Malformed(bad) => malformed(py, &bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

stream_parser! {
    /// A2A streams of protocols 0.2, 0.3 and 1.0.
    A2AStreamParser for A2a in "hangang.a2a" {
        #[new]
        #[pyo3(signature = (*, max_frame_bytes = None, max_depth = None, errors = None, end = None))]
        fn new(
            max_frame_bytes: Option<&Bound<'_, PyAny>>,
            max_depth: Option<&Bound<'_, PyAny>>,
            errors: Option<&Bound<'_, PyAny>>,
            end: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            let options = options(max_frame_bytes, max_depth, errors)?;
            let end = match end {
                None => End::State,
                Some(end) => match end.extract::<String>().as_deref() {
                    Ok("state") => End::State,
                    Ok("last_chunk") => End::LastChunk,
                    _ => {
                        let given = end.repr()?;
                        let text = format!("end must be 'state' or 'last_chunk', not {given}");
                        return Err(PyValueError::new_err(text));
                    }
                },
            };
            Ok(Self(GuardedStream::stream(StreamParser::with_end(end, options))))
        }
    }
}
