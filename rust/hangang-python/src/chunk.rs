//! The argument of `feed`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

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
