//! `hangang.a2a`.

use std::borrow::Cow;
use std::sync::Arc;

use hangang::Common;
use hangang::a2a::{A2a, ArtifactUpdate, End, Event, StreamParser};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyList, PyString, PyTuple};

use crate::openai::error_code;
use crate::parser::{GuardedStream, ToPython, choice, options, stream_parser};
use crate::record::{Arg, Lazy, Payload, Raw, Recent, Shape, decoded, default, event, or, predictable};
use crate::shared::{Repeated, malformed, optional_text, text};
use crate::string_cache::StringCache;

event! {
    /// A snapshot of the task.
    A2ATask = "Task" in "hangang.a2a" {
        signature { "(id=None, context_id=None, state='', content='', artifacts=(), history=(), metadata=None)" }
        plain { id: default::none, context_id: default::none, state: default::text, content: default::text }
        lazy { artifacts: default::tuple, history: default::tuple, metadata: default::none }
        order { id, context_id, state, content, artifacts, history, metadata }
        constants { text, thinking }
    }
}

event! {
    /// A message of the agent, which is the whole answer.
    A2AMessage = "Message" in "hangang.a2a" {
        signature { "(text='', role=None, message_id=None, task_id=None, context_id=None, parts=(), metadata=None)" }
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
        signature { "(task_id=None, context_id=None, state='', message=None, final=False, metadata=None)" }
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

/// A piece of an artifact.
#[pyclass(frozen, module = "hangang.a2a", name = "ArtifactUpdate")]
pub(crate) struct A2AArtifactUpdate {
    #[pyo3(get)]
    text: Py<PyAny>,
    common: Py<ArtifactCommon>,
    payload: Payload,
    /// Converted from the payload at the first read.
    parts: PyOnceLock<Py<PyAny>>,
}

/// What an update shares with its neighbours.
#[pyclass(frozen)]
pub(crate) struct ArtifactCommon {
    task_id: Py<PyAny>,
    context_id: Py<PyAny>,
    artifact_id: Py<PyAny>,
    name: Py<PyAny>,
    append: Py<PyAny>,
    last_chunk: Py<PyAny>,
    metadata: Lazy,
    origin: Option<Arc<Common<hangang::a2a::ArtifactCommon>>>,
}

impl A2AArtifactUpdate {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.payload.bytes(self.common.get().origin.as_deref(), self.text.bind(py), None)
    }
}

predictable! {
    A2AArtifactUpdate = "ArtifactUpdate" in "hangang.a2a" {
        plain { text }
        common { task_id, context_id, artifact_id, name, append, last_chunk }
        order { text, task_id, context_id, artifact_id, name, parts, append, last_chunk, metadata }
        methods {
            #[new]
            #[pyo3(signature = (
                text = Arg::absent(), task_id = Arg::absent(), context_id = Arg::absent(), artifact_id = Arg::absent(), name = Arg::absent(), parts = Arg::absent(),
                append = Arg::absent(), last_chunk = Arg::absent(), metadata = Arg::absent()
            ), text_signature = "(text='', task_id=None, context_id=None, artifact_id=None, name=None, parts=(), append=False, last_chunk=False, metadata=None)")]
            #[allow(clippy::too_many_arguments)]
            fn new(
                py: Python<'_>,
                text: Arg,
                task_id: Arg,
                context_id: Arg,
                artifact_id: Arg,
                name: Arg,
                parts: Arg,
                append: Arg,
                last_chunk: Arg,
                metadata: Arg,
            ) -> PyResult<Self> {
                let common = ArtifactCommon {
                    task_id: or(py, task_id, default::none),
                    context_id: or(py, context_id, default::none),
                    artifact_id: or(py, artifact_id, default::none),
                    name: or(py, name, default::none),
                    append: or(py, append, default::no),
                    last_chunk: or(py, last_chunk, default::no),
                    metadata: Lazy::ready(or(py, metadata, default::none)),
                    origin: None,
                };
                let given = PyOnceLock::new();
                let _ = given.set(py, or(py, parts, default::tuple));
                Ok(Self {
                    text: or(py, text, default::text),
                    common: Py::new(py, common)?,
                    payload: Payload::None,
                    parts: given,
                })
            }

            /// The parts as plain dicts.
            #[getter]
            fn parts(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                let parts = self.parts.get_or_try_init(py, || {
                    let payload = self.payload(py)?;
                    let origin = self.common.get().origin.as_deref();
                    match origin.and_then(|rest| rest.parts_of(payload.as_bytes())) {
                        Some(json) => decoded(py, &json, Shape::Objects),
                        None => Ok(default::tuple(py)),
                    }
                });
                parts.map(|parts| parts.clone_ref(py))
            }

            /// The update's metadata, or the artifact's.
            #[getter]
            fn metadata(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                self.common.get().metadata.get(py)
            }

            /// Always empty: agents send no reasoning.
            #[classattr]
            fn thinking() -> &'static str {
                ""
            }
        }
    }
}

event! {
    /// A JSON-RPC error.
    A2AError = "Error" in "hangang.a2a" {
        signature { "(code=None, message='', data=None)" }
        plain { code: default::none, message: default::text }
        lazy { data: default::none }
        order { code, message, data }
        constants { text, thinking }
    }
}

event! {
    /// A frame of a foreign shape.
    A2AUnknown = "Unknown" in "hangang.a2a" {
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
    common: Recent<hangang::a2a::ArtifactCommon, ArtifactCommon>,
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

fn artifact_update<'py>(
    py: Python<'py>,
    update: &ArtifactUpdate<'_>,
    cache: &mut Cache,
    strings: &mut StringCache,
) -> PyResult<Bound<'py, PyAny>> {
    let mut recent = std::mem::take(&mut cache.common);
    let common = recent.get(py, update.common.arc(), || {
        let metadata = update.metadata.as_deref().map(Cow::Borrowed);
        let common = ArtifactCommon {
            task_id: cache.task_id.optional(py, update.task_id.as_deref()),
            context_id: cache.context_id.optional(py, update.context_id.as_deref()),
            artifact_id: cache.artifact_id.optional(py, update.artifact_id.as_deref()),
            name: cache.name.optional(py, update.name.as_deref()),
            append: boolean(py, update.append),
            last_chunk: boolean(py, update.last_chunk),
            metadata: cache.value(py, metadata.as_ref()),
            origin: Some(update.common.arc().clone()),
        };
        Py::new(py, common)
    });
    cache.common = recent;
    let update = A2AArtifactUpdate {
        text: strings.text(py, &update.text),
        common: common?,
        payload: Payload::of(&update.payload),
        parts: PyOnceLock::new(),
    };
    Ok(Bound::new(py, update)?.into_any())
}

fn boolean(py: Python<'_>, value: bool) -> Py<PyAny> {
    PyBool::new(py, value).to_owned().into_any().unbind()
}

impl ToPython for A2a {
    type Cache = Cache;

    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match event {
            Event::Task(task) => Bound::new(
                py,
                A2ATask {
                    id: cache.task_id.optional(py, task.id.as_deref()),
                    context_id: cache.context_id.optional(py, task.context_id.as_deref()),
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
                    task_id: cache.task_id.optional(py, message.task_id.as_deref()),
                    context_id: cache.context_id.optional(py, message.context_id.as_deref()),
                    parts: cache.objects(py, message.parts.as_ref()),
                    metadata: cache.value(py, message.metadata.as_ref()),
                    raw: Raw::Owned((*message.raw).into()),
                },
            )?
            .into_any(),
            Event::StatusUpdate(update) => Bound::new(
                py,
                A2AStatusUpdate {
                    task_id: cache.task_id.optional(py, update.task_id.as_deref()),
                    context_id: cache.context_id.optional(py, update.context_id.as_deref()),
                    state: text(py, &update.state),
                    message: optional_text(py, update.message.as_deref()),
                    r#final: boolean(py, update.is_final),
                    metadata: cache.value(py, update.metadata.as_ref()),
                    raw: Raw::Owned((*update.raw).into()),
                },
            )?
            .into_any(),
            Event::ArtifactUpdate(update) => artifact_update(py, update, cache, strings)?,
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
            Event::Malformed(bad) => malformed(py, bad)?,
            _ => py.None().into_bound(py),
        })
    }
}

stream_parser! {
    /// A2A streams of protocols 0.2, 0.3 and 1.0.
    A2AStreamParser for A2a in "hangang.a2a" {
        #[new]
        #[pyo3(signature = (*, max_frame_bytes = Arg::absent(), max_depth = Arg::absent(), errors = Arg::absent(), end = Arg::absent()), text_signature = "(*, max_frame_bytes=16777216, max_depth=128, errors='strict', end='state')")]
        fn new(
            py: Python<'_>,
            max_frame_bytes: Arg,
            max_depth: Arg,
            errors: Arg,
            end: Arg,
        ) -> PyResult<Self> {
            let options = options(py, &max_frame_bytes, &max_depth, &errors)?;
            let end = [End::State, End::LastChunk][choice(py, "end", &end, ["state", "last_chunk"])?];
            Ok(Self(GuardedStream::stream(StreamParser::with_end(end, options))))
        }
    }
}
