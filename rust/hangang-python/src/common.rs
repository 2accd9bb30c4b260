//! What the events of one stream share, as Python objects.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::field::Object;

/// As many as a parser has templates.
const MAX_OBJECTS: usize = 4;

/// The objects for the common fields of a stream's templates, the last made first. Events come in runs, so that one of
/// these almost always is the next event's.
pub(crate) struct Recent<T, P>(Vec<(Arc<hangang::Common<T>>, Py<P>)>);

impl<T, P> Default for Recent<T, P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, P> Recent<T, P> {
    #[inline]
    pub(crate) fn find(&self, py: Python<'_>, common: &Arc<hangang::Common<T>>) -> Option<Py<P>> {
        let (_, object) = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, common))?;
        Some(object.clone_ref(py))
    }

    /// Remembers the object if later events can be predicted from the one that it was made for.
    pub(crate) fn insert(&mut self, py: Python<'_>, common: &Arc<hangang::Common<T>>, object: &Py<P>) {
        if common.is_template() {
            self.0.truncate(MAX_OBJECTS - 1);
            self.0.insert(0, (common.clone(), object.clone_ref(py)));
        }
    }
}

/// The Python object that holds the crate's common fields: predicted payloads are reconstructed from them.
pub(crate) trait Origin: Sized {
    /// Whether events that are not predicted need it too.
    const ALWAYS: bool = false;

    fn origin(common: &Arc<hangang::Common<Self>>) -> Option<Arc<hangang::Common<Self>>> {
        (Self::ALWAYS || common.is_template()).then(|| common.clone())
    }
}

/// The last string of a field that rarely changes from event to event, so that equal strings share one object.
#[derive(Default)]
pub(crate) struct Repeated(Option<(Box<str>, Object)>);

impl Repeated {
    pub(crate) fn text(&mut self, py: Python<'_>, value: &str) -> Object {
        match &self.0 {
            Some((last, object)) if **last == *value => object.clone_ref(py),
            _ => {
                let object = PyString::new(py, value).into_any().unbind();
                self.0 = Some((value.into(), object.clone_ref(py)));
                object
            }
        }
    }

    pub(crate) fn optional(&mut self, py: Python<'_>, value: Option<&str>) -> Object {
        value.map_or_else(|| py.None(), |value| self.text(py, value))
    }
}
