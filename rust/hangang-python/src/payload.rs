//! The payload of an event: its own bytes, or what is needed to reconstruct them from the template that predicted it.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

use crate::field::Object;

/// The payload of an event that may have been predicted.
pub(crate) enum Payload {
    Received(Box<[u8]>),
    /// The string as received, where it has escapes. Without escapes it equals the event's text and is not kept twice.
    Predicted(Option<Box<[u8]>>),
}

impl Default for Payload {
    fn default() -> Self {
        Self::Received(Box::default())
    }
}

impl Payload {
    #[inline]
    pub(crate) fn of(payload: &hangang::Payload<'_>) -> Self {
        match payload {
            hangang::Payload::Received(bytes) => Self::Received((**bytes).into()),
            hangang::Payload::Predicted { string } => Self::Predicted(string.as_deref().map(Into::into)),
        }
    }

    /// The payload's bytes.
    ///
    /// `origin` is what the event shares with its template, `text` its string, `counter` its counter.
    pub(crate) fn bytes<'py, T>(
        &self,
        origin: Option<&hangang::Common<T>>,
        text: &Bound<'py, PyAny>,
        counter: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = text.py();
        Ok(match (self, origin) {
            (Self::Received(bytes), _) => PyBytes::new(py, bytes),
            (Self::Predicted(string), Some(origin)) => {
                let payload = hangang::Payload::Predicted { string: string.as_deref().map(Cow::Borrowed) };
                PyBytes::new(py, &payload.bytes(origin, text.cast::<PyString>()?.to_cow()?.as_ref(), counter))
            }
            (Self::Predicted(_), None) => PyBytes::new(py, b""),
        })
    }
}

/// `json.loads` of a payload, strictly decoded.
pub(crate) fn loads<'py>(payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Object> = PyOnceLock::new();
    let text = payload.call_method1("decode", ("utf-8",))?;
    LOADS.import(payload.py(), "json", "loads")?.call1((text,))
}
