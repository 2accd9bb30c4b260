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
                $(, let $local:pat = $local_value:tt)?
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
        $crate::class::class! {
            @sort
            {
                $meta
                {$name in $module, Some($crate::class::short($module)), Some(stringify!($name))}
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
        $($methods:tt)*
    ) => {
        $crate::events::value_class! {
            in $module as ($py, $value,);
            $(#[$meta])* $name of $source $(, kind $kind)? { $($rows)* } $($methods)*
        }

        impl $crate::field::FromCrate<$source> for $crate::field::Object {
            fn from_crate(py: Python<'_>, value: &$source) -> PyResult<Self> {
                Ok(Py::new(py, $name::of(py, value)?)?.into_any())
            }
        }
    };
    (
        in $module:literal as ($py:ident, $value:ident, $($parameter:ident: $parameter_type:ty)?);
        $(#[$meta:meta])*
        $name:ident of $source:ty $(, kind $kind:literal)?
        { $($rows:tt)* }
        $(methods { $($methods:tt)* })?
    ) => {
        $crate::class::class! {
            @sort
            {
                {$(#[$meta])*}
                {$name in $module, None, None$(.or(Some($kind)))?}
                {$py, $value; $value: &$source $(, $parameter: $parameter_type)?}
                {}
                {}
                {}
                {$($($methods)*)?}
            }
            {} {} {} {}
            $($rows)*
        }
    };
}

pub(crate) use {events, value_class};
