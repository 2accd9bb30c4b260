//! The crate's errors as the classes of `hangang._errors`.

use hangang::{ErrorKind, ParseError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule};

/// The exception object for an error; `text` only where `feed_text` failed.
pub(crate) fn exception<'py>(
    py: Python<'py>,
    error: &ParseError,
    events: Option<Bound<'py, PyList>>,
    text: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let class = match error.kind() {
        ErrorKind::InvalidJson { .. } => "InvalidJSONError",
        ErrorKind::InvalidUtf8 { .. } => "InvalidUTF8Error",
        ErrorKind::FrameTooLarge { .. } | ErrorKind::TooDeep { .. } => "LimitExceededError",
        ErrorKind::Truncated { .. } => "TruncatedStreamError",
        ErrorKind::Unrecognized { .. } => "UnrecognizedStreamError",
        kind => return Err(PyRuntimeError::new_err(format!("an error without a class: {kind:?}"))),
    };
    let keywords = PyDict::new(py);
    keywords.set_item("offset", error.offset())?;
    if let Some(events) = events {
        keywords.set_item("events", events)?;
    }
    if let Some(text) = text {
        keywords.set_item("text", text)?;
    }
    let errors = ERRORS.get_or_try_init(py, || py.import("hangang._errors").map(Bound::unbind))?;
    errors.bind(py).getattr(class)?.call((error.to_string(),), Some(&keywords))
}

/// The same, ready to be raised. Feeding a closed parser is the caller's mistake, not an error of the stream.
pub(crate) fn raised(
    py: Python<'_>,
    error: &ParseError,
    events: Option<Bound<'_, PyList>>,
    text: Option<&str>,
) -> PyErr {
    if error.kind() == ErrorKind::Closed {
        return PyValueError::new_err(error.to_string());
    }
    match exception(py, error, events, text) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}
