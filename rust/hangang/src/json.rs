//! RFC 8259 in one pass: the cursor validates every byte that it walks over and hands out what a dialect asks for.
//!
//! Always true:
//! - an error is at the first byte at which the text stops being a prefix of any JSON text; a text that is too short
//!   has its error at its end ([design §4] rule 2);
//! - UTF-8 is checked before the cursor walks ([`utf8_text`]). Of two errors the smaller position wins, UTF-8 at a tie;
//! - a string is handed out as its span and decoded on demand; a lone surrogate escape becomes U+FFFD;
//! - [`Cursor::skip`] keeps its own stack of brackets: no nesting that a peer sends can exhaust the machine's stack.
//!
//! What will bite:
//! - every callback must walk over exactly one value. One that returns without doing so leaves the cursor in the middle;
//! - [`plain_end`] looks at eight bytes at once. A borrow can mark bytes above a true stop, so only the lowest mark
//!   counts, which is why the words are read as little-endian.

use std::borrow::Cow;

use crate::error::{ErrorKind, Expected, FrameError};
use crate::span::Span;

/// White space of JSON, also between bare values.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Which kind of value begins at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// The inside of a string: the span between its quotes, in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StringSpan {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

impl StringSpan {
    pub(crate) fn decode(self, text: &str) -> Cow<'_, str> {
        let inside = &text[self.start..self.end];
        if self.escaped { Cow::Owned(unescape(inside)) } else { Cow::Borrowed(inside) }
    }
}

/// A decoded string and where its inside is in the payload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text<'a> {
    pub(crate) value: Cow<'a, str>,
    pub(crate) span: Option<StringSpan>,
}

/// Open brackets, one bit each, so that depth costs memory only where it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brackets {
    depth: usize,
    top: u64,
    below: Vec<u64>,
}

impl Brackets {
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn push(&mut self, is_object: bool) {
        if self.depth != 0 && self.depth % 64 == 0 {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(is_object);
        self.depth += 1;
    }

    /// Whether the innermost open bracket is a brace; meaningless at depth 0.
    pub(crate) const fn in_object(&self) -> bool {
        self.top & 1 == 1
    }

    pub(crate) fn pop(&mut self) {
        self.depth -= 1;
        if self.depth != 0 && self.depth % 64 == 0 {
            self.top = self.below.pop().unwrap_or(0);
        } else {
            self.top >>= 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.depth = 0;
        self.below.clear();
    }
}

/// Walks over the object at the cursor, one arm a member. Each arm must walk over its value; members without an arm are
/// skipped. Of duplicate names the last wins, as its arm runs last. `else` takes the names that no arm has.
macro_rules! members {
    ($cursor:ident { $($name:pat $(if $guard:expr)? => $read:expr,)* }) => {
        members!($cursor { $($name $(if $guard)? => $read,)* } else _other => $cursor.skip()?)
    };
    ($cursor:ident { $($name:pat $(if $guard:expr)? => $read:expr,)* } else $other:ident => $rest:expr) => {
        $cursor.object(|$cursor, name| {
            match name {
                $($name $(if $guard)? => $read,)*
                $other => $rest,
            }
            Ok(())
        })
    };
}
pub(crate) use members;

/// Walks over one JSON text and checks it on the way.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
    max_depth: usize,
}

type Walk<T> = Result<T, FrameError>;

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str, max_depth: usize) -> Self {
        Self { text, position: 0, depth: 0, max_depth }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn fail<T>(&self, expected: Expected) -> Walk<T> {
        Err(FrameError::json(expected, self.peek(), self.position))
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.position += 1;
        }
    }

    /// Enters the container at the cursor. False if it is empty: then the cursor is after it.
    #[inline]
    fn open(&mut self, bracket: u8) -> Walk<bool> {
        if self.depth == self.max_depth {
            return Err(FrameError {
                kind: ErrorKind::TooDeep { limit: self.max_depth },
                position: self.position,
            });
        }
        self.depth += 1;
        self.position += 1;
        self.skip_space();
        Ok(!self.close(bracket))
    }

    /// Leaves the container if the cursor is at its end.
    #[inline]
    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        if closes {
            self.position += 1;
            self.depth -= 1;
        }
        closes
    }

    /// After a value of a container: true if another follows, false if the container was closed.
    #[inline]
    fn step(&mut self, bracket: u8) -> Walk<bool> {
        self.skip_space();
        if self.peek() == Some(b',') {
            self.position += 1;
            return Ok(true);
        }
        if self.close(bracket) {
            return Ok(false);
        }
        let is_object = bracket == b'}';
        self.fail(if is_object { Expected::CommaOrEndOfObject } else { Expected::CommaOrEndOfArray })
    }

    /// A member's name and its colon.
    #[inline]
    fn name(&mut self, expected: Expected) -> Walk<StringSpan> {
        if self.peek() != Some(b'"') {
            return self.fail(expected);
        }
        let name = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.fail(Expected::Colon);
        }
        self.position += 1;
        Ok(name)
    }

    /// The kind of the value at the cursor, with the cursor on its first byte.
    pub(crate) fn kind(&mut self) -> Walk<Kind> {
        self.kind_or(Expected::Value)
    }

    fn kind_or(&mut self, expected: Expected) -> Walk<Kind> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => self.fail(expected),
        }
    }

    /// Walks over the object at the cursor; `member` gets each name and must walk over its value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Walk<()>) -> Walk<()> {
        let mut more = self.open(b'}')?;
        let mut expected = Expected::KeyOrEndOfObject;
        while more {
            let name = self.name(expected)?;
            let text = self.text;
            member(self, &name.decode(text))?;
            more = self.step(b'}')?;
            if more {
                self.skip_space();
                expected = Expected::Key;
            }
        }
        Ok(())
    }

    /// Walks over the array at the cursor; `element` must walk over one value, whose kind it gets.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self, Kind) -> Walk<()>) -> Walk<()> {
        let mut more = self.open(b']')?;
        let mut expected = Expected::ValueOrEndOfArray;
        while more {
            let kind = self.kind_or(expected)?;
            element(self, kind)?;
            more = self.step(b']')?;
            expected = Expected::Value;
        }
        Ok(())
    }

    /// Walks over the string at the cursor, which is on its opening quote.
    pub(crate) fn string(&mut self) -> Walk<StringSpan> {
        let bytes = self.text.as_bytes();
        let start = self.position + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = plain_end(bytes, at);
            self.position = at;
            match bytes.get(at) {
                Some(b'"') => {
                    self.position = at + 1;
                    return Ok(StringSpan { start, end: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.position = at + 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                        Some(b'u') => {
                            self.position += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return self.fail(Expected::HexDigit);
                                }
                                self.position += 1;
                            }
                            at = self.position;
                        }
                        _ => return self.fail(Expected::Escape),
                    }
                }
                Some(_) => return self.fail(Expected::EscapedControl),
                None => return self.fail(Expected::EndOfString),
            }
        }
    }

    fn digits(&mut self) -> Walk<()> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.fail(Expected::Digit);
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        Ok(())
    }

    /// Walks over the number at the cursor. What may follow it is for the container to check.
    fn number(&mut self) -> Walk<&'a str> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.position])
    }

    fn literal(&mut self, word: &'static [u8], expected: Expected) -> Walk<()> {
        for &byte in word {
            if self.peek() != Some(byte) {
                return self.fail(expected);
            }
            self.position += 1;
        }
        Ok(())
    }

    fn scalar(&mut self, kind: Kind) -> Walk<()> {
        match kind {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::True => self.literal(b"true", Expected::True),
            Kind::False => self.literal(b"false", Expected::False),
            Kind::Null => self.literal(b"null", Expected::Null),
            Kind::Object | Kind::Array => Ok(()),
        }
    }

    /// Walks over one value of any kind.
    pub(crate) fn skip(&mut self) -> Walk<()> {
        let kind = self.kind()?;
        self.skip_kind(kind)
    }

    /// Walks over the value at the cursor, whose kind is known. Containers take no machine stack.
    pub(crate) fn skip_kind(&mut self, kind: Kind) -> Walk<()> {
        if !matches!(kind, Kind::Object | Kind::Array) {
            return self.scalar(kind);
        }
        let mut open = Brackets::default();
        let mut kind = kind;
        loop {
            // One value begins here; `kind` becomes that of the first value in it, if it has one.
            match kind {
                Kind::Object if self.open(b'}')? => {
                    open.push(true);
                    self.name(Expected::KeyOrEndOfObject)?;
                    kind = self.kind()?;
                    continue;
                }
                Kind::Array if self.open(b']')? => {
                    open.push(false);
                    kind = self.kind_or(Expected::ValueOrEndOfArray)?;
                    continue;
                }
                Kind::Object | Kind::Array => {}
                scalar => self.scalar(scalar)?,
            }
            // One value ends here, and perhaps the containers around it.
            loop {
                if open.depth() == 0 {
                    return Ok(());
                }
                let in_object = open.in_object();
                if self.step(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.skip_space();
                        self.name(Expected::Key)?;
                    }
                    kind = self.kind()?;
                    break;
                }
                open.pop();
            }
        }
    }

    /// Nothing but white space may follow the value of a payload.
    pub(crate) fn end(&mut self) -> Walk<()> {
        self.skip_space();
        if self.position == self.text.len() { Ok(()) } else { self.fail(Expected::EndOfPayload) }
    }

    /// The value's string, or `None` for a value of another kind.
    pub(crate) fn optional_string(&mut self) -> Walk<Option<Cow<'a, str>>> {
        Ok(self.optional_span()?.map(|span| span.decode(self.text)))
    }

    /// The value's string with the place of its inside, or an empty text without a place.
    pub(crate) fn text(&mut self) -> Walk<Text<'a>> {
        Ok(self
            .optional_span()?
            .map_or_else(Text::default, |span| Text { value: span.decode(self.text), span: Some(span) }))
    }

    /// The text of a string, or a number or boolean as its own JSON text; empty for a value of another kind. Only a string
    /// has a place.
    pub(crate) fn scalar_text(&mut self) -> Walk<Text<'a>> {
        let kind = self.kind()?;
        let start = self.position;
        if kind == Kind::String {
            let span = self.string()?;
            return Ok(Text { value: span.decode(self.text), span: Some(span) });
        }
        self.skip_kind(kind)?;
        let value = match kind {
            Kind::Number | Kind::True | Kind::False => &self.text[start..self.position],
            _ => "",
        };
        Ok(Text { value: Cow::Borrowed(value), span: None })
    }

    /// The value as [`optional_integer`](Self::optional_integer), with the place of its digits.
    pub(crate) fn placed_integer(&mut self) -> Walk<Option<(i64, Span)>> {
        let start = self.mark()?;
        let number = self.optional_integer()?;
        Ok(number.map(|number| (number, Span::new(start, self.position))))
    }

    /// The value's span between the quotes, or `None` for a value of another kind.
    pub(crate) fn optional_span(&mut self) -> Walk<Option<StringSpan>> {
        match self.kind()? {
            Kind::String => self.string().map(Some),
            kind => self.skip_kind(kind).map(|()| None),
        }
    }

    /// The value as a signed 64-bit integer; `None` for another kind, a fraction, an exponent or a larger number.
    pub(crate) fn optional_integer(&mut self) -> Walk<Option<i64>> {
        match self.kind()? {
            Kind::Number => Ok(self.number()?.parse().ok()),
            kind => self.skip_kind(kind).map(|()| None),
        }
    }

    /// The text of a string or of a number, for codes that are written either way.
    pub(crate) fn optional_label(&mut self) -> Walk<Option<Cow<'a, str>>> {
        match self.kind()? {
            Kind::String => Ok(Some(self.string()?.decode(self.text))),
            Kind::Number => Ok(Some(Cow::Borrowed(self.number()?))),
            kind => self.skip_kind(kind).map(|()| None),
        }
    }

    /// Whether the value is `true`.
    pub(crate) fn is_true(&mut self) -> Walk<bool> {
        let kind = self.kind()?;
        self.skip_kind(kind)?;
        Ok(kind == Kind::True)
    }

    /// The place where the value at the cursor begins.
    pub(crate) fn mark(&mut self) -> Walk<usize> {
        self.kind()?;
        Ok(self.position)
    }

    /// The text from a mark to here.
    pub(crate) fn since(&self, mark: usize) -> &'a str {
        &self.text[mark..self.position]
    }

    /// The value's JSON text as received, with its kind.
    pub(crate) fn raw(&mut self) -> Walk<(Kind, &'a str)> {
        let kind = self.kind()?;
        let start = self.position;
        self.skip_kind(kind)?;
        Ok((kind, &self.text[start..self.position]))
    }
}

/// Where the inside of a string ends that begins at `start`, and whether it has escapes; `None` where it is not
/// what JSON allows between quotes, or not whole. UTF-8 is not looked at.
#[inline]
pub(crate) fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some((at, escaped)),
            b'\\' => {
                escaped = true;
                match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Whether a control character, a byte below 0x20, is among the bytes.
#[inline]
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return bytes.iter().any(|&byte| byte < 0x20) };
    // As in `plain_end`; the last eight may be looked at twice.
    let marks = |eight: [u8; 8]| {
        let word = u64::from_le_bytes(eight);
        word.wrapping_sub(ONES * 0x20) & !word
    };
    let mut found = marks(*last);
    let mut remaining = bytes;
    while let Some((eight, more)) = remaining.split_first_chunk() {
        found |= marks(*eight);
        remaining = more;
    }
    found & HIGHS != 0
}

/// Where a run of plain string bytes ends: at a quote, a backslash or a control character, or at the end.
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    // Eight bytes at once: a byte equal to x makes (word ^ x*ONES) zero there, a byte below 0x20 borrows.
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        let quote = word ^ (ONES * u64::from(b'"'));
        let slash = word ^ (ONES * u64::from(b'\\'));
        let stops = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if stops & HIGHS != 0 {
            // Borrows can mark bytes above a true stop, never below it: the lowest mark is exact.
            return at + ((stops & HIGHS).trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// The payload as text, or the first of its errors in UTF-8 and in JSON.
pub(crate) fn utf8_text(payload: &[u8], max_depth: usize) -> Result<&str, FrameError> {
    // The fast check only tells whether; the standard one tells where.
    simdutf8::basic::from_utf8(payload).map_err(|_| {
        let position = std::str::from_utf8(payload).map_or_else(|error| error.valid_up_to(), str::len);
        let utf8 = FrameError {
            kind: ErrorKind::InvalidUtf8 { found: payload.get(position).copied().unwrap_or(0) },
            position,
        };
        // A JSON error before the ill-formed sequence comes first; one at its first byte does not.
        match std::str::from_utf8(&payload[..position]).map(|prefix| validate_text(prefix, max_depth)) {
            Ok(Err(json)) if json.position < position => json,
            _ => utf8,
        }
    })
}

fn validate_text(text: &str, max_depth: usize) -> Result<(), FrameError> {
    let mut cursor = Cursor::new(text, max_depth);
    cursor.skip()?;
    cursor.end()
}

/// Validates one whole frame: UTF-8, grammar and depth.
pub(crate) fn validate(payload: &[u8], max_depth: usize) -> Result<&str, FrameError> {
    let text = utf8_text(payload, max_depth)?;
    validate_text(text, max_depth)?;
    Ok(text)
}

/// Decodes the escapes of a string's inside, which the cursor has checked.
pub(crate) fn unescape(inside: &str) -> String {
    let bytes = inside.as_bytes();
    let mut out = String::with_capacity(inside.len());
    let mut plain = 0;
    while let Some(step) = memchr::memchr(b'\\', &bytes[plain..]) {
        let at = plain + step;
        out.push_str(&inside[plain..at]);
        plain = at + 2;
        match bytes.get(at + 1) {
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'u') => {
                let unit = hex4(inside, at + 2);
                plain = at + 6;
                let is_high = (0xd800..0xdc00).contains(&unit);
                if is_high && bytes.get(plain) == Some(&b'\\') && bytes.get(plain + 1) == Some(&b'u') {
                    let low = hex4(inside, plain + 2);
                    if (0xdc00..0xe000).contains(&low) {
                        plain += 6;
                        let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        out.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
                        continue;
                    }
                }
                // A surrogate without its partner is not a character.
                out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(&other) => out.push(char::from(other)),
            None => plain = at + 1,
        }
    }
    out.push_str(&inside[plain..]);
    out
}

fn hex4(text: &str, at: usize) -> u32 {
    text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}
