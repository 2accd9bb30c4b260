//! The classes that Python sees: frozen, built from plain members, compared and printed by their fields.
//!
//! Every field is a Python object made when the event is made, so that reading it is a load from memory. Fields
//! that hold JSON of any shape are the exception: [`Lazy`] converts them when they are first read, once for all
//! events that share them.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

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

impl Lazy {
    pub(crate) fn ready(value: Py<PyAny>) -> Self {
        Self::Ready(Arc::new(value))
    }

    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
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
}

/// What the payload of a predictable event is rebuilt from. Its string is the event's own text where it has no
/// escapes, so that nothing is kept twice.
pub(crate) enum Payload {
    None,
    Received(Box<[u8]>),
    Predicted(Option<Box<[u8]>>),
}

impl Payload {
    #[inline]
    pub(crate) fn of(raw: &hangang::Payload<'_>) -> Self {
        match raw {
            hangang::Payload::Received(bytes) => Self::Received((**bytes).into()),
            hangang::Payload::Predicted { string } => Self::Predicted(string.as_deref().map(Into::into)),
        }
    }

    /// The payload's bytes; `common` is what the event shares with its template, `text` its string.
    pub(crate) fn bytes<'py, T>(
        &self,
        common: Option<&hangang::Common<T>>,
        text: &Bound<'py, PyAny>,
        counter: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = text.py();
        Ok(match (self, common) {
            (Self::Received(bytes), _) => PyBytes::new(py, bytes),
            (Self::Predicted(string), Some(common)) => {
                let raw = hangang::Payload::Predicted { string: string.as_deref().map(Cow::Borrowed) };
                PyBytes::new(py, &raw.bytes(common, text.cast::<PyString>()?.to_cow()?.as_ref(), counter))
            }
            _ => PyBytes::new(py, b""),
        })
    }
}

/// An id in the event itself where it is as short as a UUID, so that it costs no allocation.
pub(crate) enum Id {
    Short(ShortId),
    Long(Box<[u8]>),
}

/// Up to 39 bytes; the highest one of the last word is the length and one, so that the word is never zero. Words and
/// not bytes: a copy of bytes is read back before it has been stored, and waits.
pub(crate) struct ShortId([u64; 4], NonZeroU64);

impl ShortId {
    #[inline]
    fn of(id: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let (words, tail) = if let Ok(uuid) = <&[u8; 36]>::try_from(id) {
            let tail = u32::from_le_bytes([uuid[32], uuid[33], uuid[34], uuid[35]]);
            ([word(&uuid[..8]), word(&uuid[8..16]), word(&uuid[16..24]), word(&uuid[24..32])], tail.into())
        } else {
            let mut bytes = [0; 40];
            bytes[..39].get_mut(..id.len())?.copy_from_slice(id);
            let words = [word(&bytes[..8]), word(&bytes[8..16]), word(&bytes[16..24]), word(&bytes[24..32])];
            (words, word(&bytes[32..]))
        };
        NonZeroU64::new(tail | (id.len() as u64 + 1) << 56).map(|last| Self(words, last))
    }

    fn bytes(&self) -> ([u8; 40], usize) {
        let Self([one, two, three, four], last) = *self;
        let mut bytes = [0; 40];
        for (place, word) in bytes.chunks_exact_mut(8).zip([one, two, three, four, last.get()]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        (bytes, usize::from(bytes[39]) - 1)
    }
}

impl Id {
    #[inline]
    pub(crate) fn of(id: &[u8]) -> Self {
        ShortId::of(id).map_or_else(|| Self::Long(id.into()), Self::Short)
    }

    pub(crate) fn text(&self, py: Python<'_>) -> Py<PyAny> {
        let text = |id: &[u8]| PyString::new(py, &String::from_utf8_lossy(id)).into_any().unbind();
        match self {
            Self::Short(short) => {
                let (bytes, length) = short.bytes();
                text(&bytes[..length])
            }
            Self::Long(bytes) => text(bytes),
        }
    }
}

/// `json.loads` of a payload, strictly decoded.
pub(crate) fn loads<'py>(py: Python<'py>, payload: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let text = payload.call_method1("decode", ("utf-8",))?;
    LOADS.import(py, "json", "loads")?.call1((text,))
}

/// Converts a JSON text at its first read.
pub(crate) fn decoded(py: Python<'_>, text: &str, shape: Shape) -> PyResult<Py<PyAny>> {
    decode(py, text, shape)
}

/// The last shared members that events of one stream had, as Python objects: a stream has few templates, and
/// its events come in runs.
pub(crate) struct Recent<T, P>(Vec<(Arc<hangang::Common<T>>, Py<P>)>);

impl<T, P> Default for Recent<T, P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, P> Recent<T, P> {
    /// The object for `common`, made by `make` when it is new.
    #[inline]
    pub(crate) fn get(
        &mut self,
        py: Python<'_>,
        common: &Arc<hangang::Common<T>>,
        make: impl FnOnce() -> PyResult<Py<P>>,
    ) -> PyResult<Py<P>> {
        if let Some(at) = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, common)) {
            return Ok(self.0[at].1.clone_ref(py));
        }
        let object = make()?;
        if common.is_template() {
            self.0.truncate(3); // as many as a parser has templates
            self.0.insert(0, (common.clone(), object.clone_ref(py)));
        }
        Ok(object)
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

/// What every class of the public surface has: fields in a fixed order, compared, printed, hashed, matched and
/// pickled by them. Each field is a method `fn name(&self, py) -> PyResult<Py<PyAny>>` of the class.
macro_rules! surface {
    ($name:ident = $class:literal in $module:literal {
        order { $($order:ident),* $(,)? }
        methods { $($methods:tt)* }
    }) => {
        impl $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($order)),*];

            fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                let fields: Vec<Py<PyAny>> = vec![$(self.$order(py)?),*];
                PyTuple::new(py, fields)
            }
        }

        #[pymethods]
        impl $name {
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

/// A class of plain and lazy fields. `order` is the public order of all of them.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $class:literal in $module:literal {
            signature { $signature:literal }
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

        #[allow(clippy::unnecessary_wraps)]
        impl $name {
            $(
                fn $plain(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    Ok(self.$plain.clone_ref(py))
                }
            )*
        }

        $crate::record::surface! {
            $name = $class in $module {
                order { $($order),* }
                methods {
                    #[new]
                    #[pyo3(signature = ($($order = $crate::record::Arg::absent()),*), text_signature = $signature)]
                    #[allow(clippy::too_many_arguments)]
                    fn new(py: Python<'_>, $($order: $crate::record::Arg),*) -> Self {
                        let _ = py;
                        Self {
                            $($plain: $crate::record::or(py, $plain, $default),)*
                            $($lazy: $crate::record::Lazy::ready($crate::record::or(py, $lazy, $lazy_default)),)*
                            $($hidden: $hidden_default,)*
                        }
                    }

                    $(
                        #[getter]
                        fn $lazy(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                            self.$lazy.get(py)
                        }
                    )*

                    $($methods)*
                }
            }
        }
    };
}

/// A record that a payload stands behind. `constants` are attributes that the kind of event has no field for.
macro_rules! event {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $class:literal in $module:literal {
            signature { $signature:literal }
            plain { $($plain:tt)* }
            lazy { $($lazy:tt)* }
            order { $($order:tt)* }
            constants { $($constant:ident),* }
        }
    ) => {
        $crate::record::record! {
            $(#[doc = $doc])*
            $name = $class in $module {
                signature { $signature }
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
                        $crate::record::loads(py, &self.raw.bytes(py))
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

/// The methods of an event whose payload may have to be rebuilt: its class has a method `payload`.
/// `common` are the fields that stand in the object it shares with its neighbours.
macro_rules! predictable {
    ($name:ident = $class:literal in $module:literal {
        plain { $($plain:ident),* }
        common { $($common:ident),* }
        order { $($order:ident),* $(,)? }
        methods { $($methods:tt)* }
    }) => {
        #[allow(clippy::unnecessary_wraps)]
        impl $name {
            $(
                fn $plain(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    Ok(self.$plain.clone_ref(py))
                }
            )*
        }

        $crate::record::surface! {
            $name = $class in $module {
                order { $($order),* }
                methods {
                    $(
                        #[getter]
                        #[allow(clippy::unnecessary_wraps)]
                        fn $common(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                            Ok(self.common.get().$common.clone_ref(py))
                        }
                    )*

                    /// The payload's bytes as received; `b""` for an event that no parser made.
                    #[getter]
                    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                        self.payload(py)
                    }

                    /// `json.loads` of the payload.
                    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                        $crate::record::loads(py, &self.payload(py)?)
                    }

                    $($methods)*
                }
            }
        }
    };
}

pub(crate) use {event, predictable, record, surface};

/// An argument of a constructor, or the field's default.
pub(crate) fn or(py: Python<'_>, arg: Arg, default: fn(Python<'_>) -> Py<PyAny>) -> Py<PyAny> {
    arg.0.unwrap_or_else(|| default(py))
}

/// An argument that may be left out; unlike an `Option` it tells `None` from nothing.
pub(crate) struct Arg(pub(crate) Option<Py<PyAny>>);

impl Arg {
    pub(crate) const fn absent() -> Self {
        Self(None)
    }
}

impl FromPyObject<'_, '_> for Arg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(Some(object.to_owned().unbind())))
    }
}

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
