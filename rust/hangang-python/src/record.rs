//! The classes that Python sees: frozen, built from plain members, compared and printed by their fields.
//!
//! Every field is a Python object made when the event is made, so that reading it is a load from memory. Fields
//! that hold JSON of any shape are the exception: [`Lazy`] converts them when they are first read, once for all
//! events that share them.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

/// A field as Python sees it.
pub(crate) trait Member {
    fn get(&self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

impl Member for Py<PyAny> {
    fn get(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.clone_ref(py))
    }
}

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

struct Json {
    text: Box<str>,
    shape: Shape,
    value: PyOnceLock<Py<PyAny>>,
}

/// A field that holds JSON, converted at the first read and shared by all events that hold it.
#[derive(Clone)]
pub(crate) enum Lazy {
    Ready(Arc<Py<PyAny>>),
    Json(Arc<LazyJson>),
}

/// The shared part of a [`Lazy`] field.
pub(crate) struct LazyJson(Json);

impl Lazy {
    pub(crate) fn json(text: &str, shape: Shape) -> Self {
        Self::Json(Arc::new(LazyJson(Json { text: text.into(), shape, value: PyOnceLock::new() })))
    }
}

impl Member for Lazy {
    fn get(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Ready(value) => Ok(value.clone_ref(py)),
            Self::Json(shared) => {
                let json = &shared.0;
                json.value
                    .get_or_try_init(py, || decode(py, &json.text, json.shape))
                    .map(|value| value.clone_ref(py))
            }
        }
    }
}

fn decode(py: Python<'_>, text: &str, shape: Shape) -> PyResult<Py<PyAny>> {
    static DECODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let value = DECODE.import(py, "hangang._values", "decode")?.call1((text,))?;
    let keep: fn(&Bound<'_, PyAny>) -> bool = match shape {
        Shape::Value => return Ok(value.unbind()),
        Shape::Objects => |item| item.is_instance_of::<PyDict>(),
        Shape::References => |item| item.cast::<PyDict>().map_or(true, |item| !item.is_empty()),
    };
    let items =
        value.try_iter()?.filter(|item| item.as_ref().map_or(true, keep)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, items)?.into_any().unbind())
}

/// The payload that an event came from.
pub(crate) enum Raw {
    /// The event was made by hand, or unpickled.
    None,
    Owned(Box<[u8]>),
}

impl Raw {
    pub(crate) fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        match self {
            Self::None => PyBytes::new(py, b""),
            Self::Owned(bytes) => PyBytes::new(py, bytes),
        }
    }

    pub(crate) fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let text = self.bytes(py).call_method1("decode", ("utf-8",))?;
        LOADS.import(py, "json", "loads")?.call1((text,))
    }
}

pub(crate) fn empty_text(py: Python<'_>) -> Py<PyAny> {
    PyString::intern(py, "").into_any().unbind()
}

pub(crate) fn empty_tuple(py: Python<'_>) -> Py<PyAny> {
    PyTuple::empty(py).into_any().unbind()
}

/// A field's name without the mark that Rust needs where the name is a keyword.
pub(crate) fn public(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

pub(crate) fn repr(class: &str, names: &[&'static str], fields: &Bound<'_, PyTuple>) -> PyResult<String> {
    let mut text = format!("{class}(");
    for (at, (name, field)) in names.iter().zip(fields.iter()).enumerate() {
        if at != 0 {
            text.push_str(", ");
        }
        text.push_str(public(name));
        text.push('=');
        text.push_str(field.repr()?.to_cow()?.as_ref());
    }
    text.push(')');
    Ok(text)
}

pub(crate) fn reduce<'py>(
    py: Python<'py>,
    module: &str,
    class: &str,
    fields: Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyTuple>> {
    static RESTORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let restore = RESTORE.import(py, "hangang._backend", "restore")?;
    let short = module.strip_prefix("hangang.").unwrap_or(module);
    PyTuple::new(py, [restore.clone(), (short, class, fields).into_pyobject(py)?.into_any()])
}

/// A class of plain and lazy fields. `order` is the public order of all of them.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $class:literal in $module:literal {
            plain { $($plain:ident: $default:expr),* $(,)? }
            lazy { $($lazy:ident: $lazy_default:expr),* $(,)? }
            order { $($order:ident),* $(,)? }
            hidden { $($hidden:ident: $hidden_type:ty = $hidden_default:expr),* $(,)? }
            methods { $($methods:tt)* }
        }
    ) => {
        $(#[doc = $doc])*
        #[pyclass(frozen, module = $module, name = $class)]
        pub(crate) struct $name {
            $(#[pyo3(get)] pub(crate) $plain: Py<PyAny>,)*
            $(pub(crate) $lazy: $crate::record::Lazy,)*
            $(pub(crate) $hidden: $hidden_type,)*
        }

        impl $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($order)),*];

            fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                let fields: Vec<Py<PyAny>> = vec![$($crate::record::Member::get(&self.$order, py)?),*];
                PyTuple::new(py, fields)
            }
        }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($order = None),*))]
            #[allow(clippy::too_many_arguments)]
            fn new(py: Python<'_>, $($order: Option<Py<PyAny>>),*) -> Self {
                let _ = py;
                Self {
                    $($plain: match $plain {
                        Some(value) => value,
                        None => {
                            let default: fn(Python<'_>) -> Py<PyAny> = $default;
                            default(py)
                        }
                    },)*
                    $($lazy: {
                        let default: fn(Python<'_>) -> Py<PyAny> = $lazy_default;
                        $crate::record::Lazy::Ready(std::sync::Arc::new($lazy.unwrap_or_else(|| default(py))))
                    },)*
                    $($hidden: $hidden_default,)*
                }
            }

            $(
                #[getter]
                fn $lazy(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    $crate::record::Member::get(&self.$lazy, py)
                }
            )*

            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
                PyTuple::new(py, Self::FIELDS.iter().map(|name| $crate::record::public(name)))
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                $crate::record::repr($class, Self::FIELDS, &self.fields(py)?)
            }

            fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
                let Ok(other) = other.cast_exact::<Self>() else { return Ok(py.NotImplemented()) };
                let same = self.fields(py)?.eq(other.get().fields(py)?)?;
                Ok(same.into_pyobject(py)?.to_owned().into_any().unbind())
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                self.fields(py)?.hash()
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                $crate::record::reduce(py, $module, $class, self.fields(py)?)
            }

            $($methods)*
        }
    };
}

/// A record that a payload stands behind. `constants` are attributes that the kind of event has no field for.
macro_rules! event {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $class:literal in $module:literal {
            plain { $($plain:tt)* }
            lazy { $($lazy:tt)* }
            order { $($order:tt)* }
            constants { $($constant:ident),* }
        }
    ) => {
        $crate::record::record! {
            $(#[doc = $doc])*
            $name = $class in $module {
                plain { $($plain)* }
                lazy { $($lazy)* }
                order { $($order)* }
                hidden { raw: $crate::record::Raw = $crate::record::Raw::None }
                methods {
                    /// The payload's bytes as received; `b""` for an event that no parser made.
                    #[getter]
                    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                        self.raw.bytes(py)
                    }

                    /// `json.loads` of the payload.
                    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                        self.raw.json(py)
                    }

                    $(
                        /// Always empty: this kind of event carries none.
                        #[classattr]
                        fn $constant() -> &'static str {
                            ""
                        }
                    )*
                }
            }
        }
    };
}

pub(crate) use {event, record};

/// Defaults of fields.
pub(crate) mod default {
    use pyo3::prelude::*;

    pub(crate) use super::{empty_text as text, empty_tuple as tuple};

    pub(crate) fn none(py: Python<'_>) -> Py<PyAny> {
        py.None()
    }

    pub(crate) fn no(py: Python<'_>) -> Py<PyAny> {
        pyo3::types::PyBool::new(py, false).to_owned().into_any().unbind()
    }
}
