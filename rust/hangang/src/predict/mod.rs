//! Prediction: the fast path for frames that repeat.
//!
//! If a frame is byte-identical to an earlier one except for one string, the event ID and a counter, reuse the earlier
//! parse and read only those.
//!
//! - [`template`]: a learnt frame with holes, and the match of a whole frame in a chunk.
//! - [`in_flight`]: a frame that the end of a chunk cuts, matched piece by piece.
//! - [`common`]: what a predicted event borrows from the frame that taught it, and how its payload is reconstructed.
//! - [`budget`]: why an adversarial stream cannot make prediction expensive.
//!
//! Always true: prediction is exact and raises nothing. Anything that does not fit goes to the full parse, which
//! implements the rules of error ([design §4]).

pub(crate) mod budget;
pub(crate) mod common;
pub(crate) mod in_flight;
pub(crate) mod template;
