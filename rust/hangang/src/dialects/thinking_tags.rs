//! Reasoning inside the content: splits it at tags such as `<think>` and `</think>` ([openai §5.4]).
//!
//! Some servers leave the model's tags in the content. Outside, the first whole opening tag begins reasoning; inside, the
//! first whole closing tag ends it; the other tag is text of its state. Both tags vanish, white space around them stays.
//!
//! Always true:
//! - each byte is looked at a bounded number of times (Knuth, Morris and Pratt), however the content is split;
//! - held back is only the longest suffix of the content that is a proper prefix of the tag looked for. So what is held
//!   is known from its length: nothing is copied.
//!
//! What will bite:
//! - where the chat template opens the tag, the answer begins inside the reasoning, but some models repeat the tag. At the
//!   start two tags are looked for ([`State::Start`]): the closing one anywhere, the opening one only with nothing but
//!   white space before it. The tag that ends first wins;
//! - a tag may begin with white space, or one tag with the other.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A pair of tags that is not usable: they are equal, or one is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTags;

impl fmt::Display for InvalidTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("thinking_tags must be two different non-empty strings")
    }
}

impl Error for InvalidTags {}

/// The tags around reasoning inside the content.
#[derive(Clone, Debug)]
pub struct ThinkingTags(Arc<Tags>);

#[derive(Debug)]
struct Tags {
    open: Tag,
    close: Tag,
    /// The answer begins inside the reasoning.
    first: bool,
}

impl ThinkingTags {
    /// An opening and a closing tag. With `first`, every answer begins inside the reasoning: the chat template has
    /// opened the tag already.
    pub fn new(open: &str, close: &str, first: bool) -> Result<Self, InvalidTags> {
        if open.is_empty() || close.is_empty() || open == close {
            return Err(InvalidTags);
        }
        Ok(Self(Arc::new(Tags { open: Tag::new(open), close: Tag::new(close), first })))
    }

    pub(crate) fn splitter(&self) -> Splitter {
        let state = if self.0.first { State::Start(Start::default()) } else { State::Outside(0) };
        Splitter { tags: self.0.clone(), state }
    }
}

/// A tag with its table of borders: for each prefix, the length of the longest proper prefix that is its suffix.
#[derive(Debug)]
struct Tag {
    text: Box<str>,
    borders: Box<[usize]>,
}

impl Tag {
    fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut borders = vec![0; bytes.len()];
        let mut matched = 0;
        for at in 1..bytes.len() {
            while matched > 0 && bytes[at] != bytes[matched] {
                matched = borders[matched - 1];
            }
            matched += usize::from(bytes[at] == bytes[matched]);
            borders[at] = matched;
        }
        Self { text: text.into(), borders: borders.into() }
    }

    const fn len(&self) -> usize {
        self.text.len()
    }

    /// How much of the tag the content ends with after one more byte. `matched` is less than the whole.
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        let bytes = self.text.as_bytes();
        while matched > 0 && bytes[matched] != byte {
            matched = self.borders[matched - 1];
        }
        matched + usize::from(bytes[matched] == byte)
    }
}

/// Where the content of one choice is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Outside, and the content ends with this much of the opening tag.
    Outside(usize),
    /// Inside, and it ends with this much of the closing tag.
    Inside(usize),
    /// Inside, and an opening tag here would vanish too.
    Start(Start),
}

#[derive(Clone, Copy, Debug, Default)]
struct Start {
    /// How much of each tag the content ends with.
    open: usize,
    close: usize,
    /// Bytes of the content, and the white space that it begins with.
    length: usize,
    blank: usize,
}

/// What a piece of content completes.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) text: String,
    pub(crate) thinking: String,
}

impl Split {
    fn push(&mut self, is_thinking: bool, content: &str) {
        let side = if is_thinking { &mut self.thinking } else { &mut self.text };
        side.push_str(content);
    }
}

/// The content of one choice.
#[derive(Clone, Debug)]
pub(crate) struct Splitter {
    tags: Arc<Tags>,
    state: State,
}

impl Splitter {
    /// The next piece of content.
    pub(crate) fn push(&mut self, mut piece: &str, split: &mut Split) {
        while !piece.is_empty() {
            let taken = match self.state {
                State::Outside(_) | State::Inside(_) => self.push_in_state(piece, split),
                State::Start(start) => self.push_at_start(start, piece, split),
            };
            piece = &piece[taken..];
        }
    }

    /// Everything that is held back, in its state.
    pub(crate) fn flush(&mut self, split: &mut Split) {
        let tags = self.tags.clone();
        let (is_thinking, held) = match self.state {
            State::Outside(matched) => (false, &tags.open.text[..matched]),
            State::Inside(matched) => (true, &tags.close.text[..matched]),
            State::Start(start) => (true, start.held(&tags)),
        };
        split.push(is_thinking, held);
        self.state = match self.state {
            State::Outside(_) => State::Outside(0),
            State::Start(_) if held.bytes().all(is_space) => State::Start(Start::default()),
            State::Inside(_) | State::Start(_) => State::Inside(0),
        };
    }

    /// Takes bytes up to the next tag, or all.
    fn push_in_state(&mut self, piece: &str, split: &mut Split) -> usize {
        let tags = self.tags.clone();
        let (is_thinking, tag, held) = match self.state {
            State::Outside(matched) => (false, &tags.open, matched),
            State::Inside(matched) => (true, &tags.close, matched),
            State::Start(_) => return 0,
        };
        let mut matched = held;
        for (at, byte) in piece.bytes().enumerate() {
            matched = tag.step(matched, byte);
            if matched == tag.len() {
                let taken = at + 1;
                emit(&tag.text[..held], &piece[..taken], matched, is_thinking, split);
                self.state = if is_thinking { State::Outside(0) } else { State::Inside(0) };
                return taken;
            }
        }
        emit(&tag.text[..held], piece, matched, is_thinking, split);
        self.state = if is_thinking { State::Inside(matched) } else { State::Outside(matched) };
        piece.len()
    }

    /// The same at the start, where two tags are looked for, up to the byte that decides.
    fn push_at_start(&mut self, mut start: Start, piece: &str, split: &mut Split) -> usize {
        let tags = self.tags.clone();
        let before = start;
        let held = before.held(&tags);
        // Whole characters: a candidate may end in the middle of one, and content is not cut there.
        for (at, character) in piece.char_indices() {
            let taken = at + character.len_utf8();
            for byte in piece[at..taken].bytes() {
                start.blank += usize::from(start.blank == start.length && is_space(byte));
                start.length += 1;
                start.open = tags.open.step(start.open, byte);
                start.close = tags.close.step(start.close, byte);
            }
            // The longest candidate has the earliest start: if that is after the white space, all are.
            let may_open = start.length - start.open <= start.blank;
            if may_open && start.open == tags.open.len() {
                emit(held, &piece[..taken], start.open, true, split);
                self.state = State::Inside(0);
                return taken;
            }
            if start.close == tags.close.len() {
                emit(held, &piece[..taken], start.close, true, split);
                self.state = State::Outside(0);
                return taken;
            }
            if !may_open {
                // The start is over. A closing tag may have begun in what is held.
                emit(held, &piece[..taken], start.close, true, split);
                self.state = State::Inside(start.close);
                return taken;
            }
        }
        emit(held, piece, start.open.max(start.close), true, split);
        self.state = State::Start(start);
        piece.len()
    }
}

impl Start {
    /// What is held back: a prefix of the tag of which more was seen.
    fn held(self, tags: &Tags) -> &str {
        if self.open > self.close { &tags.open.text[..self.open] } else { &tags.close.text[..self.close] }
    }
}

/// Delivers what was held and the piece, but for the last `kept` bytes of the two.
fn emit(held: &str, piece: &str, kept: usize, is_thinking: bool, split: &mut Split) {
    let length = held.len() + piece.len() - kept;
    if length < held.len() {
        split.push(is_thinking, &held[..length]);
    } else {
        split.push(is_thinking, held);
        split.push(is_thinking, &piece[..length - held.len()]);
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
