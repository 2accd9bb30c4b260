//! What all parser classes do with the crate's parsers: locking, panics, lists of events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, TryLockError};

use hangang::{Dialect, ParseError, StreamParser};
use pyo3::PyClass;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::chunk::Chunk;
use crate::errors::raised;
use crate::event_list::{LastList, list};
use crate::field::Object;
use crate::string_cache::StringCache;

/// A parser and its lock. `try_lock` only: an overlapping call is the caller's mistake.
pub(crate) struct Guarded<T>(Mutex<State<T>>);

struct State<T> {
    parser: T,
    /// A panic left the parser in the middle of a step: its state cannot be trusted.
    broken: bool,
}

impl<T> Guarded<T> {
    pub(crate) fn new(parser: T) -> Self {
        crate::panics::report_without_backtrace();
        Self(Mutex::new(State { parser, broken: false }))
    }

    /// Runs `work` on the parser, exclusively. A panic becomes a `RuntimeError`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> PyResult<R>) -> PyResult<R> {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err(
                    "overlapping calls: a parser serves one thread at a time",
                ));
            }
        };
        let State { parser, broken } = &mut *state;
        if !*broken {
            match catch_unwind(AssertUnwindSafe(|| work(parser))) {
                Ok(outcome) => return outcome,
                Err(_) => *broken = true,
            }
        }
        Err(PyRuntimeError::new_err(
            "internal error: the parser panicked and cannot continue; please report it",
        ))
    }
}

/// An event as a Python object.
#[inline]
pub(crate) fn object<C>(py: Python<'_>, event: PyResult<C>) -> PyResult<Bound<'_, PyAny>>
where
    C: PyClass + Into<PyClassInitializer<C>>,
{
    Ok(Bound::new(py, event?)?.into_any())
}

/// The crate's event enums may grow: a kind that the binding lacks is a mistake in this package.
pub(crate) fn no_class() -> PyErr {
    PyRuntimeError::new_err("internal error: an event without a class; please report it")
}

/// A dialect's events as Python objects.
pub(crate) trait ToPython: Dialect {
    /// Python objects that one parser's events share.
    type Cache: Default + Send;

    fn convert<'py>(
        py: Python<'py>,
        event: &Self::Event<'_>,
        cache: &mut Self::Cache,
        strings: &mut StringCache,
    ) -> PyResult<Bound<'py, PyAny>>;
}

/// A dialect's parser with what its events share.
pub(crate) struct Stream<D: ToPython> {
    parser: StreamParser<D>,
    cache: D::Cache,
    /// Room for the events of a call, reused by the next one.
    events: Vec<Object>,
    last: LastList,
}

pub(crate) type GuardedStream<D> = Guarded<Stream<D>>;

/// Converts the events of one call. The first failure stops the conversion, and the call raises it.
struct Converter<'py, 'c, D: ToPython> {
    py: Python<'py>,
    cache: &'c mut D::Cache,
    strings: StringCache,
    failure: Option<PyErr>,
}

impl<'py, 'c, D: ToPython> Converter<'py, 'c, D> {
    const fn new(py: Python<'py>, cache: &'c mut D::Cache) -> Self {
        Self { py, cache, strings: StringCache::new(), failure: None }
    }

    #[inline]
    fn convert(&mut self, event: &D::Event<'_>) -> Object {
        if self.failure.is_none() {
            match D::convert(self.py, event, self.cache, &mut self.strings) {
                Ok(event) => return event.unbind(),
                Err(failure) => self.failure = Some(failure),
            }
        }
        self.py.None()
    }

    fn finish(self, events: &mut Vec<Object>) -> PyResult<()> {
        self.failure.map_or(Ok(()), |failure| {
            events.clear();
            Err(failure)
        })
    }
}

impl<D: ToPython> GuardedStream<D> {
    pub(crate) fn stream(parser: StreamParser<D>) -> Self {
        Self::new(Stream {
            parser,
            cache: D::Cache::default(),
            events: Vec::new(),
            last: LastList::default(),
        })
    }

    pub(crate) fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.with(|Stream { parser, cache, events, last }| {
            let mut converter = Converter::<D>::new(py, cache);
            let outcome = parser.feed_into(chunk.bytes(), events, |event| converter.convert(&event));
            converter.finish(events)?;
            list_or_error(last.list(py, events)?, outcome)
        })
    }

    pub(crate) fn feed_text<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.with(|Stream { parser, cache, events, .. }| {
            let mut text = String::new();
            let Err(error) = parser.feed_text(chunk.bytes(), &mut text) else {
                return Ok(PyString::new(py, &text));
            };
            let mut converter = Converter::<D>::new(py, cache);
            events.extend(parser.take_deferred().iter().map(|event| converter.convert(event)));
            converter.finish(events)?;
            Err(raised(py, &error, Some(list(py, events)?), Some(&text)))
        })
    }

    pub(crate) fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.with(|Stream { parser, cache, events, last }| {
            last.clear();
            let mut converter = Converter::<D>::new(py, cache);
            let outcome = parser.close(|event| events.push(converter.convert(&event)));
            converter.finish(events)?;
            list_or_error(list(py, events)?, outcome)
        })
    }

    /// For the garbage collector. A parser that is in use is reachable, so nothing need be said of it.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.try_lock().map_or(Ok(()), |state| visit.call(state.parser.last.get()))
    }

    pub(crate) fn clear(&self) {
        if let Ok(mut state) = self.0.try_lock() {
            state.parser.last.clear();
        }
    }

    pub(crate) fn pending(&self) -> PyResult<usize> {
        self.with(|stream| Ok(stream.parser.pending()))
    }

    pub(crate) fn examined(&self) -> PyResult<u64> {
        self.with(|stream| Ok(stream.parser.examined()))
    }
}

/// What a call completed, or the error that carries it.
pub(crate) fn list_or_error(
    list: Bound<'_, PyList>,
    outcome: Result<(), ParseError>,
) -> PyResult<Bound<'_, PyList>> {
    match outcome {
        Ok(()) => Ok(list),
        Err(error) => Err(raised(list.py(), &error, Some(list.clone()), None)),
    }
}

/// The class of a dialect's parser. `with` documents arguments of its own, the braces hold its constructor.
macro_rules! stream_parser {
    (
        $(#[$doc:meta])*
        $name:ident for $dialect:ident in $module:literal
        $(with $(#[$argument:meta])+)?
        { $($new:tt)* }
    ) => {
        $(#[$doc])*
        ///
        /// Args:
        ///     max_frame_bytes: most bytes of one JSON value, or of one SSE line and of an event's data.
        ///     max_depth: most open containers in one frame.
        ///     errors: `strict` raises at a bad frame, `report` yields `Malformed` and continues.
        $($(#[$argument])+)?
        ///
        /// Raises:
        ///     TypeError, ValueError: an argument of another type or value.
        #[pyclass(frozen, module = $module)]
        pub(crate) struct $name($crate::parser::GuardedStream<$dialect>);

        #[pymethods]
        impl $name {
            $($new)*

            /// The events that this chunk completes; `b""` completes none.
            ///
            /// Raises:
            ///     ParseError: the stream is not what the format allows; `.events` are those completed
            ///         before the error, `.offset` is its position in all bytes fed.
            ///     ValueError: after `close()`.
            ///     RuntimeError: another thread is inside this parser.
            ///     TypeError: `chunk` is not bytes, bytearray or a contiguous memoryview of bytes.
            fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, ::pyo3::types::PyList>> {
                self.0.feed(chunk)
            }

            /// The answer text that this chunk completes, joined: the fastest way through.
            ///
            /// `Result`, `Error`, `Done`, the last `Task` and the last `StatusUpdate` come out of `close()`, and text
            /// that `thinking_tags` held back at an end. Raises as `feed` does; an error carries the text in `.text`,
            /// and in `.events` what `close()` would have returned.
            fn feed_text<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, ::pyo3::types::PyString>> {
                self.0.feed_text(chunk)
            }

            /// Ends the stream: the events that its end completes. A second call returns [].
            ///
            /// Raises:
            ///     ParseError: the stream was not at an end (TruncatedStreamError), or had failed before.
            ///     RuntimeError: another thread is inside this parser.
            fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyList>> {
                self.0.close(py)
            }

            /// Bytes held of an unfinished frame; depends on the bytes fed only, not on their split.
            #[getter]
            fn pending(&self) -> PyResult<usize> {
                self.0.pending()
            }

            /// Bytes examined so far, every pass over a byte counted.
            #[getter]
            fn _examined(&self) -> PyResult<u64> {
                self.0.examined()
            }

            fn __traverse__(&self, visit: ::pyo3::PyVisit<'_>) -> ::std::result::Result<(), ::pyo3::PyTraverseError> {
                self.0.traverse(&visit)
            }

            fn __clear__(&self) {
                self.0.clear();
            }

            /// For tests: panics inside the parser, as a bug in the crate would.
            fn _panic(&self) -> PyResult<()> {
                self.0.with(|_| panic!("a panic asked for by a test"))
            }
        }
    };
}

/// The class of a dialect without options of its own.
macro_rules! plain_stream_parser {
    ($(#[$doc:meta])* $name:ident for $dialect:ident in $module:literal) => {
        $crate::parser::stream_parser! {
            $(#[$doc])*
            $name for $dialect in $module {
                #[new]
                #[pyo3(
                    signature = (
                        *, max_frame_bytes = $crate::field::Arg::ABSENT, max_depth = $crate::field::Arg::ABSENT,
                        errors = $crate::field::Arg::ABSENT
                    ),
                    text_signature = "(*, max_frame_bytes=16777216, max_depth=128, errors='strict')"
                )]
                fn new(
                    py: Python<'_>,
                    max_frame_bytes: $crate::field::Arg,
                    max_depth: $crate::field::Arg,
                    errors: $crate::field::Arg,
                ) -> PyResult<Self> {
                    let options = $crate::arguments::options(py, &max_frame_bytes, &max_depth, &errors)?;
                    Ok(Self($crate::parser::GuardedStream::stream(hangang::StreamParser::new(options))))
                }
            }
        }
    };
}

pub(crate) use {plain_stream_parser, stream_parser};
