//! `hangang.SSEParser` and `hangang.JSONStreamParser`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::arguments::limit;
use crate::chunk::Chunk;
use crate::event_id::LongId;
use crate::events::value_class;
use crate::field::Arg;
use crate::parser::{Guarded, list_or_error, object};

value_class! {
    in "hangang" as (py, event, ids: &mut LongId);

    /// One server-sent event.
    ServerSentEvent of hangang::ServerSentEvent<'_> {
        /// The event's name.
        event = "message",
        /// The data lines, joined by LF.
        data = "",
        /// The last event ID.
        id = "" by ids.text(py, &event.id),
    }
}

/// Bytes to server-sent events, as WHATWG defines them.
///
/// Args:
///     max_frame_bytes: most bytes of one line, and of the joined data of one event.
///
/// Raises:
///     TypeError, ValueError: an argument of another type or outside 1 to 2**62.
#[pyclass(frozen, module = "hangang")]
pub(crate) struct SSEParser(Guarded<(hangang::SseParser, LongId)>);

#[pymethods]
impl SSEParser {
    #[new]
    #[pyo3(signature = (*, max_frame_bytes = Arg::ABSENT), text_signature = "(*, max_frame_bytes=16777216)")]
    fn new(py: Python<'_>, max_frame_bytes: Arg) -> PyResult<Self> {
        let limit = limit(py, "max_frame_bytes", &max_frame_bytes, hangang::DEFAULT_MAX_FRAME_BYTES)?;
        Ok(Self(Guarded::new((hangang::SseParser::new(limit), LongId::default()))))
    }

    /// The events that this chunk completes; `b""` completes none.
    ///
    /// Raises:
    ///     LimitExceededError: a line or an event is too large.
    ///     ValueError: after `close()`.
    ///     RuntimeError: another thread is inside this parser.
    ///     TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
    fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.0.with(|(parser, ids)| {
            let mut events = Vec::new();
            let outcome = parser.feed_with(chunk.bytes(), |event| {
                events.push(object(py, ServerSentEvent::of(py, &event, ids)));
            });
            list_or_error(PyList::new(py, events.into_iter().collect::<PyResult<Vec<_>>>()?)?, outcome)
        })
    }

    /// Ends the stream: the events that its end completes. A second call returns [].
    ///
    /// Raises:
    ///     ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
    ///     RuntimeError: another thread is inside this parser.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.0.with(|(parser, _)| list_or_error(PyList::empty(py), parser.close()))
    }

    /// The last event ID, as committed by the last blank line; `""` at first.
    #[getter]
    fn last_event_id(&self) -> PyResult<String> {
        self.0.with(|(parser, _)| Ok(parser.last_event_id().text().into_owned()))
    }

    /// Reconnection time in milliseconds, as last set by the stream; None at first.
    #[getter]
    fn retry(&self) -> PyResult<Option<u64>> {
        self.0.with(|(parser, _)| Ok(parser.retry()))
    }

    /// Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
    #[getter]
    fn pending(&self) -> PyResult<usize> {
        self.0.with(|(parser, _)| Ok(parser.pending()))
    }

    /// Bytes examined so far, every pass over a byte counted.
    #[getter]
    fn _examined(&self) -> PyResult<u64> {
        self.0.with(|(parser, _)| Ok(parser.examined()))
    }
}

/// Bytes to complete, valid JSON objects and arrays.
///
/// Args:
///     max_frame_bytes: most bytes of one value.
///     max_depth: most open containers.
///
/// Raises:
///     TypeError, ValueError: an argument of another type or outside 1 to 2**62.
#[pyclass(frozen, module = "hangang")]
pub(crate) struct JSONStreamParser(Guarded<hangang::JsonStreamParser>);

#[pymethods]
impl JSONStreamParser {
    #[new]
    #[pyo3(signature = (*, max_frame_bytes = Arg::ABSENT, max_depth = Arg::ABSENT), text_signature = "(*, max_frame_bytes=16777216, max_depth=128)")]
    fn new(py: Python<'_>, max_frame_bytes: Arg, max_depth: Arg) -> PyResult<Self> {
        let size = limit(py, "max_frame_bytes", &max_frame_bytes, hangang::DEFAULT_MAX_FRAME_BYTES)?;
        let depth = limit(py, "max_depth", &max_depth, hangang::DEFAULT_MAX_DEPTH)?;
        Ok(Self(Guarded::new(hangang::JsonStreamParser::new(size, depth))))
    }

    /// The values that this chunk completes, as the bytes received; `b""` completes none.
    ///
    /// Raises:
    ///     ParseError: a value is not valid, too large or too deep, or not separated by white space only.
    ///     ValueError: after `close()`.
    ///     RuntimeError: another thread is inside this parser.
    ///     TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
    fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.0.with(|parser| {
            let mut values = Vec::new();
            let outcome =
                parser.feed_with(chunk.bytes(), |value| values.push(PyBytes::new(py, value.as_bytes())));
            list_or_error(PyList::new(py, values)?, outcome)
        })
    }

    /// Ends the stream: the events that its end completes. A second call returns [].
    ///
    /// Raises:
    ///     ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
    ///     RuntimeError: another thread is inside this parser.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.0.with(|parser| list_or_error(PyList::empty(py), parser.close()))
    }

    /// Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
    #[getter]
    fn pending(&self) -> PyResult<usize> {
        self.0.with(|parser| Ok(parser.pending()))
    }

    /// Bytes examined so far, every pass over a byte counted.
    #[getter]
    fn _examined(&self) -> PyResult<u64> {
        self.0.with(|parser| Ok(parser.examined()))
    }
}
