//! `hangang.clova`.

use hangang::clova::{Clova, Event};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::common::{Origin, Recent, Repeated};
use crate::event_id::{Id, LongId};
use crate::events::events;
use crate::field::Integer;
use crate::parser::{ToPython, no_class, object, plain_stream_parser};
use crate::string_cache::StringCache;
use crate::values::malformed;

events! {
    in "hangang.clova" as (py, event, cache, strings);

    /// A delta of the answer (`text`), of the reasoning (`thinking`) or of a tool call.
    ///
    /// `input_length` and `output_length` are sent by v1, `created`, `seed` and `usage` by v3.
    Token of hangang::clova::Token<'_>, common TokenCommon of hangang::clova::TokenCommon {
        /// The answer delta.
        text = "" by strings.text(py, &event.text),
        /// The reasoning delta (v3).
        thinking = "" by strings.text(py, &event.thinking),
        /// `assistant` in every real stream.
        @common role = None by cache.role.optional(py, event.role.as_deref()),
        /// Pieces of tool calls (v3); `()` if there are none.
        @common tool_calls = (),
        /// v1's `stopReason`, v3's `finishReason`; None in running tokens.
        @common finish_reason = None,
        /// v1's undocumented `index`.
        @common index = None,
        /// Tokens of the prompt (v1).
        @common input_length = None,
        /// Tokens of the answer so far (v1).
        output_length: Integer = None,
        /// Time of the answer (v3), in seconds, or in milliseconds if over 10**11.
        @common created = None,
        /// The seed in use, 0 to 4294967295.
        @common seed = None,
        /// Token counts (v3); usually only the result has them.
        @common usage = None,
        /// The SSE id.
        id: Id = "" by cache.id.id(py, &event.id),
    }

    /// The whole answer again, with what is known only at the end. `text` and `thinking` are `""`.
    Result of hangang::clova::Answer<'_>, without text thinking {
        /// The whole answer.
        content = "",
        /// The whole reasoning (v3).
        thinking_content = "",
        /// `assistant`.
        role = None by cache.role.optional(py, event.role.as_deref()),
        /// The whole tool calls (v3).
        tool_calls = (),
        /// Why the model stopped.
        finish_reason = None,
        /// Tokens of the prompt (v1).
        input_length = None,
        /// Tokens of the answer (v1).
        output_length = None,
        /// Time of the answer (v3), in seconds, or in milliseconds if over 10**11.
        created = None,
        /// The seed in use, 0 to 4294967295.
        seed = None,
        /// Token counts (v3).
        usage = None,
        /// Entries of the AI filter, where the request asked for it.
        ai_filter = (),
        /// The SSE id.
        id = "" by cache.id.text(py, &event.id),
    }

    /// The last frame of a stream. By itself it does not end the stream.
    Signal of hangang::clova::Signal<'_>, without text thinking {
        /// `[DONE]`.
        data = "",
        /// The SSE id.
        id = "" by cache.id.text(py, &event.id),
    }

    /// The service's error, inside a stream or as the whole answer.
    Error of hangang::clova::Error<'_>, without text thinking {
        /// The service's code, such as `"42901"`.
        code = None,
        /// The service's message.
        message = "",
        /// The SSE id.
        id = "" by cache.id.text(py, &event.id),
    }

    /// A frame that is none of the others.
    Unknown of hangang::clova::Unknown<'_>, without text thinking {
        /// The SSE event's name.
        event = "message",
        /// The payload's text.
        data = "",
        /// The SSE id.
        id = "" by cache.id.text(py, &event.id),
    }
}

impl Token {
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.text.bind(py);
        let string = if text.is_truthy()? { text } else { self.thinking.bind(py) };
        self.payload.bytes(self.common.get().origin.as_deref(), string, self.output_length.value())
    }
}

impl Origin for hangang::clova::TokenCommon {}

/// Objects that the events of one stream share.
#[derive(Default)]
pub(crate) struct Cache {
    common: Recent<hangang::clova::TokenCommon, TokenCommon>,
    role: Repeated,
    id: LongId,
}

impl ToPython for Clova {
    type Cache = Cache;

    #[inline]
    fn convert<'py>(
        py: Python<'py>,
        event: &Event<'_>,
        cache: &mut Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>> {
        match event {
            Event::Token(event) => object(py, Token::of(py, event, cache, strings)),
            Event::Result(event) => object(py, Result::of(py, event, cache, strings)),
            Event::Signal(event) => object(py, Signal::of(py, event, cache, strings)),
            Event::Error(event) => object(py, Error::of(py, event, cache, strings)),
            Event::Unknown(event) => object(py, Unknown::of(py, event, cache, strings)),
            Event::Malformed(event) => malformed(py, event),
            _ => Err(no_class()),
        }
    }
}

plain_stream_parser! {
    /// CLOVA Studio's own streams and one-shot answers, v1 and v3.
    StreamParser for Clova in "hangang.clova"
}
