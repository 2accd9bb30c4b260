//! `hangang.SSEParser` and `hangang.JSONStreamParser`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::arguments::limit;
use crate::chunk::Chunk;
use crate::errors::raised;
use crate::events::value_class;
use crate::field::Arg;
use crate::parser::{Guarded, feed_after_close, object};

value_class! {
    in "hangang" as (py, event);

    /// One server-sent event.
    ServerSentEvent of hangang::ServerSentEvent<'_> {
        /// The event's name.
        event = "message",
        /// The data lines, joined by LF.
        data = "",
        /// The last event ID.
        id = "",
    }
}

/// Bytes to server-sent events, as WHATWG frames them.
#[pyclass(frozen, module = "hangang", name = "SSEParser")]
pub(crate) struct SSEParser(Guarded<hangang::SseParser>);

#[pymethods]
impl SSEParser {
    #[new]
    #[pyo3(signature = (*, max_frame_bytes = Arg::ABSENT), text_signature = "(*, max_frame_bytes=16777216)")]
    fn new(py: Python<'_>, max_frame_bytes: Arg) -> PyResult<Self> {
        let limit = limit(py, "max_frame_bytes", &max_frame_bytes, hangang::DEFAULT_MAX_FRAME_BYTES)?;
        Ok(Self(Guarded::new(hangang::SseParser::new(limit))))
    }

    /// The events that this chunk completes.
    fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.0.with(|parser, closed| {
            if *closed {
                return Err(feed_after_close());
            }
            let mut events = Vec::new();
            let outcome = parser.feed_with(chunk.bytes(), |event| {
                events.push(object(py, ServerSentEvent::of(py, &event)));
            });
            let list = PyList::new(py, events.into_iter().collect::<PyResult<Vec<_>>>()?)?;
            match outcome {
                Ok(()) => Ok(list),
                Err(error) => Err(raised(py, &error, Some(list), None)),
            }
        })
    }

    /// The end of the stream. An unfinished event is discarded, as WHATWG has it.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.0.with(|parser, closed| match parser.close() {
            Ok(()) => {
                *closed = true;
                Ok(PyList::empty(py))
            }
            Err(error) => Err(raised(py, &error, None, None)),
        })
    }

    /// The id as the last empty line left it.
    #[getter]
    fn last_event_id(&self) -> PyResult<String> {
        self.0.with(|parser, _| Ok(parser.last_event_id().into_owned()))
    }

    /// The reconnection time in milliseconds that the stream asked for.
    #[getter]
    fn retry(&self) -> PyResult<Option<u64>> {
        self.0.with(|parser, _| Ok(parser.retry()))
    }

    /// Bytes held of an unfinished frame.
    #[getter]
    fn pending(&self) -> PyResult<usize> {
        self.0.with(|parser, closed| Ok(if *closed { 0 } else { parser.pending() }))
    }

    /// Bytes examined so far, every pass over a byte counted.
    #[getter]
    fn _examined(&self) -> PyResult<u64> {
        self.0.with(|parser, _| Ok(parser.examined()))
    }
}

/// Bytes to complete, valid JSON objects and arrays.
#[pyclass(frozen, module = "hangang", name = "JSONStreamParser")]
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

    /// The values that this chunk completes, as the bytes received.
    fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.0.with(|parser, closed| {
            if *closed {
                return Err(feed_after_close());
            }
            let mut values = Vec::new();
            let outcome =
                parser.feed_with(chunk.bytes(), |value| values.push(PyBytes::new(py, value.as_bytes())));
            let list = PyList::new(py, values)?;
            match outcome {
                Ok(()) => Ok(list),
                Err(error) => Err(raised(py, &error, Some(list), None)),
            }
        })
    }

    /// The end of the stream: an error inside a value.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.0.with(|parser, closed| {
            if *closed {
                return Ok(PyList::empty(py));
            }
            match parser.close() {
                Ok(()) => {
                    *closed = true;
                    Ok(PyList::empty(py))
                }
                Err(error) => Err(raised(py, &error, None, None)),
            }
        })
    }

    /// Bytes held of an unfinished value.
    #[getter]
    fn pending(&self) -> PyResult<usize> {
        self.0.with(|parser, _| Ok(parser.pending()))
    }

    /// Bytes examined so far, every pass over a byte counted.
    #[getter]
    fn _examined(&self) -> PyResult<u64> {
        self.0.with(|parser, _| Ok(parser.examined()))
    }
}
