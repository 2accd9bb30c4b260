//! What every class with fields has, derived from the rows of its table ([`crate::events`]).

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::field::Object;

/// A class of the public surface.
///
/// `@sort` takes the rows off a table one by one and puts them into four lists: fields that are stored as the object
/// itself, fields that are stored in another form, fields of the common object, and all of them in the contract's order.
/// A row in a list is `{docstring} name default {type} {member} {expression}`; a group is empty where the row leaves it
/// out. `$head` is what the rows do not change: attributes, names, the parameters of `of`, `let`, the common object,
/// hidden members, methods.
macro_rules! class {
    (
        @sort $head:tt $plain:tt $stored:tt {$($common:tt)*} {$($all:tt)*}
        $(#[$doc:meta])* @common $field:ident $(: $type:ty)? = $default:tt $(from $member:ident)? $(by $value:expr)?,
        $($rows:tt)*
    ) => {
        $crate::class::class! {
            @sort $head $plain $stored
            {$($common)* {{$(#[$doc])*} $field $default {$($type)?} {$($member)?} {$($value)?}}}
            {$($all)* {$field $default}}
            $($rows)*
        }
    };
    (
        @sort $head:tt $plain:tt {$($stored:tt)*} $common:tt {$($all:tt)*}
        $(#[$doc:meta])* $field:ident: $type:ty = $default:tt $(from $member:ident)? $(by $value:expr)?,
        $($rows:tt)*
    ) => {
        $crate::class::class! {
            @sort $head $plain
            {$($stored)* {{$(#[$doc])*} $field $default {$type} {$($member)?} {$($value)?}}}
            $common
            {$($all)* {$field $default}}
            $($rows)*
        }
    };
    (
        @sort $head:tt {$($plain:tt)*} $stored:tt $common:tt {$($all:tt)*}
        $(#[$doc:meta])* $field:ident = $default:tt $(from $member:ident)? $(by $value:expr)?,
        $($rows:tt)*
    ) => {
        $crate::class::class! {
            @sort $head
            {$($plain)* {{$(#[$doc])*} $field $default {} {$($member)?} {$($value)?}}}
            $stored $common
            {$($all)* {$field $default}}
            $($rows)*
        }
    };

    // All rows are sorted, and neighbours share an object: it becomes a hidden member of the event.
    (
        @sort
        {
            $meta:tt {$name:ident $($class:tt)*} {$py:ident, $value:ident; $($parameter:ident: $parameter_type:ty),*}
            {$(let $local:pat = $local_value:tt;)?} {$Common:ident of $crate_common:ty, $cache:expr}
            {$($hidden:tt)*} $methods:tt
        }
        $plain:tt $stored:tt
        {$({$doc:tt $common:ident $default:tt {$($type:ty)?} $member:tt $common_value:tt})+}
        $all:tt
    ) => {
        #[doc = concat!("What a `", stringify!($name), "` shares with its neighbours.")]
        #[pyclass(frozen)]
        pub(crate) struct $Common {
            $($common: $crate::class::stored_type!($($type)?),)*
            origin: Option<::std::sync::Arc<hangang::Common<$crate_common>>>,
        }

        impl $Common {
            #[allow(unused_variables)]
            #[cold]
            fn of($py: Python<'_>, $($parameter: $parameter_type),*) -> PyResult<Py<Self>> {
                $(let $local = $local_value;)?
                let common = Self {
                    $($common: $crate::class::value!($py $value $common $member $common_value),)*
                    origin: $crate::common::Origin::origin($value.common.arc()),
                };
                let common = Py::new($py, common)?;
                $cache.insert($py, $value.common.arc(), &common);
                Ok(common)
            }

            #[allow(clippy::too_many_arguments)]
            fn given($py: Python<'_>, $($common: $crate::field::Arg),*) -> PyResult<Py<Self>> {
                Py::new($py, Self {
                    $($common: $crate::class::given!($py $name $common $default),)*
                    origin: None,
                })
            }
        }

        $crate::class::class! {
            @sort
            {
                $meta {$name $($class)*} {$py, $value; $($parameter: $parameter_type),*}
                {} {}
                {
                    {
                        {
                            /// One object for neighbours that repeat the same fields, so that folding can skip them.
                            #[pyo3(get, name = "_common")]
                        }
                        common {Py<$Common>}
                        {
                            match $cache.find($py, $value.common.arc()) {
                                Some(common) => common,
                                None => $Common::of($py, $($parameter),*)?,
                            }
                        }
                        {$Common::given($py, $($common),*)?}
                    }
                    $($hidden)*
                }
                $methods
            }
            $plain $stored {$({$doc $common})*} $all
        }
    };
    // A class with plain fields only can be copied.
    (@clone_ref $name:ident {} {} {$($plain:ident)+}) => {
        impl $name {
            #[allow(dead_code, reason = "most classes are never copied")]
            fn clone_ref(&self, py: Python<'_>) -> Self {
                Self { $($plain: self.$plain.clone_ref(py)),+ }
            }
        }
    };
    (@clone_ref $($other:tt)*) => {};

    // All rows are sorted.
    (
        @sort
        {
            {$(#[$meta:meta])*} {$name:ident in $module:literal, $dialect:expr, $kind:expr}
            {$py:ident, $value:ident; $($parameters:tt)*} {} {}
            {$({{$(#[$hidden_meta:meta])*} $hidden:ident {$hidden_type:ty} {$hidden_value:expr} {$hidden_given:expr}})*}
            {$($methods:tt)*}
        }
        {$({{$(#[$plain_doc:meta])*} $plain:ident $plain_default:tt {} $plain_member:tt $plain_value:tt})*}
        {$({{$(#[$stored_doc:meta])*} $stored:ident $stored_default:tt {$type:ty} $stored_member:tt $stored_value:tt})*}
        {$({{$(#[$common_doc:meta])*} $common:ident})*}
        {$({$field:ident $default:tt})*}
    ) => {
        $(#[$meta])*
        #[pyclass(frozen, module = $module)]
        pub(crate) struct $name {
            $($(#[$plain_doc])* #[pyo3(get)] pub(crate) $plain: $crate::field::Object,)*
            $($stored: $type,)*
            $($(#[$hidden_meta])* $hidden: $hidden_type,)*
        }

        #[allow(clippy::unnecessary_wraps)]
        impl $name {
            #[allow(unused_variables)]
            #[inline]
            fn of($py: Python<'_>, $($parameters)*) -> PyResult<Self> {
                Ok(Self {
                    $($hidden: $hidden_value,)*
                    $($plain: $crate::class::value!($py $value $plain $plain_member $plain_value),)*
                    $($stored: $crate::class::value!($py $value $stored $stored_member $stored_value),)*
                })
            }

            $(
                fn $plain(&self, py: Python<'_>) -> PyResult<$crate::field::Object> {
                    Ok(self.$plain.clone_ref(py))
                }
            )*

            fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyTuple>> {
                let fields: Vec<$crate::field::Object> = vec![$(self.$field(py)?),*];
                ::pyo3::types::PyTuple::new(py, fields)
            }
        }

        $crate::class::class! { @clone_ref $name {$($hidden)*} {$($stored)*} {$($plain)*} }

        impl $crate::class::Fields for $name {
            const NAMES: &'static [&'static str] = &[$($crate::class::name!($field)),*];
        }

        // `text_signature = "..."` takes one literal only, and without it PyO3 shows `...` for every default. So this
        // implements the hidden trait that the attribute would implement; if PyO3 changes it, the build fails.
        impl ::pyo3::impl_::pyclass::doc::PyClassNewTextSignature for $name {
            const TEXT_SIGNATURE: &'static str = $crate::class::text_signature!($({$field $default})*);
        }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($field = $crate::field::Arg::ABSENT),*), text_signature = None)]
            #[allow(clippy::too_many_arguments, unused_variables)]
            fn new($py: Python<'_>, $($field: $crate::field::Arg),*) -> PyResult<Self> {
                Ok(Self {
                    $($hidden: $hidden_given,)*
                    $($plain: $crate::class::given!($py $name $plain $plain_default),)*
                    $($stored: $crate::class::given!($py $name $stored $stored_default),)*
                })
            }

            $(
                $(#[$stored_doc])*
                #[getter]
                fn $stored(&self, py: Python<'_>) -> PyResult<$crate::field::Object> {
                    $crate::field::Stored::get(&self.$stored, py, self)
                }
            )*

            $(
                $(#[$common_doc])*
                #[getter]
                fn $common(&self, py: Python<'_>) -> PyResult<$crate::field::Object> {
                    $crate::field::Stored::get(&self.common.get().$common, py, self)
                }
            )*

            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, ::pyo3::types::PyTuple>> {
                ::pyo3::types::PyTuple::new(py, <Self as $crate::class::Fields>::NAMES)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                $crate::class::repr::<Self>(&self.fields(py)?)
            }

            fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<$crate::field::Object> {
                match other.cast_exact::<Self>() {
                    Ok(other) => {
                        let equal = self.fields(py)?.eq(other.get().fields(py)?)?;
                        Ok($crate::field::Literal::object(equal, py))
                    }
                    Err(_) => Ok(py.NotImplemented()),
                }
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                self.fields(py)?.hash()
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyTuple>> {
                $crate::class::reduce::<Self>($crate::class::short($module), self.fields(py)?)
            }

            /// The fields by name, in plain values that `json.dumps` accepts.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyDict>> {
                $crate::class::to_dict::<Self>($dialect, $kind, self.fields(py)?)
            }

            $($methods)*
        }
    };
}

/// The stored value of a row, from the crate's value.
macro_rules! value {
    ($py:ident $value:ident $field:ident {} {}) => {
        $crate::field::FromCrate::from_crate($py, &$value.$field)?
    };
    ($py:ident $value:ident $field:ident {$member:ident} {}) => {
        $crate::field::FromCrate::from_crate($py, &$value.$member)?
    };
    ($py:ident $value:ident $field:ident {} {$by:expr}) => {
        $by
    };
}

/// The type of a row's stored value.
macro_rules! stored_type {
    () => {
        $crate::field::Object
    };
    ($type:ty) => {
        $type
    };
}

/// The stored value of a row, from the constructor's argument of that name.
macro_rules! given {
    ($py:ident $owner:ident $argument:ident $default:tt) => {{
        let value = $argument.or_else(|| $crate::field::default!($py, $default));
        $crate::field::Stored::<$owner>::given($py, value)
    }};
}

/// A field's name in Python: two of them are keywords of Rust.
macro_rules! name {
    (r#type) => {
        "type"
    };
    (r#final) => {
        "final"
    };
    ($field:ident) => {
        stringify!($field)
    };
}

macro_rules! text_signature {
    () => {
        "()"
    };
    ({$first:ident $first_default:tt} $({$field:ident $default:tt})*) => {
        concat!(
            "(", $crate::class::name!($first), "=", stringify!($first_default),
            $(", ", $crate::class::name!($field), "=", stringify!($default),)*
            ")"
        )
    };
}

pub(crate) use {class, given, name, stored_type, text_signature, value};

/// A class with fields, as the functions below see it.
pub(crate) trait Fields: PyClass {
    const NAMES: &'static [&'static str];
}

/// A public module's name within `hangang`.
pub(crate) fn short(module: &'static str) -> &'static str {
    module.strip_prefix("hangang.").unwrap_or(module)
}

pub(crate) fn repr<C: Fields>(fields: &Bound<'_, PyTuple>) -> PyResult<String> {
    let mut text = format!("{}(", C::NAME);
    for (position, (name, field)) in C::NAMES.iter().zip(fields.iter()).enumerate() {
        if position != 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push('=');
        text.push_str(field.repr()?.to_cow()?.as_ref());
    }
    text.push(')');
    Ok(text)
}

/// A pickle names a function, not a class, so that it opens with the other implementation too.
pub(crate) fn reduce<'py, C: Fields>(
    module: &str,
    fields: Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyTuple>> {
    static UNPICKLE: PyOnceLock<Object> = PyOnceLock::new();
    let py = fields.py();
    let unpickle = UNPICKLE.import(py, "hangang._pickle", "unpickle")?;
    PyTuple::new(py, [unpickle.clone(), (module, C::NAME, fields).into_pyobject(py)?.into_any()])
}

/// One implementation serves both backends, so that their dicts are equal by construction.
pub(crate) fn to_dict<'py, C: Fields>(
    dialect: Option<&str>,
    kind: Option<&str>,
    fields: Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyDict>> {
    static TO_DICT: PyOnceLock<Object> = PyOnceLock::new();
    let py = fields.py();
    let names = PyTuple::new(py, C::NAMES)?;
    let dict = TO_DICT.import(py, "hangang._values", "to_dict")?.call1((dialect, kind, names, fields))?;
    Ok(dict.cast_into()?)
}
