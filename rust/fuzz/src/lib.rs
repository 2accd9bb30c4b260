//! What each fuzz target checks, as ordinary functions: the targets call them with what the fuzzer invents, and
//! `tests/replay.rs` with the committed corpora, on the stable toolchain.
//!
//! An input is two bytes and a stream. The first byte chooses options (see [`Input`]), the second seeds the cuts and
//! small limits. Every stream is fed whole, byte by byte, in pieces of one size and in pieces of changing sizes; all
//! of them must give the same events, the same error and the same pending bytes (Law I). Beside that,
//! - `sse_split` holds the events against a naive reading of WHATWG's rules,
//! - `json_split` holds frames and the places of errors against serde_json,
//! - the dialects run with and without prediction, and `feed_text` against `feed`.

use std::fmt::Debug;

use hangang::{
    Dialect, ErrorKind, Errors, JsonStreamParser, Options, ParseError, SseParser, StreamEvent, StreamParser,
    a2a, clova, exaone, openai,
};
use serde::de::IgnoredAny;

/// A stream with its options.
struct Input<'a> {
    options: Options,
    end: a2a::End,
    tags: Option<openai::ThinkingTags>,
    cuts: u8,
    wire: &'a [u8],
}

impl<'a> Input<'a> {
    /// Bit 0 of the first byte: report mode; 1: small limits; 2: A2A's second profile; 3: thinking tags; 4: with them, the
    /// answer begins inside.
    fn new(data: &'a [u8]) -> Option<Self> {
        let (&[flags, cuts], wire) = data.split_first_chunk::<2>()?;
        let mut options = Options { max_depth: 100, ..Options::default() };
        if flags & 1 != 0 {
            options.errors = Errors::Report;
        }
        if flags & 2 != 0 {
            options.max_frame_bytes = 1 + usize::from(cuts) * 2;
            options.max_depth = 1 + usize::from(cuts) % 8;
        }
        let end = if flags & 4 != 0 { a2a::End::LastChunk } else { a2a::End::State };
        let tags = (flags & 8 != 0)
            .then(|| openai::ThinkingTags::new("<think>", "</think>", flags & 16 != 0).expect("two tags"));
        Some(Self { options, end, tags, cuts, wire })
    }

    /// The ways to cut the stream; the first is not to.
    fn ways(&self) -> Vec<Vec<&'a [u8]>> {
        let mut changing = Vec::new();
        let (mut rest, mut state) = (self.wire, u32::from(self.cuts) | 0x100);
        while !rest.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Mostly short, now and then long, sometimes nothing at all.
            let size = (state >> 24) as usize % if state & 0x400 == 0 { 8 } else { 300 };
            let (piece, after) = rest.split_at(size.min(rest.len()));
            changing.push(piece);
            rest = after;
        }
        vec![
            vec![self.wire],
            self.wire.chunks(1).collect(),
            self.wire.chunks(usize::from(self.cuts) + 2).collect(),
            changing,
        ]
    }
}

// -- framing -------------------------------------------------------------------------------------

#[derive(Debug, PartialEq)]
struct SseRun {
    events: Vec<[String; 3]>,
    error: Option<ParseError>,
    last_event_id: String,
    retry: Option<u64>,
    pending: usize,
}

fn run_sse(chunks: &[&[u8]], limit: usize) -> SseRun {
    let mut parser = SseParser::new(limit);
    let mut events = Vec::new();
    let mut error = None;
    for chunk in chunks {
        let fed = parser.feed_with(chunk, |event| {
            events.push([event.event.into_owned(), event.data.into_owned(), event.id.text().into_owned()]);
        });
        if let Err(raised) = fed {
            assert_eq!(parser.feed_with(b"data: x\n\n", |_| panic!("an event after an error")), Err(raised));
            error = Some(raised);
            break;
        }
    }
    let pending = parser.pending();
    let error = error.or_else(|| parser.close().err());
    SseRun {
        events,
        error,
        last_event_id: parser.last_event_id().text().into_owned(),
        retry: parser.retry(),
        pending,
    }
}

/// WHATWG's rules over the whole stream, as plainly as they can be written down. No limits.
fn naive_sse(wire: &[u8]) -> (Vec<[String; 3]>, String, Option<u64>) {
    let wire = wire.strip_prefix(b"\xef\xbb\xbf").unwrap_or(wire);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (mut events, mut retry) = (Vec::new(), None);
    let (mut data, mut name, mut id, mut last): (Vec<&[u8]>, &[u8], &[u8], &[u8]) =
        (Vec::new(), b"", b"", b"");
    let mut at = 0;
    while let Some(length) = wire[at..].iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let line = &wire[at..at + length];
        at += length + if wire[at + length..].starts_with(b"\r\n") { 2 } else { 1 };
        if line.is_empty() {
            last = id;
            if !data.is_empty() {
                let name = if name.is_empty() { "message".to_owned() } else { text(name) };
                events.push([name, text(&data.join(&b'\n')), text(last)]);
            }
            data.clear();
            name = b"";
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (field, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => data.push(value),
            b"event" => name = value,
            b"id" if !value.contains(&0) => id = value,
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                retry = Some(value.iter().fold(0u64, |number, digit| {
                    number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                }));
            }
            _ => {}
        }
    }
    (events, text(last), retry)
}

/// Target: server-sent events.
pub fn sse_split(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limit = input.options.max_frame_bytes;
    let ways = input.ways();
    let whole = run_sse(&ways[0], limit);
    for way in &ways[1..] {
        assert_eq!(run_sse(way, limit), whole);
    }
    if whole.error.is_none() {
        assert_eq!((whole.events, whole.last_event_id, whole.retry), naive_sse(input.wire));
    }
}

type JsonRun = (Vec<String>, Option<ParseError>, usize);

fn run_json(chunks: &[&[u8]], options: &Options) -> JsonRun {
    let mut parser = JsonStreamParser::new(options.max_frame_bytes, options.max_depth);
    let mut frames = Vec::new();
    for chunk in chunks {
        if let Err(error) = parser.feed_with(chunk, |value| frames.push(value.to_owned())) {
            return (frames, Some(error), 0);
        }
    }
    let pending = parser.pending();
    (frames, parser.close().err(), pending)
}

/// What serde_json makes of a text that begins with a value: its length, or whether it ended too early.
fn serde(text: &str) -> Result<usize, serde_json::error::Category> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        Some(Err(error)) => Err(error.classify()),
        None => Err(serde_json::error::Category::Eof),
    }
}

/// Whether the text could still become a value. serde_json calls `[-` wrong, because it reads a NUL after the end;
/// a digit there tells.
fn is_prefix(text: &str) -> bool {
    let category = |text: &str| serde(text) == Err(serde_json::error::Category::Eof);
    category(text) || category(&format!("{text}0"))
}

/// Target: bare JSON.
pub fn json_split(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let ways = input.ways();
    let whole = run_json(&ways[0], &input.options);
    for way in &ways[1..] {
        assert_eq!(run_json(way, &input.options), whole);
    }
    let (frames, error, _) = whole;

    // serde_json finds the same values.
    let skipped = if input.wire.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let wire = &input.wire[skipped..];
    // The part of the stream that is text; where it stops being text, something must have been raised.
    let valid = std::str::from_utf8(wire).unwrap_or_else(|error| {
        std::str::from_utf8(&wire[..error.valid_up_to()]).expect("valid up to there")
    });
    let mut rest = valid;
    for frame in &frames {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        assert!(rest.starts_with(['{', '[']), "a frame where none begins");
        assert_eq!(serde(rest), Ok(frame.len()), "another value than serde_json's");
        assert_eq!(frame, &rest[..frame.len()]);
        rest = &rest[frame.len()..];
    }
    let rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
    let start = skipped + (valid.len() - rest.len());
    match error.map(|error| (error.kind(), error.offset() as usize)) {
        None => assert_eq!((rest, valid.len()), ("", wire.len()), "something was left"),
        Some((ErrorKind::InvalidJson { .. }, offset)) if !rest.starts_with(['{', '[']) => {
            // Between values; half a byte order mark is an error at its first byte.
            assert!(offset == start || offset == 0, "an error elsewhere");
        }
        Some((ErrorKind::InvalidJson { .. }, offset)) => {
            // The prefix rule: up to the error it could still become JSON, with the byte there it cannot.
            assert!(is_prefix(&rest[..offset - start]), "wrong before {offset}");
            if input.wire[offset].is_ascii() {
                // serde_json looks at four hexadecimal digits at once, so it gets four bytes more.
                let with = &rest[..=offset - start];
                assert!(!is_prefix(with) || !is_prefix(&format!("{with}0000")), "not wrong at {offset}");
            }
        }
        Some((ErrorKind::InvalidUtf8 { .. }, offset)) => assert_eq!(offset, skipped + valid.len()),
        Some((ErrorKind::Truncated { .. }, offset)) => assert_eq!(offset, input.wire.len()),
        Some((ErrorKind::FrameTooLarge { .. }, offset)) => {
            assert_eq!(offset, start + input.options.max_frame_bytes);
        }
        Some((ErrorKind::TooDeep { .. }, offset)) => assert!(matches!(input.wire[offset], b'{' | b'[')),
        Some((other, _)) => panic!("an error that bare JSON does not have: {other:?}"),
    }
}

// -- dialects --------------------------------------------------------------------------------------

/// All that can be read of an event, whether it was parsed or predicted.
fn view<'a>(event: &(impl StreamEvent<'a> + Debug)) -> (String, Vec<u8>) {
    (format!("{event:?}"), event.raw().into_owned())
}

#[derive(Debug, PartialEq)]
struct Run {
    events: Vec<(String, Vec<u8>)>,
    text: String,
    error: Option<ParseError>,
    pending: usize,
}

fn run<D>(mut parser: StreamParser<D>, chunks: &[&[u8]]) -> Run
where
    D: Dialect,
    for<'a> D::Event<'a>: Debug,
{
    let (mut events, mut text) = (Vec::new(), String::new());
    for chunk in chunks {
        let fed = parser.feed_with(chunk, |event| {
            text.push_str(event.text());
            events.push(view(&event));
        });
        if let Err(error) = fed {
            assert_eq!(parser.feed_with(b"{}", |_| panic!("an event after an error")), Err(error));
            return Run { events, text, error: Some(error), pending: parser.pending() };
        }
    }
    let pending = parser.pending();
    let error = parser
        .close(|event| {
            text.push_str(event.text());
            events.push(view(&event));
        })
        .err();
    Run { events, text, error, pending }
}

/// What `feed_text` gives of the same chunks, with the text of what it deferred.
fn run_text<D: Dialect>(mut parser: StreamParser<D>, chunks: &[&[u8]]) -> (String, Option<ParseError>) {
    let mut text = String::new();
    for chunk in chunks {
        if let Err(error) = parser.feed_text(chunk, &mut text) {
            parser.take_deferred().iter().for_each(|event| text.push_str(event.text()));
            return (text, Some(error));
        }
    }
    let error = parser.close(|event| text.push_str(event.text())).err();
    (text, error)
}

/// The characters of a text in order: what thinking tags held back may be deferred past later text.
fn sorted(text: &str) -> Vec<char> {
    let mut characters: Vec<_> = text.chars().collect();
    characters.sort_unstable();
    characters
}

fn dialect<D, F>(data: &[u8], make: F)
where
    D: Dialect,
    for<'a> D::Event<'a>: Debug,
    F: Fn(Options, &Input<'_>) -> StreamParser<D>,
{
    let Some(input) = Input::new(data) else { return };
    // Only the first bytes are looked at, and looking raises nothing.
    let service = hangang::detect(input.wire);
    assert_eq!(hangang::detect(&input.wire[..input.wire.len().min(1024)]), service);
    let full = || make(Options { predict: false, ..input.options }, &input);
    let predicting = || make(Options { predict: true, ..input.options }, &input);
    let ways = input.ways();
    let whole = run(full(), &ways[0]);
    for way in &ways {
        assert_eq!(run(predicting(), way), whole, "predicted");
        assert_eq!(run(full(), way), whole, "in full");
    }
    for way in &ways[..2] {
        let (text, error) = run_text(predicting(), way);
        assert_eq!(error, whole.error, "feed_text");
        if input.tags.is_some() {
            assert_eq!(sorted(&text), sorted(&whole.text), "feed_text");
        } else {
            assert_eq!(text, whole.text, "feed_text");
        }
    }
}

/// Target: CLOVA Studio.
pub fn clova(data: &[u8]) {
    dialect(data, |options, _| clova::StreamParser::new(options));
}

/// Target: EXAONE.
pub fn exaone(data: &[u8]) {
    dialect(data, |options, _| exaone::StreamParser::new(options));
}

/// Text and thinking of a whole content, as plainly as the rule can be written down.
fn naive_tags(content: &str, first: bool) -> [String; 2] {
    const TAGS: [&str; 2] = ["<think>", "</think>"];
    let mut sides = [String::new(), String::new()];
    let (mut rest, mut inside) = (content, usize::from(first));
    if first {
        let blank = content.len() - content.trim_start_matches([' ', '\t', '\n', '\r']).len();
        if content[blank..].starts_with(TAGS[0]) {
            sides[1].push_str(&content[..blank]);
            rest = &content[blank + TAGS[0].len()..];
        }
    }
    while let Some((before, after)) = rest.split_once(TAGS[inside]) {
        sides[inside].push_str(before);
        (rest, inside) = (after, 1 - inside);
    }
    sides[inside].push_str(rest);
    sides
}

/// Streams that show nothing but the content of choice 0 are split at tags as the naive reference does it.
fn tags_reference(input: &Input<'_>, tags: &openai::ThinkingTags, first: bool) {
    let options = Options { errors: Errors::Strict, ..input.options };
    let mut content = String::new();
    let mut plain = true;
    let mut parser = openai::StreamParser::new(options);
    let mut look = |event: openai::Event<'_>| match event {
        openai::Event::Chunk(chunk) => {
            content.push_str(&chunk.text);
            plain &= chunk.thinking.is_empty()
                && chunk.choices.iter().all(|choice| choice.index == 0 && choice.finish_reason.is_none())
                && chunk.choices.len() < 2;
        }
        openai::Event::Unknown(_) => {}
        _ => plain = false,
    };
    // The snapshot rule looks at the raw content, so both runs skip the same messages.
    let failed = parser.feed_with(input.wire, &mut look).is_err();
    if failed || parser.close(&mut look).is_ok() || !plain {
        return;
    }
    let mut sides = [String::new(), String::new()];
    let mut parser = openai::StreamParser::with_thinking_tags(tags.clone(), options);
    let mut note = |event: openai::Event<'_>| {
        sides[0].push_str(event.text());
        sides[1].push_str(event.thinking());
    };
    parser.feed_with(input.wire, &mut note).expect("as before");
    let _ = parser.close(&mut note);
    assert_eq!(sides, naive_tags(&content, first), "thinking tags");
}

/// Target: OpenAI-compatible.
pub fn openai(data: &[u8]) {
    if let Some(input) = Input::new(data) {
        if let Some(tags) = &input.tags {
            tags_reference(&input, tags, data[0] & 16 != 0);
        }
    }
    dialect(data, |options, input| match &input.tags {
        Some(tags) => openai::StreamParser::with_thinking_tags(tags.clone(), options),
        None => openai::StreamParser::new(options),
    });
}

/// Target: A2A.
pub fn a2a(data: &[u8]) {
    dialect(data, |options, input| a2a::StreamParser::with_end(input.end, options));
}
