//! The Python module `hangang._native`: converts, calls the crate, converts back.

// Arguments of Python calls are extracted values: PyO3 hands them over.
#![allow(clippy::needless_pass_by_value)]
// Fields carry the names of the public contract.
#![allow(clippy::struct_field_names)]

use pyo3::prelude::*;

mod a2a;
mod clova;
mod errors;
mod exaone;
mod framing;
mod openai;
mod parser;
mod record;
mod shared;
mod string_cache;

/// The native implementation of hangang's parsers and events: one submodule a dialect, with the names of its
/// public module.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use crate::framing::{JSONStreamParser, SSEParser, ServerSentEvent};
    #[pymodule_export]
    use crate::shared::{AIFilter, Malformed, ToolCallDelta, Usage};

    /// `hangang.clova`
    #[pymodule]
    mod clova {
        #[pymodule_export]
        use crate::clova::{
            ClovaError, ClovaResult, ClovaSignal, ClovaStreamParser, ClovaToken, ClovaUnknown,
        };
    }

    /// `hangang.exaone`
    #[pymodule]
    mod exaone {
        #[pymodule_export]
        use crate::exaone::{ExaoneAnswer, ExaoneError, ExaoneStreamParser, ExaoneUnknown};
    }

    /// `hangang.openai`
    #[pymodule]
    mod openai {
        #[pymodule_export]
        use crate::openai::{
            OpenAIChoice, OpenAIChunk, OpenAIDone, OpenAIError, OpenAIStreamParser, OpenAIUnknown,
        };
    }

    /// `hangang.a2a`
    #[pymodule]
    mod a2a {
        #[pymodule_export]
        use crate::a2a::{
            A2AArtifactUpdate, A2AError, A2AMessage, A2AStatusUpdate, A2AStreamParser, A2ATask, A2AUnknown,
        };
    }
}
