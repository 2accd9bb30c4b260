//! The crate's errors as the classes of `hangang._errors`.

use hangang::{ErrorKind, ParseError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};

/// The exception object for an error; `text` only where `feed_text` failed.
pub(crate) fn exception<'py>(
    py: Python<'py>,
    error: &ParseError,
    events: Option<Bound<'py, PyList>>,
    text: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    static JSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UTF8: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static LIMIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TRUNCATED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (cell, name) = match error.kind() {
        ErrorKind::InvalidJson { .. } => (&JSON, "InvalidJSONError"),
        ErrorKind::InvalidUtf8 { .. } => (&UTF8, "InvalidUTF8Error"),
        ErrorKind::FrameTooLarge { .. } | ErrorKind::TooDeep { .. } => (&LIMIT, "LimitExceededError"),
        ErrorKind::Truncated { .. } => (&TRUNCATED, "TruncatedStreamError"),
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
    cell.import(py, "hangang._errors", name)?.call((error.to_string(),), Some(&keywords))
}

/// The same, ready to be raised.
pub(crate) fn raised(
    py: Python<'_>,
    error: &ParseError,
    events: Option<Bound<'_, PyList>>,
    text: Option<&str>,
) -> PyErr {
    match exception(py, error, events, text) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}
