//! `hangang.detect`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice};

/// The most bytes that count.
const WINDOW: isize = 1024;

/// The dialect of a stream: `clova`, `exaone`, `openai`, `a2a`, or None where nothing tells.
///
/// Args:
///     first_bytes: how the stream begins; only the first 1,024 bytes count.
///
/// Raises:
///     TypeError: not bytes, bytearray or memoryview.
#[pyfunction]
pub(crate) fn detect(first_bytes: &Bound<'_, PyAny>) -> PyResult<Option<&'static str>> {
    let is_bytes_like = first_bytes.is_instance_of::<PyBytes>()
        || first_bytes.is_instance_of::<PyByteArray>()
        || first_bytes.is_instance_of::<PyMemoryView>();
    if !is_bytes_like {
        let found = first_bytes.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "first_bytes must be bytes, bytearray or memoryview, not {found}"
        )));
    }
    let window = PyMemoryView::from(first_bytes)?.get_item(PySlice::new(first_bytes.py(), 0, WINDOW, 1))?;
    let window = window.call_method0("tobytes")?;
    Ok(hangang::detect(window.cast::<PyBytes>()?.as_bytes()).map(hangang::Service::module))
}
