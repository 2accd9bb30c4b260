//! Fields of the Python classes: the arguments that set them, their defaults, and the conversion of the crate's values.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString, PyTuple};

/// How most fields are stored: as the object that a reader gets, so that reading one is a load from memory.
pub(crate) type Object = Py<PyAny>;

/// An argument that may be left out. Unlike an `Option`, it distinguishes an explicit `None` from a missing argument.
pub(crate) struct Arg(Option<Object>);

impl Arg {
    pub(crate) const ABSENT: Self = Self(None);

    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyAny>> {
        self.0.as_ref().map(|value| value.bind(py))
    }

    pub(crate) fn or_else(self, default: impl FnOnce() -> Object) -> Object {
        self.0.unwrap_or_else(default)
    }
}

impl FromPyObject<'_, '_> for Arg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(Some(object.to_owned().unbind())))
    }
}

/// A default as the tables write it, in the syntax that Rust and Python share, as an object.
macro_rules! default {
    ($py:expr, None) => {
        $py.None()
    };
    ($py:expr, False) => {
        $crate::field::Literal::object(false, $py)
    };
    ($py:expr, ()) => {
        $crate::field::Literal::object((), $py)
    };
    ($py:expr, $value:literal) => {
        $crate::field::Literal::object($value, $py)
    };
}
pub(crate) use default;

/// The Rust types of the literals that [`default!`] accepts.
pub(crate) trait Literal {
    fn object(self, py: Python<'_>) -> Object;
}

impl Literal for &str {
    fn object(self, py: Python<'_>) -> Object {
        PyString::intern(py, self).into_any().unbind()
    }
}

impl Literal for &[u8; 0] {
    fn object(self, py: Python<'_>) -> Object {
        PyBytes::new(py, self).into_any().unbind()
    }
}

impl Literal for () {
    fn object(self, py: Python<'_>) -> Object {
        PyTuple::empty(py).into_any().unbind()
    }
}

impl Literal for bool {
    fn object(self, py: Python<'_>) -> Object {
        PyBool::new(py, self).to_owned().into_any().unbind()
    }
}

impl Literal for i64 {
    fn object(self, py: Python<'_>) -> Object {
        let Ok(value) = self.into_pyobject(py);
        value.into_any().unbind()
    }
}

/// What a field is stored as, where that is not the object itself. `E` is the class that has the field.
pub(crate) trait Stored<E>: Sized {
    /// The field of an object that Python code constructs, which may be anything.
    fn given(py: Python<'_>, value: Object) -> Self;

    fn get(&self, py: Python<'_>, owner: &E) -> PyResult<Object>;
}

impl<E> Stored<E> for Object {
    #[inline]
    fn given(_: Python<'_>, value: Object) -> Self {
        value
    }

    #[inline]
    fn get(&self, py: Python<'_>, _: &E) -> PyResult<Object> {
        Ok(self.clone_ref(py))
    }
}

/// An integer of the event itself: it differs from event to event, and most of them are never read.
pub(crate) enum Integer {
    None,
    Value(i64),
    Given(Object),
}

impl Integer {
    pub(crate) const fn value(&self) -> Option<i64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::None | Self::Given(_) => None,
        }
    }
}

impl<E> Stored<E> for Integer {
    fn given(_: Python<'_>, value: Object) -> Self {
        Self::Given(value)
    }

    fn get(&self, py: Python<'_>, _: &E) -> PyResult<Object> {
        Ok(match self {
            Self::None => py.None(),
            Self::Value(value) => value.object(py),
            Self::Given(value) => value.clone_ref(py),
        })
    }
}

/// The conversion of one of the crate's values to a field.
pub(crate) trait FromCrate<T: ?Sized>: Sized {
    fn from_crate(py: Python<'_>, value: &T) -> PyResult<Self>;
}

macro_rules! from_crate {
    ($($type:ty: $value:ident, $py:ident => $object:expr;)*) => {
        $(
            impl FromCrate<$type> for Object {
                fn from_crate($py: Python<'_>, $value: &$type) -> PyResult<Self> {
                    Ok($object)
                }
            }
        )*
    };
}

from_crate! {
    str: value, py => PyString::new(py, value).into_any().unbind();
    String: value, py => PyString::new(py, value).into_any().unbind();
    Box<str>: value, py => PyString::new(py, value).into_any().unbind();
    Cow<'_, str>: value, py => PyString::new(py, value).into_any().unbind();
    i64: value, py => value.object(py);
    bool: value, py => value.object(py);
}

impl<T> FromCrate<Option<T>> for Object
where
    Object: FromCrate<T>,
{
    fn from_crate(py: Python<'_>, value: &Option<T>) -> PyResult<Self> {
        value.as_ref().map_or_else(|| Ok(py.None()), |value| Self::from_crate(py, value))
    }
}

impl<T> FromCrate<Box<[T]>> for Object
where
    Object: FromCrate<T>,
{
    fn from_crate(py: Python<'_>, items: &Box<[T]>) -> PyResult<Self> {
        let items = items.iter().map(|item| Self::from_crate(py, item)).collect::<PyResult<Vec<_>>>()?;
        Ok(PyTuple::new(py, items)?.into_any().unbind())
    }
}

impl FromCrate<Option<i64>> for Integer {
    #[inline]
    fn from_crate(_: Python<'_>, value: &Option<i64>) -> PyResult<Self> {
        Ok(value.map_or(Self::None, Self::Value))
    }
}
