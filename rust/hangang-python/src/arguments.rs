//! The arguments of the parsers' constructors.

use hangang::{Errors, Options};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::field::Arg;

/// A limit given as an int between 1 and 2**62.
pub(crate) fn limit(py: Python<'_>, name: &str, value: &Arg, default: usize) -> PyResult<usize> {
    let Some(value) = value.get(py) else { return Ok(default) };
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
    let Some(value) = value.get(py) else { return Ok(0) };
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
