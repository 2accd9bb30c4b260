//! A whole stream at once, for programs that want its answer and not its events one by one.
//!
//! Deltas that differ from the one before in nothing but their text are merged into it, so a plain answer is a handful of
//! events however long it is. Merging never changes what the events fold to: text is joined, counters that count up keep
//! the last value, and deltas with pieces of tool calls or of a refusal are left alone.

use crate::dialect::{Dialect, StreamEvent};
use crate::error::ParseError;
use crate::parser::StreamParser;

/// What [`read_whole`] returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole<E> {
    /// The events, merged; also those before an error. A merged event has no `raw`.
    pub events: Vec<E>,
    /// How many events there were before merging.
    pub count: u64,
    /// What ended the stream early.
    pub error: Option<ParseError>,
}

/// Reads a stream from its first byte to its last, and closes it.
///
/// ```
/// use hangang::{StreamEvent, openai, read_whole};
///
/// let wire = "data: {\"choices\":[{\"delta\":{\"content\":\"한\"}}]}\n\n\
///             data: {\"choices\":[{\"delta\":{\"content\":\"강\"}}]}\n\ndata: [DONE]\n\n";
/// let whole = read_whole(wire.as_bytes(), openai::StreamParser::default());
/// assert_eq!((whole.events.len(), whole.count), (2, 3));
/// assert_eq!(whole.events[0].text(), "한강");
/// assert_eq!(whole.error, None);
/// ```
pub fn read_whole<D: Dialect>(wire: &[u8], mut parser: StreamParser<D>) -> Whole<D::Event<'static>> {
    let mut whole = Whole { events: Vec::new(), count: 0, error: None };
    let mut on_event = |event: D::Event<'_>| {
        whole.count += 1;
        match whole.events.last_mut() {
            Some(last) if D::continues(last, &event) => D::merge(last, &event),
            _ => whole.events.push(event.into_owned()),
        }
    };
    let fed = parser.feed_with(wire, &mut on_event);
    let outcome = fed.and_then(|()| parser.close(&mut on_event));
    whole.error = outcome.err();
    whole
}
