//! `hangang.openai`.

use hangang::openai::{Code, Event, OpenAi};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::common::{Origin, Recent, Repeated};
use crate::events::{events, value_class};
use crate::field::{FromCrate, Object, Stored, default};
use crate::parser::{ToPython, no_class, object, plain_stream_parser};
use crate::string_cache::StringCache;
use crate::values::malformed;

events! {
    in "hangang.openai" as (py, event, cache, strings);

    /// A chunk of the answer, or the whole of it. `text` and the like are those of the choice with index 0.
    Chunk of hangang::openai::Chunk<'_>, let choices = {Choices::of(py, event)?},
        common ChunkCommon of hangang::openai::ChunkCommon
    {
        /// The answer delta.
        text = "" by strings.text(py, &event.text),
        /// The reasoning delta.
        thinking = "" by strings.text(py, &event.thinking),
        /// `assistant`, usually in the first chunk only.
        @common role = None by choices.main(py, |choice| &choice.role, || py.None()),
        /// Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.
        @common tool_calls = () by choices.main(py, |choice| &choice.tool_calls, || default!(py, ())),
        /// Why the answer ended, None while it runs; the chunk may carry text too.
        @common finish_reason = None by choices.main(py, |choice| &choice.finish_reason, || py.None()),
        /// The answer's id, the same in all its chunks.
        @common id = None by cache.id.optional(py, event.id.as_deref()),
        /// The model's name as the server gives it.
        @common model = None by cache.model.optional(py, event.model.as_deref()),
        /// Time of the answer, in seconds.
        @common created = None,
        /// Token counts, usually in a last chunk without choices.
        @common usage = None,
        /// All choices of the chunk; `()` in a usage chunk.
        @common choices: Choices = () by choices,
    }

    /// The end marker `[DONE]`.
    Done of hangang::openai::Done<'_>, without text thinking {}

    /// An error, in a stream or as the whole answer. Nothing that follows makes the answer a success.
    Error of hangang::openai::Error<'_>, without text thinking {
        /// A number or a name.
        code = None,
        /// The service's message.
        message = "",
        /// `invalid_request_error` and the like.
        r#type = None from kind,
        /// The request's parameter that caused the error.
        param = None,
    }

    /// A frame that is none of the others.
    Unknown of hangang::openai::Unknown<'_>, without text thinking {
        /// The payload's text.
        data = "",
    }
}

value_class! {
    in "hangang.openai" as (py, choice);

    /// One choice of a chunk.
    Choice of hangang::openai::Choice {
        /// Which of the answers it belongs to.
        index = 0,
        /// The answer delta.
        text = "",
        /// The reasoning delta.
        thinking = "",
        /// `assistant`, usually in the first chunk only.
        role = None,
        /// Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.
        tool_calls = (),
        /// Why this answer ended, None while it runs.
        finish_reason = None,
    }
}

impl Chunk {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.text.bind(py);
        let string = if text.is_truthy()? { text } else { self.thinking.bind(py) };
        self.payload.bytes(self.common.get().origin.as_deref(), string, None)
    }
}

impl Origin for hangang::openai::ChunkCommon {}

/// The choices of a chunk. Their tuple is made at each read, because most readers want only the chunk's own fields.
pub(crate) enum Choices {
    Given(Object),
    /// The choices, and which of them is the chunk's own: its text and thinking are kept in the chunk only.
    Received(Vec<Choice>, Option<usize>),
}

impl Choices {
    fn of(py: Python<'_>, chunk: &hangang::openai::Chunk<'_>) -> PyResult<Self> {
        let choices = chunk.choices.iter().map(|choice| Choice::of(py, choice)).collect::<PyResult<_>>()?;
        Ok(Self::Received(choices, chunk.main))
    }

    /// A field of the chunk's own choice, so that both have the same object.
    fn main(
        &self,
        py: Python<'_>,
        field: fn(&Choice) -> &Object,
        default: impl FnOnce() -> Object,
    ) -> Object {
        let main = match self {
            Self::Received(choices, Some(main)) => choices.get(*main),
            _ => None,
        };
        main.map_or_else(default, |choice| field(choice).clone_ref(py))
    }
}

impl Stored<Chunk> for Choices {
    fn given(_: Python<'_>, value: Object) -> Self {
        Self::Given(value)
    }

    fn get(&self, py: Python<'_>, chunk: &Chunk) -> PyResult<Object> {
        let (choices, main) = match self {
            Self::Given(value) => return Ok(value.clone_ref(py)),
            Self::Received(choices, main) => (choices, *main),
        };
        let choices = choices.iter().enumerate().map(|(position, choice)| {
            let mut choice = choice.clone_ref(py);
            if Some(position) == main {
                (choice.text, choice.thinking) = (chunk.text.clone_ref(py), chunk.thinking.clone_ref(py));
            }
            Py::new(py, choice)
        });
        let choices = choices.collect::<PyResult<Vec<_>>>()?;
        Ok(PyTuple::new(py, choices)?.into_any().unbind())
    }
}

impl FromCrate<Code<'_>> for Object {
    fn from_crate(py: Python<'_>, code: &Code<'_>) -> PyResult<Self> {
        match code {
            Code::Integer(number) => Self::from_crate(py, number),
            Code::Text(name) => Self::from_crate(py, name),
        }
    }
}

/// Objects that the events of one stream share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::openai::ChunkCommon, ChunkCommon>,
    id: Repeated,
    model: Repeated,
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
        match event {
            Event::Chunk(event) => object(py, Chunk::of(py, event, cache, strings)),
            Event::Done(event) => object(py, Done::of(py, event, cache, strings)),
            Event::Error(event) => object(py, Error::of(py, event, cache, strings)),
            Event::Unknown(event) => object(py, Unknown::of(py, event, cache, strings)),
            Event::Malformed(event) => malformed(py, event),
            _ => Err(no_class()),
        }
    }
}

plain_stream_parser! {
    /// OpenAI-compatible chat streams and one-shot answers.
    StreamParser for OpenAi in "hangang.openai"
}
