//! `read_bodies`: whole streams, parsed without the interpreter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hangang::a2a::A2a;
use hangang::clova::Clova;
use hangang::exaone::Exaone;
use hangang::openai::OpenAi;
use hangang::{Options, ParseError, Service, StreamParser, Whole, detect, read_whole};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::arguments::options;
use crate::errors::exception;
use crate::field::Arg;
use crate::parser::ToPython;
use crate::string_cache::StringCache;

type Read<D> = Whole<<D as hangang::Dialect>::Event<'static>>;

/// A body that was read, by its dialect.
enum Body {
    Clova(Read<Clova>),
    Exaone(Read<Exaone>),
    OpenAi(Read<OpenAi>),
    A2a(Read<A2a>),
    Unknown,
}

impl Body {
    fn read(wire: &[u8], service: Option<Service>, options: Options) -> Self {
        match service.or_else(|| detect(wire)) {
            Some(Service::Clova) => Self::Clova(read_whole::<Clova>(wire, StreamParser::new(options))),
            Some(Service::Exaone) => Self::Exaone(read_whole::<Exaone>(wire, StreamParser::new(options))),
            Some(Service::OpenAi) => Self::OpenAi(read_whole::<OpenAi>(wire, StreamParser::new(options))),
            Some(Service::A2a) => Self::A2a(read_whole::<A2a>(wire, StreamParser::new(options))),
            _ => Self::Unknown,
        }
    }

    fn convert<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Clova(whole) => convert::<Clova>(py, Service::Clova, whole),
            Self::Exaone(whole) => convert::<Exaone>(py, Service::Exaone, whole),
            Self::OpenAi(whole) => convert::<OpenAi>(py, Service::OpenAi, whole),
            Self::A2a(whole) => convert::<A2a>(py, Service::A2a, whole),
            Self::Unknown => Ok((py.None(), PyList::empty(py), 0, py.None()).into_pyobject(py)?.into_any()),
        }
    }
}

fn convert<'py, D: ToPython>(
    py: Python<'py>,
    service: Service,
    whole: &Read<D>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut cache = D::Cache::default();
    let mut strings = StringCache::new();
    let events = PyList::empty(py);
    for event in &whole.events {
        events.append(D::convert(py, event, &mut cache, &mut strings)?)?;
    }
    let error =
        whole.error.as_ref().map(|error: &ParseError| exception(py, error, None, None)).transpose()?;
    Ok((service.module(), events, whole.count, error).into_pyobject(py)?.into_any())
}

/// Whole streams, each with its deltas merged: for each body `(dialect, events, count, error)`.
///
/// Neighbouring events that differ in their deltas only are one event, without `raw`; they fold to the same
/// `Completion`. `count` is their number before merging, `error` what ended the stream early, or None. Nothing is
/// parsed, and `dialect` is None, if `detect` does not find one. Other threads run while the bodies are parsed.
///
/// Args:
///     bodies: a list of bytes.
///     dialect: `clova`, `exaone`, `openai` or `a2a`; None finds it for each body.
///
/// Raises:
///     TypeError, ValueError: an argument of another type or value.
#[pyfunction]
#[pyo3(signature = (bodies, dialect = None))]
pub(crate) fn read_bodies<'py>(
    bodies: &Bound<'py, PyList>,
    dialect: Option<&str>,
) -> PyResult<Bound<'py, PyList>> {
    let py = bodies.py();
    crate::panics::report_without_backtrace();
    let service = match dialect {
        None => None,
        Some("clova") => Some(Service::Clova),
        Some("exaone") => Some(Service::Exaone),
        Some("openai") => Some(Service::OpenAi),
        Some("a2a") => Some(Service::A2a),
        Some(other) => return Err(PyValueError::new_err(format!("no dialect of that name: {other}"))),
    };
    let options = options(py, &Arg::ABSENT, &Arg::ABSENT, &Arg::ABSENT)?;
    let wires = bodies.iter().map(|body| match body.cast::<PyBytes>() {
        Ok(bytes) => Ok(PyBackedBytes::from(bytes.clone())),
        Err(_) => Err(PyTypeError::new_err("bodies must be a list of bytes")),
    });
    let wires = wires.collect::<PyResult<Vec<_>>>()?;
    let read = py.detach(|| {
        catch_unwind(AssertUnwindSafe(|| {
            wires.iter().map(|wire| Body::read(wire, service, options)).collect::<Vec<_>>()
        }))
    });
    let read =
        read.map_err(|_| PyRuntimeError::new_err("internal error: the parser panicked; please report it"))?;
    let rows = PyList::empty(py);
    for body in read {
        rows.append(body.convert(py)?)?;
    }
    Ok(rows)
}
