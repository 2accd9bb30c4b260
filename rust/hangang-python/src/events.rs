//! The tables in which event and value classes are declared.
//!
//! A row is a field of the public contract, in the contract's order:
//!
//! ```text
//! /// The attribute's docstring.
//! [@common] name [: Stored] = default [from member] [by expression],
//! ```
//!
//! - `@common`: the field is kept in the object that an event shares with its neighbours;
//! - `Stored`: the type that stores the field, where that is not the Python object itself ([`crate::field::Stored`]);
//! - `default`: the constructor's default, in the syntax that Rust and Python share;
//! - `from`, `by`: where the value comes from, if not from the member of the same name of the crate's type: from another
//!   member, or from an expression over the names that the table lists after `as`.
//!
//! Everything else follows from the row: the struct's member, the constructor's argument and its text signature, the
//! getter, `__match_args__`, `repr`, `==`, `hash`, pickles, `to_dict()`, and the conversion of the crate's value.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::field::Object;

/// The events of a dialect.
///
/// `of` names the crate's type. `let` binds a value that several rows use. `common` names the class of the object that
/// neighbours share. `without` lists the attributes of every event for which this kind has no field.
///
/// An event with a common object may have been predicted; it brings a method `payload` of its own.
macro_rules! events {
    (
        in $module:literal as $context:tt;
        $(
            $(#[$meta:meta])*
            $name:ident of $source:ty
                $(, let $local:ident = $local_value:tt)?
                $(, common $common:ident of $crate_common:ty)?
                $(, without $($without:ident)+)?
            { $($rows:tt)* }
        )*
    ) => {
        $(
            $crate::events::events! {
                @event $context {$(let $local = $local_value;)?} {$($common of $crate_common)?}
                {$($($without)+)?} {$(#[$meta])*} $name in $module of {$source} {$($rows)*}
            }
        )*
    };
    (
        @event ($py:ident, $event:ident, $cache:ident, $strings:ident) $local:tt {}
        $without:tt $meta:tt $name:ident $($rest:tt)*
    ) => {
        impl $name {
            fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyBytes>> {
                Ok(::pyo3::types::PyBytes::new(py, &self.payload))
            }
        }

        $crate::events::events! {
            @class ($py, $event, $cache, $strings) $local {}
            {{{} payload {Box<[u8]>} {(*$event.raw).into()} {Default::default()}}}
            $without $meta $name $($rest)*
        }
    };
    (
        @event ($py:ident, $event:ident, $cache:ident, $strings:ident) $local:tt
        {$common:ident of $crate_common:ty} $($rest:tt)*
    ) => {
        $crate::events::events! {
            @class ($py, $event, $cache, $strings) $local {$common of $crate_common, $cache.common}
            {{{} payload {$crate::payload::Payload} {$crate::payload::Payload::of(&$event.payload)} {Default::default()}}}
            $($rest)*
        }
    };
    (
        @class ($py:ident, $event:ident, $cache:ident, $strings:ident) $local:tt $common:tt $hidden:tt
        {$($without:ident)*} $meta:tt $name:ident in $module:literal of {$source:ty} {$($rows:tt)*}
    ) => {
        $crate::events::class! {
            @sort
            {
                $meta
                {$name in $module, Some($crate::events::short($module)), Some(stringify!($name))}
                {$py, $event; $event: &$source, $cache: &mut Cache, $strings: &mut $crate::string_cache::StringCache}
                $local
                $common
                $hidden
                {
                    /// The payload's bytes as received, `data` lines joined by LF; `b""` if no parser made the event.
                    #[getter]
                    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyBytes>> {
                        self.payload(py)
                    }

                    /// `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
                    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                        $crate::payload::loads(self.payload(py)?.as_any())
                    }

                    $(
                        /// Always `""`: events of this kind have none.
                        #[classattr]
                        fn $without() -> &'static str {
                            ""
                        }
                    )*
                }
            }
            {} {} {} {}
            $($rows)*
        }
    };
}

/// A value that no payload belongs to. `kind` is what its dict says, `methods` what it has besides its fields.
macro_rules! value_class {
    (
        in $module:literal as ($py:ident, $value:ident);
        $(#[$meta:meta])*
        $name:ident of $source:ty $(, kind $kind:literal)?
        { $($rows:tt)* }
        $(methods { $($methods:tt)* })?
    ) => {
        $crate::events::class! {
            @sort
            {
                {$(#[$meta])*}
                {$name in $module, None, None$(.or(Some($kind)))?}
                {$py, $value; $value: &$source}
                {}
                {}
                {}
                {$($($methods)*)?}
            }
            {} {} {} {}
            $($rows)*
        }

        impl $crate::field::FromCrate<$source> for $crate::field::Object {
            fn from_crate(py: Python<'_>, value: &$source) -> PyResult<Self> {
                Ok(Py::new(py, $name::of(py, value)?)?.into_any())
            }
        }
    };
}

/// A class of the public surface.
///
/// `@sort` puts the rows of a table into four lists: fields that are stored as the object itself, fields that are stored
/// in another form, fields of the common object, and all of them in the contract's order.
macro_rules! class {
    (
        @sort $head:tt $plain:tt $stored:tt {$($common:tt)*} {$($all:tt)*}
        $(#[$doc:meta])* @common $field:ident $(: $type:ty)? = $default:tt $(from $member:ident)? $(by $value:expr)?,
        $($rows:tt)*
    ) => {
        $crate::events::class! {
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
        $crate::events::class! {
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
        $crate::events::class! {
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
            {$(let $local:ident = $local_value:tt;)?} {$Common:ident of $crate_common:ty, $cache:expr}
            {$($hidden:tt)*} $methods:tt
        }
        $plain:tt $stored:tt
        {$({$doc:tt $common:ident $default:tt {$($type:ty)?} $member:tt $common_value:tt})+}
        $all:tt
    ) => {
        #[doc = concat!("What a `", stringify!($name), "` shares with its neighbours.")]
        #[pyclass(frozen)]
        pub(crate) struct $Common {
            $($common: $crate::events::stored_type!($($type)?),)*
            origin: Option<::std::sync::Arc<hangang::Common<$crate_common>>>,
        }

        impl $Common {
            #[allow(unused_variables)]
            #[cold]
            fn of($py: Python<'_>, $($parameter: $parameter_type),*) -> PyResult<Py<Self>> {
                $(let $local = $local_value;)?
                let common = Self {
                    $($common: $crate::events::value!($py $value $common $member $common_value),)*
                    origin: $crate::common::Origin::origin($value.common.arc()),
                };
                let common = Py::new($py, common)?;
                $cache.insert($py, $value.common.arc(), &common);
                Ok(common)
            }

            #[allow(clippy::too_many_arguments)]
            fn given($py: Python<'_>, $($common: $crate::field::Arg),*) -> PyResult<Py<Self>> {
                Py::new($py, Self {
                    $($common: $crate::events::given!($py $name $common $default),)*
                    origin: None,
                })
            }
        }

        $crate::events::class! {
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
                    $($plain: $crate::events::value!($py $value $plain $plain_member $plain_value),)*
                    $($stored: $crate::events::value!($py $value $stored $stored_member $stored_value),)*
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

        $crate::events::class! { @clone_ref $name {$($hidden)*} {$($stored)*} {$($plain)*} }

        impl $crate::events::Fields for $name {
            const NAMES: &'static [&'static str] = &[$($crate::events::name!($field)),*];
        }

        // PyO3 takes the text signature as one literal only, and shows `...` for defaults that are not literals. This
        // trait is what `text_signature = "..."` would implement.
        impl ::pyo3::impl_::pyclass::doc::PyClassNewTextSignature for $name {
            const TEXT_SIGNATURE: &'static str = $crate::events::text_signature!($({$field $default})*);
        }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($field = $crate::field::Arg::ABSENT),*), text_signature = None)]
            #[allow(clippy::too_many_arguments, unused_variables)]
            fn new($py: Python<'_>, $($field: $crate::field::Arg),*) -> PyResult<Self> {
                Ok(Self {
                    $($hidden: $hidden_given,)*
                    $($plain: $crate::events::given!($py $name $plain $plain_default),)*
                    $($stored: $crate::events::given!($py $name $stored $stored_default),)*
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
                ::pyo3::types::PyTuple::new(py, <Self as $crate::events::Fields>::NAMES)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                $crate::events::repr::<Self>(&self.fields(py)?)
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
                $crate::events::reduce::<Self>($crate::events::short($module), self.fields(py)?)
            }

            /// The fields by name, in plain values that `json.dumps` accepts.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ::pyo3::types::PyDict>> {
                $crate::events::to_dict::<Self>($dialect, $kind, self.fields(py)?)
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
            "(", $crate::events::name!($first), "=", stringify!($first_default),
            $(", ", $crate::events::name!($field), "=", stringify!($default),)*
            ")"
        )
    };
}

pub(crate) use {class, events, given, name, stored_type, text_signature, value, value_class};

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
    static RESTORE: PyOnceLock<Object> = PyOnceLock::new();
    let py = fields.py();
    let restore = RESTORE.import(py, "hangang._backend", "restore")?;
    PyTuple::new(py, [restore.clone(), (module, C::NAME, fields).into_pyobject(py)?.into_any()])
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
