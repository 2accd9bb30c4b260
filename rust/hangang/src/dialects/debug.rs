//! `Debug` for events: the fields that are set, the common ones among them, and bytes as text.
//!
//! A derived `Debug` would print every `None`, the counted objects inside and payloads as lists of numbers. These
//! events are printed when somebody looks for a mistake in a stream: they have to fit a line. The payload of an event
//! that can be predicted is left out, as [`StreamEvent::raw`](crate::StreamEvent::raw) would have to reconstruct it.

use std::borrow::Cow;
use std::fmt;

use crate::framing::event_id::EventId;

/// A field that may be left out.
pub(crate) trait DebugField {
    /// Whether it has the value that it has where the wire says nothing.
    fn is_unset(&self) -> bool;
    fn value(&self) -> &dyn fmt::Debug;
}

macro_rules! by_length {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> DebugField for $type {
            fn is_unset(&self) -> bool {
                self.is_empty()
            }

            fn value(&self) -> &dyn fmt::Debug {
                self
            }
        }
    )*};
}

by_length!([] Cow<'_, str>, [] Box<str>, [] String, [T: fmt::Debug] Box<[T]>);

impl<T: fmt::Debug> DebugField for Option<T> {
    fn is_unset(&self) -> bool {
        self.is_none()
    }

    fn value(&self) -> &dyn fmt::Debug {
        match self {
            Some(value) => value,
            None => self,
        }
    }
}

impl DebugField for bool {
    fn is_unset(&self) -> bool {
        !self
    }

    fn value(&self) -> &dyn fmt::Debug {
        self
    }
}

impl DebugField for EventId<'_> {
    fn is_unset(&self) -> bool {
        self.as_bytes().is_empty()
    }

    fn value(&self) -> &dyn fmt::Debug {
        self
    }
}

impl DebugField for i64 {
    fn is_unset(&self) -> bool {
        false
    }

    fn value(&self) -> &dyn fmt::Debug {
        self
    }
}

/// Implements `Debug` by a list of fields, in their order. `bytes` names the field of raw bytes.
macro_rules! debug_fields {
    ($($type:ty = $name:literal { $($field:ident),* $(; bytes $bytes:ident)? })*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut fields = f.debug_struct($name);
                $(
                    if !$crate::dialects::debug::DebugField::is_unset(&self.$field) {
                        let value = $crate::dialects::debug::DebugField::value(&self.$field);
                        fields.field(stringify!($field), value);
                    }
                )*
                $(
                    if !self.$bytes.is_empty() {
                        fields.field(stringify!($bytes), &String::from_utf8_lossy(&self.$bytes));
                    }
                )?
                fields.finish()
            }
        }
    )*};
}
pub(crate) use debug_fields;
