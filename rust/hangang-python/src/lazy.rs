//! Fields that hold JSON: converted when they are first read, once for all events that share them.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::field::{Object, Stored, default};

/// How a JSON text becomes the field's value.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// The value itself.
    Value,
    /// A tuple of the list's objects.
    Objects,
    /// A tuple of the list's elements without the empty objects.
    References,
}

/// A JSON text and, once a reader has asked for it, its value.
pub(crate) struct Json {
    text: Box<str>,
    shape: Shape,
    value: PyOnceLock<Object>,
}

/// A field that is converted at its first read.
pub(crate) enum Lazy {
    Ready(Object),
    Json(Arc<Json>),
}

impl Lazy {
    /// A JSON value, `None` if there is none.
    pub(crate) fn value(py: Python<'_>, json: Option<&str>) -> Self {
        json.map_or_else(|| Self::Ready(py.None()), |text| Self::json(text, Shape::Value))
    }

    /// The objects of a JSON list, `()` if there is none.
    pub(crate) fn objects(py: Python<'_>, json: Option<&str>) -> Self {
        json.map_or_else(|| Self::Ready(default!(py, ())), |text| Self::json(text, Shape::Objects))
    }

    pub(crate) fn json(text: &str, shape: Shape) -> Self {
        Self::Json(Arc::new(Json { text: text.into(), shape, value: PyOnceLock::new() }))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Ready(value) => Self::Ready(value.clone_ref(py)),
            Self::Json(json) => Self::Json(json.clone()),
        }
    }
}

impl<E> Stored<E> for Lazy {
    fn given(_: Python<'_>, value: Object) -> Self {
        Self::Ready(value)
    }

    fn get(&self, py: Python<'_>, _: &E) -> PyResult<Object> {
        match self {
            Self::Ready(value) => Ok(value.clone_ref(py)),
            Self::Json(json) => {
                let value = json.value.get_or_try_init(py, || decode(py, &json.text, json.shape));
                value.map(|value| value.clone_ref(py))
            }
        }
    }
}

/// Converts a JSON text that is known to be valid.
pub(crate) fn decode(py: Python<'_>, text: &str, shape: Shape) -> PyResult<Object> {
    static DECODE: PyOnceLock<Object> = PyOnceLock::new();
    let value = DECODE.import(py, "hangang._values", "decode")?.call1((text,))?;
    let wanted: fn(&Bound<'_, PyAny>) -> bool = match shape {
        Shape::Value => return Ok(value.unbind()),
        Shape::Objects => |item| item.is_instance_of::<PyDict>(),
        Shape::References => |item| item.cast::<PyDict>().map_or(true, |item| !item.is_empty()),
    };
    let items =
        value.try_iter()?.filter(|item| item.as_ref().map_or(true, wanted)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, items)?.into_any().unbind())
}
