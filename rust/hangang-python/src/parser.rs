//! What all parser classes do around the crate: arguments, chunks, locking, panics, lists.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, TryLockError};

use hangang::{Dialect, Errors, Options, ParseError, StreamParser};
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt, PyList, PyMemoryView, PyString};

use crate::errors::raised;
use crate::record::Arg;
use crate::string_cache::StringCache;

/// A chunk's bytes: read in place from `bytes`, copied once from what its owner may change.
pub(crate) enum Chunk<'a> {
    InPlace(&'a [u8]),
    Copied(Vec<u8>),
}

impl<'a> Chunk<'a> {
    pub(crate) fn of(chunk: &'a Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = chunk.cast::<PyBytes>() {
            return Ok(Self::InPlace(bytes.as_bytes()));
        }
        if let Ok(bytes) = chunk.cast::<PyByteArray>() {
            return Ok(Self::Copied(bytes.to_vec()));
        }
        let found = if chunk.is_instance_of::<PyMemoryView>() {
            let contiguous: bool = chunk.getattr("contiguous")?.extract()?;
            let item: usize = chunk.getattr("itemsize")?.extract()?;
            if contiguous && item == 1 {
                let bytes = chunk.call_method0("tobytes")?;
                return Ok(Self::Copied(bytes.cast::<PyBytes>()?.as_bytes().to_vec()));
            }
            "a memoryview of another shape".to_owned()
        } else {
            chunk.get_type().name()?.to_string()
        };
        Err(PyTypeError::new_err(format!(
            "chunk must be bytes, bytearray or a contiguous memoryview of bytes, not {found}"
        )))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::InPlace(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// A limit given as an int between 1 and 2**62.
pub(crate) fn limit(py: Python<'_>, name: &str, value: &Arg, default: usize) -> PyResult<usize> {
    let Some(value) = value.0.as_ref().map(|value| value.bind(py)) else { return Ok(default) };
    if !value.is_instance_of::<PyInt>() {
        let kind = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!("{name} must be an int, not {kind}")));
    }
    let number = match value.extract::<u64>() {
        Ok(number) => Some(number),
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => None,
        Err(error) => return Err(error),
    };
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) if (1..=1 << 62).contains(&number) => Ok(number),
        _ => Err(PyValueError::new_err(format!("{name} must be between 1 and 2**62, not {}", value.str()?))),
    }
}

/// One of two strings.
pub(crate) fn choice(py: Python<'_>, name: &str, value: &Arg, words: [&str; 2]) -> PyResult<usize> {
    let Some(value) = value.0.as_ref().map(|value| value.bind(py)) else { return Ok(0) };
    let given = value.extract::<String>().unwrap_or_default();
    words.iter().position(|word| *word == given).map_or_else(
        || {
            let [first, second] = words;
            let text = format!("{name} must be '{first}' or '{second}', not {}", value.repr()?);
            Err(PyValueError::new_err(text))
        },
        Ok,
    )
}

pub(crate) fn options(
    py: Python<'_>,
    max_frame_bytes: &Arg,
    max_depth: &Arg,
    errors: &Arg,
) -> PyResult<Options> {
    let default = Options::default();
    Ok(Options {
        max_frame_bytes: limit(py, "max_frame_bytes", max_frame_bytes, default.max_frame_bytes)?,
        max_depth: limit(py, "max_depth", max_depth, default.max_depth)?,
        errors: [Errors::Strict, Errors::Report][choice(py, "errors", errors, ["strict", "report"])?],
        // Read at construction, so that one process can compare both ways.
        predict: std::env::var_os("HANGANG_PREDICT").is_none_or(|value| value != "0"),
    })
}

/// A parser's state behind its lock. The lock is only ever tried: an overlapping call is the caller's mistake.
pub(crate) struct Guarded<T>(Mutex<State<T>>);

struct State<T> {
    inner: T,
    closed: bool,
    /// A panic left the parser half-way: nothing it says can be trusted any more.
    broken: bool,
}

impl<T> Guarded<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self(Mutex::new(State { inner, closed: false, broken: false }))
    }

    /// Runs `work` alone on the parser. A panic comes out as a `RuntimeError`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T, &mut bool) -> PyResult<R>) -> PyResult<R> {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err(
                    "overlapping calls: a parser serves one thread at a time",
                ));
            }
        };
        let State { inner, closed, broken } = &mut *state;
        if !*broken {
            match catch_unwind(AssertUnwindSafe(|| work(inner, closed))) {
                Ok(outcome) => return outcome,
                Err(_) => *broken = true,
            }
        }
        Err(PyRuntimeError::new_err("internal error: the parser panicked and cannot go on; please report it"))
    }
}

pub(crate) fn feed_after_close() -> PyErr {
    PyValueError::new_err("feed after close()")
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

/// Most events whose room is kept between calls.
const MAX_RETAINED_CAPACITY: usize = 1024;

/// A dialect's parser with what its events share.
pub(crate) struct Stream<D: ToPython> {
    parser: StreamParser<D>,
    cache: D::Cache,
    /// The room of the last call's events, to be used again.
    room: Vec<Py<PyAny>>,
}

pub(crate) type GuardedStream<D> = Guarded<Stream<D>>;

/// Collects converted events; the first failure to convert one stops the rest.
struct Events<'py, 'c, D: ToPython> {
    py: Python<'py>,
    cache: &'c mut D::Cache,
    strings: StringCache,
    list: &'c mut Vec<Py<PyAny>>,
    failure: Option<PyErr>,
}

impl<'py, 'c, D: ToPython> Events<'py, 'c, D> {
    fn new(py: Python<'py>, cache: &'c mut D::Cache, list: &'c mut Vec<Py<PyAny>>) -> Self {
        list.clear();
        Self { py, cache, strings: StringCache::new(), list, failure: None }
    }

    fn push(&mut self, event: &D::Event<'_>) {
        if self.failure.is_none() {
            match D::convert(self.py, event, self.cache, &mut self.strings) {
                Ok(event) => self.list.push(event.unbind()),
                Err(failure) => self.failure = Some(failure),
            }
        }
    }

    fn finish(self, outcome: Result<(), ParseError>) -> PyResult<Bound<'py, PyList>> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let list = PyList::new(self.py, self.list.drain(..))?;
        self.list.shrink_to(MAX_RETAINED_CAPACITY);
        match outcome {
            Ok(()) => Ok(list),
            Err(error) => Err(raised(self.py, &error, Some(list), None)),
        }
    }
}

impl<D: ToPython> GuardedStream<D> {
    pub(crate) fn stream(parser: StreamParser<D>) -> Self {
        Self::new(Stream { parser, cache: D::Cache::default(), room: Vec::new() })
    }

    pub(crate) fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.with(|stream, closed| {
            if *closed {
                return Err(feed_after_close());
            }
            let mut events = Events::<D>::new(py, &mut stream.cache, &mut stream.room);
            let outcome = stream.parser.feed_with(chunk.bytes(), |event| events.push(&event));
            if outcome.is_err() {
                // What feed_text kept is older than what this call completed, and comes out with it.
                let newer = std::mem::take(events.list);
                for event in stream.parser.take_deferred() {
                    events.push(&event);
                }
                events.list.extend(newer);
            }
            events.finish(outcome)
        })
    }

    pub(crate) fn feed_text<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let py = chunk.py();
        let chunk = Chunk::of(chunk)?;
        self.with(|stream, closed| {
            if *closed {
                return Err(feed_after_close());
            }
            let mut text = String::new();
            match stream.parser.feed_text(chunk.bytes(), &mut text) {
                Ok(()) => Ok(PyString::new(py, &text)),
                Err(error) => {
                    let mut events = Events::<D>::new(py, &mut stream.cache, &mut stream.room);
                    for event in stream.parser.take_deferred() {
                        events.push(&event);
                    }
                    let list = events.finish(Ok(()))?;
                    Err(raised(py, &error, Some(list), Some(&text)))
                }
            }
        })
    }

    pub(crate) fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.with(|stream, closed| {
            let mut events = Events::<D>::new(py, &mut stream.cache, &mut stream.room);
            let outcome = stream.parser.close(|event| events.push(&event));
            *closed = outcome.is_ok();
            events.finish(outcome)
        })
    }

    pub(crate) fn pending(&self) -> PyResult<usize> {
        self.with(|stream, _| Ok(stream.parser.pending()))
    }

    pub(crate) fn examined(&self) -> PyResult<u64> {
        self.with(|stream, _| Ok(stream.parser.examined()))
    }
}

/// The class of a dialect's parser. `new` is its constructor.
macro_rules! stream_parser {
    ($(#[doc = $doc:literal])* $name:ident for $dialect:ident in $module:literal { $($new:tt)* }) => {
        $(#[doc = $doc])*
        #[pyclass(frozen, module = $module, name = "StreamParser")]
        pub(crate) struct $name($crate::parser::GuardedStream<$dialect>);

        #[pymethods]
        impl $name {
            $($new)*

            /// The events that this chunk completes.
            fn feed<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
                self.0.feed(chunk)
            }

            /// The answer text that this chunk completes, joined.
            fn feed_text<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
                self.0.feed_text(chunk)
            }

            /// The end of the stream: the last events, or an error if it stopped early.
            fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
                self.0.close(py)
            }

            /// Bytes held of an unfinished frame.
            #[getter]
            fn pending(&self) -> PyResult<usize> {
                self.0.pending()
            }

            /// Bytes examined so far, every pass over a byte counted.
            #[getter]
            fn _examined(&self) -> PyResult<u64> {
                self.0.examined()
            }

            /// For tests: panics inside the parser, as a mistake in the crate would.
            fn _panic(&self) -> PyResult<()> {
                self.0.with(|_, _| panic!("a panic asked for by a test"))
            }
        }
    };
}

/// The constructor of a dialect without settings of its own.
macro_rules! plain_stream_parser {
    ($(#[doc = $doc:literal])* $name:ident for $dialect:ident in $module:literal) => {
        $crate::parser::stream_parser! {
            $(#[doc = $doc])*
            $name for $dialect in $module {
                #[new]
                #[pyo3(signature = (*, max_frame_bytes = $crate::record::Arg::absent(), max_depth = $crate::record::Arg::absent(), errors = $crate::record::Arg::absent()), text_signature = "(*, max_frame_bytes=16777216, max_depth=128, errors='strict')")]
                fn new(
                    py: Python<'_>,
                    max_frame_bytes: $crate::record::Arg,
                    max_depth: $crate::record::Arg,
                    errors: $crate::record::Arg,
                ) -> PyResult<Self> {
                    let options = $crate::parser::options(py, &max_frame_bytes, &max_depth, &errors)?;
                    Ok(Self($crate::parser::GuardedStream::stream(hangang::StreamParser::new(options))))
                }
            }
        }
    };
}

pub(crate) use {plain_stream_parser, stream_parser};
