//! The lists that `feed` returns.
//!
//! On a live stream almost every call completes one event, and most callers drop the list before the next call. Making
//! and freeing it would be an eighth of the call, so a list of one event is returned again once nobody else has it, as
//! CPython's `zip` does with its tuples.
//!
//! What will bite:
//! - a caller may have changed the list, so it is used again only with its one place;
//! - the list holds the last event, and whatever a caller has put in its place, until the next event or `close`. That
//!   may be the parser itself: parsers take part in garbage collection for this reason only;
//! - a count of references is exact with the GIL only. The stable ABI of the default build requires it; in other builds
//!   every call makes a list.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::field::Object;

const IS_COUNT_EXACT: bool = cfg!(feature = "abi3");

/// Most events for which room is retained between calls.
const MAX_RETAINED_CAPACITY: usize = 1024;

/// The last list of one event.
#[derive(Default)]
pub(crate) struct LastList(Option<Py<PyList>>);

impl LastList {
    /// A list of `events`, which are drained.
    #[inline]
    pub(crate) fn list<'py>(
        &mut self,
        py: Python<'py>,
        events: &mut Vec<Object>,
    ) -> PyResult<Bound<'py, PyList>> {
        if !IS_COUNT_EXACT || events.len() != 1 {
            return list(py, events);
        }
        let last = self.get().map(|last| last.bind(py));
        if let Some(last) = last.filter(|last| is_ours_alone(last) && last.len() == 1) {
            last.set_item(0, events.pop())?;
            return Ok(last.clone());
        }
        let new = list(py, events)?;
        self.0 = Some(new.clone().unbind());
        Ok(new)
    }

    pub(crate) const fn get(&self) -> Option<&Py<PyList>> {
        self.0.as_ref()
    }

    /// Lets go of the list and of its event.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

#[expect(deprecated, reason = "what PyO3 offers instead needs code that the compiler cannot check")]
fn is_ours_alone(list: &Bound<'_, PyList>) -> bool {
    list.get_refcnt() == 1
}

/// A new list of `events`, which are drained.
pub(crate) fn list<'py>(py: Python<'py>, events: &mut Vec<Object>) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::new(py, events.drain(..))?;
    events.shrink_to(MAX_RETAINED_CAPACITY);
    Ok(list)
}
