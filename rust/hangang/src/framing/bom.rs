//! The byte order mark that may open a stream: EF BB BF at offset 0.
//!
//! It may be cut by chunks, and an empty chunk may come before it. Bytes that begin like one and then differ belong
//! to the stream; the caller decides what they mean there. No other module has the mark's bytes.

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The matcher at the start of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bom {
    /// How many of its bytes were seen.
    matched: u8,
    /// Whether it was skipped, or the stream began with something else.
    done: bool,
}

/// What the matcher found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BomState {
    /// The chunk ended before this could be decided.
    Incomplete,
    /// The stream continues at the position, after a mark or without one.
    Done,
    /// These bytes were taken, and they are not a mark.
    NotABom(&'static [u8]),
}

impl Bom {
    pub(crate) const START: Self = Self { matched: 0, done: false };
    /// For a stream whose start was read elsewhere.
    pub(crate) const DONE: Self = Self { matched: 0, done: true };

    pub(crate) const fn is_done(self) -> bool {
        self.done
    }

    /// Bytes held of a mark that is not complete.
    pub(crate) const fn held(self) -> usize {
        if self.done { 0 } else { self.matched as usize }
    }

    /// Goes to the first byte after the mark.
    pub(crate) fn skip(&mut self, chunk: &[u8], position: &mut usize) -> BomState {
        while !self.done {
            let Some(&byte) = chunk.get(*position) else { return BomState::Incomplete };
            let matched = usize::from(self.matched);
            if byte == BOM[matched] {
                *position += 1;
                self.matched += 1;
                self.done = matched + 1 == BOM.len();
            } else {
                self.done = true;
                if matched > 0 {
                    return BomState::NotABom(&BOM[..matched]);
                }
            }
        }
        BomState::Done
    }
}
