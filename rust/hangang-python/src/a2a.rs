//! `hangang.a2a`.

use hangang::a2a::{A2a, End, Event};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

use crate::arguments::{choice, options};
use crate::common::{Origin, Recent, Repeated};
use crate::events::events;
use crate::field::{Arg, Object, Stored, default};
use crate::lazy::{Lazy, Shape, decode};
use crate::parser::{GuardedStream, ToPython, no_class, object, stream_parser};
use crate::string_cache::StringCache;
use crate::values::malformed;

events! {
    in "hangang.a2a" as (py, event, cache, strings);

    /// A task: its state and, in a one-shot answer or a snapshot, its artifacts.
    ///
    /// `text` is `""`: a snapshot is not a delta.
    Task of hangang::a2a::Task<'_>, without text thinking {
        /// The task's id.
        id = None by cache.task_id.optional(py, event.id.as_deref()),
        /// The conversation's id.
        context_id = None by cache.context_id.optional(py, event.context_id.as_deref()),
        /// `working`, `completed`, `input-required` and the like, whatever the protocol's version.
        state = "",
        /// The joined text of all artifacts.
        content = "",
        /// The artifacts as received.
        artifacts: Lazy = () by Lazy::objects(py, event.artifacts.as_deref()),
        /// The messages so far, as received.
        history: Lazy = () by Lazy::objects(py, event.history.as_deref()),
        /// The task's metadata.
        metadata: Lazy = None by Lazy::value(py, event.metadata.as_deref()),
        /// The text of the status message: the agent's question, or why it failed.
        message = None,
    }

    /// A message of the agent, which is the whole answer if there is no task.
    Message of hangang::a2a::Message<'_>, without thinking {
        /// The joined text of its parts.
        text = "",
        /// `agent` or `user`.
        role = None,
        /// The message's id.
        message_id = None,
        /// The task's id.
        task_id = None by cache.task_id.optional(py, event.task_id.as_deref()),
        /// The conversation's id.
        context_id = None by cache.context_id.optional(py, event.context_id.as_deref()),
        /// The parts as received.
        parts: Lazy = () by Lazy::objects(py, event.parts.as_deref()),
        /// The message's metadata.
        metadata: Lazy = None by Lazy::value(py, event.metadata.as_deref()),
    }

    /// A change of a task's state.
    StatusUpdate of hangang::a2a::StatusUpdate<'_>, without text thinking {
        /// The task's id.
        task_id = None by cache.task_id.optional(py, event.task_id.as_deref()),
        /// The conversation's id.
        context_id = None by cache.context_id.optional(py, event.context_id.as_deref()),
        /// `working`, `completed`, `input-required` and the like, whatever the protocol's version.
        state = "",
        /// Progress text, which is no part of the answer.
        message = None,
        /// Whether the stream ends here (protocols 0.2 and 0.3).
        r#final = False from is_final,
        /// The update's metadata.
        metadata: Lazy = None by Lazy::value(py, event.metadata.as_deref()),
    }

    /// A piece of an artifact.
    ///
    /// `append` False creates or replaces the artifact of this id, True adds parts to it.
    ArtifactUpdate of hangang::a2a::ArtifactUpdate<'_>, common ArtifactCommon of hangang::a2a::ArtifactCommon,
        without thinking
    {
        /// The joined text of its parts.
        text = "" by strings.text(py, &event.text),
        /// The task's id.
        @common task_id = None by cache.task_id.optional(py, event.task_id.as_deref()),
        /// The conversation's id.
        @common context_id = None by cache.context_id.optional(py, event.context_id.as_deref()),
        /// The artifact's id.
        @common artifact_id = None by cache.artifact_id.optional(py, event.artifact_id.as_deref()),
        /// The artifact's name.
        @common name = None by cache.name.optional(py, event.name.as_deref()),
        /// The parts as received: text, data, raw, url, file.
        parts: Parts = () by Parts(PyOnceLock::new()),
        /// Whether the parts are added to the artifact instead of replacing it.
        @common append = False,
        /// Whether this completes the artifact.
        @common last_chunk = False,
        /// The update's metadata, or the artifact's.
        @common metadata: Lazy = None by Lazy::value(py, event.metadata.as_deref()),
    }

    /// A JSON-RPC error.
    Error of hangang::a2a::Error<'_>, without text thinking {
        /// A number or a name.
        code = None,
        /// The server's message.
        message = "",
        /// Any JSON value.
        data: Lazy = None by Lazy::value(py, event.data.as_deref()),
    }

    /// A frame that is none of the others.
    Unknown of hangang::a2a::Unknown<'_>, without text thinking {
        /// The payload's text.
        data = "",
    }
}

impl ArtifactUpdate {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.payload.bytes(self.common.get().origin.as_deref(), self.text.bind(py), None)
    }
}

impl Origin for hangang::a2a::ArtifactCommon {
    /// The parts are cut out of the payload by it.
    const ALWAYS: bool = true;
}

/// An update's parts, converted from the payload at the first read.
pub(crate) struct Parts(PyOnceLock<Object>);

impl Stored<ArtifactUpdate> for Parts {
    fn given(py: Python<'_>, value: Object) -> Self {
        let parts = PyOnceLock::new();
        let _ = parts.set(py, value);
        Self(parts)
    }

    fn get(&self, py: Python<'_>, update: &ArtifactUpdate) -> PyResult<Object> {
        let parts = self.0.get_or_try_init(py, || {
            let payload = update.payload(py)?;
            let origin = update.common.get().origin.as_deref();
            match origin.and_then(|common| common.parts_of(payload.as_bytes())) {
                Some(json) => decode(py, &json, Shape::Objects),
                None => Ok(default!(py, ())),
            }
        });
        parts.map(|parts| parts.clone_ref(py))
    }
}

/// Objects that the events of one stream share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::a2a::ArtifactCommon, ArtifactCommon>,
    task_id: Repeated,
    context_id: Repeated,
    artifact_id: Repeated,
    name: Repeated,
}

impl ToPython for A2a {
    type Cache = Cache;

    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        match event {
            Event::Task(event) => object(py, Task::of(py, event, cache, strings)),
            Event::Message(event) => object(py, Message::of(py, event, cache, strings)),
            Event::StatusUpdate(event) => object(py, StatusUpdate::of(py, event, cache, strings)),
            Event::ArtifactUpdate(event) => object(py, ArtifactUpdate::of(py, event, cache, strings)),
            Event::Error(event) => object(py, Error::of(py, event, cache, strings)),
            Event::Unknown(event) => object(py, Unknown::of(py, event, cache, strings)),
            Event::Malformed(event) => malformed(py, event),
            _ => Err(no_class()),
        }
    }
}

stream_parser! {
    /// A2A streams and one-shot answers, protocols 0.2, 0.3 and 1.0.
    ///
    /// `end="last_chunk"` lets an artifact's last chunk end the stream too.
    StreamParser for A2a in "hangang.a2a" {
        #[new]
        #[pyo3(
            signature = (*, max_frame_bytes = Arg::ABSENT, max_depth = Arg::ABSENT, errors = Arg::ABSENT, end = Arg::ABSENT),
            text_signature = "(*, max_frame_bytes=16777216, max_depth=128, errors='strict', end='state')"
        )]
        fn new(py: Python<'_>, max_frame_bytes: Arg, max_depth: Arg, errors: Arg, end: Arg) -> PyResult<Self> {
            let options = options(py, &max_frame_bytes, &max_depth, &errors)?;
            let end = [End::State, End::LastChunk][choice(py, "end", &end, ["state", "last_chunk"])?];
            Ok(Self(GuardedStream::stream(hangang::a2a::StreamParser::with_end(end, options))))
        }
    }
}
