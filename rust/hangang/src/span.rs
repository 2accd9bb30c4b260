//! Places in bytes.

/// A run of bytes, from `start` to just before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(crate) const fn len(self) -> usize {
        self.end - self.start
    }

    /// The bytes there.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }

    /// The same run where its bytes begin `by` later.
    pub(crate) const fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }

    /// The same run, counted from `origin`.
    pub(crate) const fn relative_to(self, origin: usize) -> Self {
        Self { start: self.start - origin, end: self.end - origin }
    }
}

/// The bytes of a whole frame, where they lie together and could become a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameLayout<'f> {
    pub(crate) bytes: &'f [u8],
    /// Where the payload begins.
    pub(crate) payload: usize,
    /// The value of the frame's only `id:` line.
    pub(crate) id: Option<Span>,
}
