//! Which service's stream is it: evidence in the first bytes, the same for a whole and a cut frame.
//!
//! Always true: only lexical evidence counts, the names of JSON members and SSE events in the order of the bytes, never
//! text inside a value. The first evidence wins; without any the answer is `None`, not a guess.
//!
//! What will bite:
//! - the window may cut anything. A member counts when the first byte of its value is in the window, an event name when
//!   its line has ended;
//! - some members occur in several dialects (`status` with a code, `error`, `usage`). They are weak evidence, and count
//!   only when the whole value is in the window and nothing better was in it.

use std::fmt;

/// How many bytes of a stream are looked at.
pub(crate) const WINDOW: usize = 1024;

/// A service, by the module that parses its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// [`crate::clova`]
    Clova,
    /// [`crate::exaone`]
    Exaone,
    /// [`crate::openai`]
    OpenAi,
    /// [`crate::a2a`]
    A2a,
}

impl Service {
    /// The module's name: `clova`, `exaone`, `openai`, `a2a`.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Clova => "clova",
            Self::Exaone => "exaone",
            Self::OpenAi => "openai",
            Self::A2a => "a2a",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clova => "CLOVA",
            Self::Exaone => "EXAONE",
            Self::OpenAi => "OpenAI-compatible",
            Self::A2a => "A2A",
        })
    }
}

/// What the bytes of an unrecognized stream look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Look {
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// An HTML page.
    Html,
    /// A stream of another service.
    Stream(Service),
    /// None of these.
    Unknown,
}

impl Look {
    /// The look of a stream that is not one of `service`.
    pub(crate) fn of(first_bytes: &[u8], service: Service) -> Self {
        let window = &first_bytes[..first_bytes.len().min(WINDOW)];
        let text = without_lead(window);
        let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
        if window.starts_with(b"\x1f\x8b") {
            Self::Gzip
        } else if window.starts_with(b"\x28\xb5\x2f\xfd") {
            Self::Zstd
        } else if begins(b"<!doctype html") || begins(b"<html") {
            Self::Html
        } else {
            detect(window).filter(|&other| other != service).map_or(Self::Unknown, Self::Stream)
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gzip => f.write_str("gzip data; decompress it first"),
            Self::Zstd => f.write_str("zstd data; decompress it first"),
            Self::Html => f.write_str("an HTML page"),
            Self::Stream(service) => write!(f, "a stream of hangang.{}", service.module()),
            Self::Unknown => f.write_str("nothing of the kind"),
        }
    }
}

/// The service whose stream begins with these bytes; `None` where nothing tells. Only the first 1,024 bytes are looked
/// at, and the last frame among them may be cut anywhere.
///
/// ```
/// use hangang::{Service, detect};
///
/// assert_eq!(detect(b"data: {\"id\":\"x\",\"choices\":[{\"ind"), Some(Service::OpenAi));
/// assert_eq!(detect(b"data: {\"id\":\"x\""), None);
/// ```
#[must_use]
pub fn detect(first_bytes: &[u8]) -> Option<Service> {
    let data = without_lead(&first_bytes[..first_bytes.len().min(WINDOW)]);
    if data.first() == Some(&b'{') { detect_json(data) } else { detect_sse(data) }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Without white space at its start.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_space(byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Without a byte order mark and white space.
fn without_lead(window: &[u8]) -> &[u8] {
    trimmed(window.strip_prefix(b"\xef\xbb\xbf").unwrap_or(window))
}

/// Bare JSON: one value after the other.
fn detect_json(mut data: &[u8]) -> Option<Service> {
    while data.first() == Some(&b'{') {
        match scan(data) {
            Scan::Found(service) => return Some(service),
            Scan::Closed(length) => data = trimmed(&data[length..]),
            Scan::Cut | Scan::Mismatch => return None,
        }
    }
    None
}

/// SSE: the first line that tells.
fn detect_sse(mut data: &[u8]) -> Option<Service> {
    // The data values since the last blank line. Each line that it grows by is looked at anew: the window is small.
    let mut payload: Option<Vec<u8>> = None;
    while !data.is_empty() {
        let length = memchr::memchr2(b'\n', b'\r', data);
        let (line, terminated) = (&data[..length.unwrap_or(data.len())], length.is_some());
        data = &data[line.len()..];
        let end = if data.starts_with(b"\r\n") { 2 } else { usize::from(terminated) };
        data = &data[end..];
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let found = match name {
            b"" if line.is_empty() => {
                payload = None;
                None
            }
            b"event" if terminated && matches!(value, b"token" | b"result" | b"signal") => {
                Some(Service::Clova)
            }
            b"data" => {
                let payload = match &mut payload {
                    Some(payload) => {
                        payload.push(b'\n');
                        payload
                    }
                    None => payload.insert(Vec::new()),
                };
                payload.extend_from_slice(value);
                let done = trimmed(payload).strip_prefix(b"[DONE]");
                if terminated && done.is_some_and(|after| trimmed(after).is_empty()) {
                    Some(Service::OpenAi)
                } else {
                    first_value(trimmed(payload))
                }
            }
            b"error" => first_value(value),
            _ => first_value(line),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn first_value(payload: &[u8]) -> Option<Service> {
    if payload.first() != Some(&b'{') {
        return None;
    }
    match scan(payload) {
        Scan::Found(service) => Some(service),
        Scan::Closed(_) | Scan::Cut | Scan::Mismatch => None,
    }
}

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// In the value itself.
    Top,
    /// In the object `result` of the value.
    Result,
    /// In the object `message` of one of these.
    Message,
    /// In the object `status` of one of these.
    Status,
    /// Elsewhere: it tells nothing.
    Other,
}

/// What a value tells.
enum Scan {
    Found(Service),
    /// Nothing, and it has this length.
    Closed(usize),
    /// Nothing before the end of the window.
    Cut,
    /// Nothing before a bracket that does not match.
    Mismatch,
}

/// Scans the object at the start of the bytes: strings and brackets, nothing else.
fn scan(data: &[u8]) -> Scan {
    let mut open: Vec<(u8, Level)> = Vec::new();
    // Whether a string here would be a member's name, and the level of an object that begins here.
    let (mut may_be_name, mut level) = (false, Level::Top);
    let (mut is_clova, mut is_openai) = (false, false);
    let mut position = 0;
    while let Some(&byte) = data.get(position) {
        position += 1;
        match byte {
            b'"' => {
                let Some(length) = string_length(&data[position..]) else { return Scan::Cut };
                let name = &data[position..position + length];
                position += length + 1;
                let after = trimmed(&data[position..]);
                if let (true, Some(value)) = (may_be_name, after.strip_prefix(b":")) {
                    let value = trimmed(value);
                    let Some(&first) = value.first() else { return Scan::Cut };
                    position = data.len() - value.len();
                    let here = open.last().map_or(Level::Other, |&(_, level)| level);
                    if let Some(service) = strong(here, name, first) {
                        return Scan::Found(service);
                    }
                    is_clova |= here == Level::Status && name == b"code";
                    is_openai |= matches!(here, Level::Top | Level::Result)
                        && (name == b"error" && matches!(first, b'{' | b'"')
                            || name == b"usage" && first == b'{');
                    level = if first == b'{' { inner_level(here, name) } else { Level::Other };
                }
                may_be_name = false;
            }
            b'{' | b'[' => {
                open.push((byte, if byte == b'{' { level } else { Level::Other }));
                (may_be_name, level) = (byte == b'{', Level::Other);
            }
            b'}' | b']' => {
                let opened = open.pop().map_or(0, |(opened, _)| opened);
                if (opened == b'{') != (byte == b'}') {
                    return Scan::Mismatch;
                }
                if open.is_empty() {
                    return match (is_clova, is_openai) {
                        (true, _) => Scan::Found(Service::Clova),
                        (_, true) => Scan::Found(Service::OpenAi),
                        _ => Scan::Closed(position),
                    };
                }
                (may_be_name, level) = (false, Level::Other);
            }
            _ if is_space(byte) => {}
            _ => {
                let in_object = open.last().is_some_and(|&(opened, _)| opened == b'{');
                (may_be_name, level) = (byte == b',' && in_object, Level::Other);
            }
        }
    }
    Scan::Cut
}

/// The length of the string whose opening quote is just before; `None` if it does not end.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut position = 0;
    loop {
        position += memchr::memchr2(b'"', b'\\', bytes.get(position..)?)?;
        if bytes[position] == b'"' {
            return Some(position);
        }
        position += 2;
    }
}

fn strong(level: Level, name: &[u8], first: u8) -> Option<Service> {
    match (level, name) {
        (Level::Top | Level::Result, name) => match name {
            b"result_code" => Some(Service::Exaone),
            b"jsonrpc" | b"kind" | b"task" | b"statusUpdate" | b"artifactUpdate" | b"artifact"
            | b"artifacts" | b"parts" | b"contextId" | b"taskId" | b"messageId" => Some(Service::A2a),
            b"choices" | b"object" | b"error_message" | b"error_code" | b"custom_status" => {
                Some(Service::OpenAi)
            }
            b"stopReason" | b"finishReason" | b"inputLength" | b"outputLength" | b"aiFilter" => {
                Some(Service::Clova)
            }
            _ => None,
        },
        (Level::Message, b"messageId" | b"parts" | b"kind" | b"contextId" | b"taskId")
        | (Level::Status, b"state") => Some(Service::A2a),
        (Level::Message, b"thinkingContent" | b"toolCalls") => Some(Service::Clova),
        (Level::Message, b"content") if first == b'"' => Some(Service::Clova),
        _ => None,
    }
}

fn inner_level(level: Level, name: &[u8]) -> Level {
    match (level, name) {
        (Level::Top | Level::Result, b"message") => Level::Message,
        (Level::Top | Level::Result, b"status") => Level::Status,
        (Level::Top, b"result") => Level::Result,
        _ => Level::Other,
    }
}
