//! The Python module `hangang._native`: converts arguments, calls the crate, converts results. No parsing, no policy.

// PyO3 passes the arguments of Python calls by value.
#![allow(clippy::needless_pass_by_value)]
// Fields carry the names of the public contract.
#![allow(clippy::struct_field_names)]
// Documentation of classes and methods is their Python docstring.
#![allow(clippy::doc_markdown)]

use pyo3::prelude::*;

mod a2a;
mod arguments;
mod chunk;
mod class;
mod clova;
mod common;
mod errors;
mod event_id;
mod event_list;
mod events;
mod exaone;
mod field;
mod framing;
mod lazy;
mod openai;
mod panics;
mod parser;
mod payload;
mod service;
mod string_cache;
mod values;
mod whole;

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
    use crate::service::detect;
    #[pymodule_export]
    use crate::values::{AIFilter, Malformed, ToolCallDelta, Usage};
    #[pymodule_export]
    use crate::whole::read_bodies;

    /// `hangang.clova`
    #[pymodule]
    mod clova {
        #[pymodule_export]
        use crate::clova::{Error, Result, Signal, StreamParser, Token, Unknown};
    }

    /// `hangang.exaone`
    #[pymodule]
    mod exaone {
        #[pymodule_export]
        use crate::exaone::{Answer, Error, StreamParser, Unknown};
    }

    /// `hangang.openai`
    #[pymodule]
    mod openai {
        #[pymodule_export]
        use crate::openai::{Choice, Chunk, Done, Error, StreamParser, Unknown};
    }

    /// `hangang.a2a`
    #[pymodule]
    mod a2a {
        #[pymodule_export]
        use crate::a2a::{ArtifactUpdate, Error, Message, StatusUpdate, StreamParser, Task, Unknown};
    }
}
