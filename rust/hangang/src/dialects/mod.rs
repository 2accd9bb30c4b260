//! The dialects: frames to typed events. They are side by side on [`wire`] and import nothing of each other.

pub mod a2a;
pub mod clova;
pub(crate) mod debug;
pub mod exaone;
pub mod openai;
pub(crate) mod thinking_tags;
pub(crate) mod wire;
