//! `hangang.openai`.

use hangang::openai::{Code, Event, OpenAi, ThinkingTags};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::arguments::options;
use crate::common::{Origin, Recent, Repeated};
use crate::events::{events, value_class};
use crate::field::{Arg, FromCrate, Object, Stored};
use crate::parser::{GuardedStream, ToPython, no_class, object, stream_parser};
use crate::string_cache::StringCache;
use crate::values::malformed;

events! {
    in "hangang.openai" as (py, event, cache, strings);

    /// A chunk of the answer, or the whole of it. `text` and the like are those of the choice with index 0.
    Chunk of hangang::openai::Chunk<'_>, let (main, choices) = {Choices::of(py, event)?},
        common ChunkCommon of hangang::openai::ChunkCommon
    {
        /// The answer delta.
        text = "" by strings.text(py, &event.text),
        /// The reasoning delta.
        thinking = "" by strings.text(py, &event.thinking),
        /// `assistant`, usually in the first chunk only.
        @common role = None by main.role,
        /// Pieces of tool calls, put together by `hangang.ToolCalls`; `()` if there are none.
        @common tool_calls = () by main.tool_calls,
        /// Why the answer ended, None while it runs; the chunk may carry text too.
        @common finish_reason = None by main.finish_reason,
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
        /// Refusal delta of choice 0: what the model says instead of an answer.
        @common refusal = "" by main.refusal,
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
        /// Refusal delta: what the model says instead of an answer.
        refusal = "",
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
    /// The chunk's own choice, whose objects the chunk shares, and all choices.
    fn of(py: Python<'_>, chunk: &hangang::openai::Chunk<'_>) -> PyResult<(Choice, Self)> {
        let choices = chunk.choices.iter().map(|choice| Choice::of(py, choice));
        let choices = choices.collect::<PyResult<Vec<_>>>()?;
        let main = match chunk.main.and_then(|main| choices.get(main)) {
            Some(choice) => choice.clone_ref(py),
            None => Choice::of(py, &hangang::openai::Choice::default())?,
        };
        Ok((main, Self::Received(choices, chunk.main)))
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

stream_parser! {
    /// OpenAI-compatible chat streams and one-shot answers.
    StreamParser for OpenAi in "hangang.openai" with
    ///     thinking_tags: the tags around reasoning inside the content, such as `("<think>", "</think>")`.
    ///     thinking_first: the answer begins inside the reasoning.
    {
        #[new]
        #[pyo3(
            signature = (
                *, max_frame_bytes = Arg::ABSENT, max_depth = Arg::ABSENT, errors = Arg::ABSENT,
                thinking_tags = Arg::ABSENT, thinking_first = Arg::ABSENT
            ),
            text_signature = "(*, max_frame_bytes=16777216, max_depth=128, errors='strict', thinking_tags=None, thinking_first=False)"
        )]
        fn new(
            py: Python<'_>,
            max_frame_bytes: Arg,
            max_depth: Arg,
            errors: Arg,
            thinking_tags: Arg,
            thinking_first: Arg,
        ) -> PyResult<Self> {
            let options = options(py, &max_frame_bytes, &max_depth, &errors)?;
            let parser = match tags(py, &thinking_tags, &thinking_first)? {
                Some(tags) => hangang::openai::StreamParser::with_thinking_tags(tags, options),
                None => hangang::StreamParser::new(options),
            };
            Ok(Self(GuardedStream::stream(parser)))
        }
    }
}

/// The arguments `thinking_tags` and `thinking_first`.
fn tags(py: Python<'_>, tags: &Arg, first: &Arg) -> PyResult<Option<ThinkingTags>> {
    let first = first.get(py).map_or(Ok(false), PyAnyMethods::is_truthy)?;
    let Some(tags) = tags.get(py).filter(|tags| !tags.is_none()) else {
        return if first {
            Err(PyValueError::new_err("thinking_first needs thinking_tags"))
        } else {
            Ok(None)
        };
    };
    let is_pair = tags.is_instance_of::<PyTuple>() || tags.is_instance_of::<PyList>();
    let pair = if is_pair { tags.try_iter()?.collect::<PyResult<Vec<_>>>()? } else { Vec::new() };
    let [open, close] = &*pair else { return Err(not_a_pair()) };
    let (Ok(open), Ok(close)) = (open.cast::<PyString>(), close.cast::<PyString>()) else {
        return Err(not_a_pair());
    };
    let tags = ThinkingTags::new(&open.to_cow()?, &close.to_cow()?, first);
    let invalid = |_| PyValueError::new_err("thinking_tags must be two different strings that are not empty");
    tags.map(Some).map_err(invalid)
}

fn not_a_pair() -> PyErr {
    PyTypeError::new_err("thinking_tags must be a tuple of two strings: the opening and the closing tag")
}
