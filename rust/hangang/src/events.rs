//! An iterator of events over an iterator of chunks.

use std::collections::VecDeque;
use std::iter::FusedIterator;

use crate::dialect::{Dialect, StreamEvent};
use crate::error::ParseError;
use crate::parser::StreamParser;

/// The events of a stream whose bytes come as `chunks`: `Vec<u8>`, `&[u8]`, `Bytes`, anything that can be read as
/// bytes. The end of the chunks is the end of the stream.
///
/// Events come before the error that stopped the stream, and the error is the last item. A stream that was cut ends with
/// one too, so a loop that handles every item cannot take part of an answer for the whole.
///
/// ```
/// use hangang::openai::{Event, StreamParser};
///
/// let chunks = ["data: {\"choices\":[{\"delta\":{\"content\":\"한", "강\"}}]}\n", "\ndata: [DONE]\n\n"];
/// let mut answer = String::new();
/// for event in hangang::events(chunks, StreamParser::default()) {
///     if let Event::Chunk(chunk) = event? {
///         answer.push_str(&chunk.text);
///     }
/// }
/// assert_eq!(answer, "한강");
/// # Ok::<(), hangang::ParseError>(())
/// ```
pub fn events<D, I>(chunks: I, parser: StreamParser<D>) -> Events<D, I::IntoIter>
where
    D: Dialect,
    I: IntoIterator<Item: AsRef<[u8]>>,
{
    Events { chunks: Some(chunks.into_iter()), parser, ready: VecDeque::new(), error: None }
}

/// The iterator that [`events`] returns.
pub struct Events<D: Dialect, I> {
    /// `None` after the end of the stream or an error.
    chunks: Option<I>,
    parser: StreamParser<D>,
    ready: VecDeque<D::Event<'static>>,
    /// The error that comes after the events that are ready.
    error: Option<ParseError>,
}

impl<D: Dialect, I: Iterator<Item: AsRef<[u8]>>> Events<D, I> {
    /// Feeds the next chunk, or closes the parser after the last; false then.
    fn advance(&mut self, chunks: &mut I) -> Result<bool, ParseError> {
        let Self { parser, ready, .. } = self;
        match chunks.next() {
            Some(chunk) => {
                parser.feed_with(chunk.as_ref(), |event| ready.push_back(event.into_owned()))?;
                Ok(true)
            }
            None => parser.close(|event| ready.push_back(event.into_owned())).map(|()| false),
        }
    }
}

impl<D: Dialect, I: Iterator<Item: AsRef<[u8]>>> Iterator for Events<D, I> {
    type Item = Result<D::Event<'static>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            let mut chunks = self.chunks.take()?;
            match self.advance(&mut chunks) {
                Ok(true) => self.chunks = Some(chunks),
                Ok(false) => {}
                Err(error) => self.error = Some(error),
            }
        }
    }
}

impl<D: Dialect, I: Iterator<Item: AsRef<[u8]>>> FusedIterator for Events<D, I> {}
