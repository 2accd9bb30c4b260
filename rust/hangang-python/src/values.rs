//! Values that the events of several dialects hold.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::exception;
use crate::events::value_class;
use crate::field::{FromCrate, Object};
use crate::payload::loads;

value_class! {
    in "hangang" as (py, call);

    /// A piece of a tool call.
    ///
    /// A CLOVA delta with neither `id` nor `index` continues the call opened last.
    ToolCallDelta of hangang::ToolCallDelta {
        /// Which call the piece belongs to; None where the service sends no index (CLOVA).
        index = None,
        /// The call's id, usually in its first piece only.
        id = None,
        /// `function`.
        r#type = None from kind,
        /// The function's name, usually in the call's first piece only.
        name = None,
        /// The next fragment of the arguments' JSON text (CLOVA).
        partial_json = None,
        /// JSON text: the whole arguments (CLOVA's result, one-shot answers), or the next fragment (OpenAI-compatible).
        arguments = None,
    }
}

value_class! {
    in "hangang" as (py, usage);

    /// Token counts as the service reports them. Totals need not add up.
    Usage of hangang::Usage {
        /// Tokens of the prompt.
        prompt_tokens = None,
        /// Tokens of the answer, reasoning included.
        completion_tokens = None,
        /// The total as the service states it.
        total_tokens = None,
        /// Tokens of the reasoning.
        thinking_tokens = None,
    }
}

value_class! {
    in "hangang" as (py, filter);

    /// One entry of CLOVA's AI filter.
    AIFilter of hangang::AiFilter {
        /// `curse` or `unsafeContents`.
        group_name = None,
        /// `discrimination`, `insult` or `sexualHarassment`.
        name = None,
        /// `"-1"` to `"2"`, a string.
        score = None,
        /// `OK` or `ERROR`; often None.
        result = None,
    }
}

value_class! {
    in "hangang" as (py, malformed);

    /// A frame that was delimited but is not valid, with `errors="report"`.
    Malformed of hangang::Malformed<'_>, kind "Malformed" {
        /// The frame's bytes.
        raw = b"" by PyBytes::new(py, &malformed.raw).into_any().unbind(),
        /// The ParseError that `errors="strict"` would have raised.
        error = None by exception(py, &malformed.error, None, None)?.unbind(),
    }
    methods {
        /// Always `""`: events of this kind have none.
        #[classattr]
        fn text() -> &'static str {
            ""
        }

        /// Always `""`: events of this kind have none.
        #[classattr]
        fn thinking() -> &'static str {
            ""
        }

        /// `json.loads` of the strictly decoded payload; raises ValueError if it is not JSON.
        fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            loads(self.raw.bind(py))
        }
    }
}

pub(crate) fn malformed<'py>(
    py: Python<'py>,
    malformed: &hangang::Malformed<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(Object::from_crate(py, malformed)?.into_bound(py))
}
