//! The dialects: frames to typed events. They stand side by side on [`wire`] and import nothing of each other.

pub mod a2a;
pub mod clova;
pub mod exaone;
pub mod openai;
pub(crate) mod wire;
