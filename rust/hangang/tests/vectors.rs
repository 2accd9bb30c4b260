//! Every vector of `tests/vectors/` (their form: `tests/vectors/README.md`) at every two-way split and byte by byte.
//! The Python suite reads the same files.

use std::path::PathBuf;

use hangang::{
    Dialect, ErrorKind, Errors, JsonStreamParser, Options, ParseError, SseParser, StreamEvent, StreamParser,
    a2a, clova, exaone, openai,
};
use serde_json::Value;

/// In the repository `tests/vectors` is a link to the folder that the Python suite reads. `cargo package` follows it, so
/// the packed crate has the files. Where a checkout has no links, the folder itself is found.
fn folder() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let packed = package.join("tests/vectors");
    if packed.is_dir() { packed } else { package.join("../../tests/vectors") }
}

fn vectors() -> Vec<(String, Value)> {
    let folder = folder();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            (path.display().to_string(), serde_json::from_str(&text).expect("a JSON file"))
        })
        .collect()
}

/// `wire` and `frames` are bytes written as latin-1 text.
fn bytes(text: &Value) -> Vec<u8> {
    text.as_str().expect("a string").chars().map(|c| u8::try_from(u32::from(c)).expect("latin-1")).collect()
}

fn options(case: &Value, predict: bool) -> Options {
    let given = &case["options"];
    let number = |name: &str, default: usize| given[name].as_u64().map_or(default, |n| n as usize);
    Options {
        max_frame_bytes: number("max_frame_bytes", hangang::DEFAULT_MAX_FRAME_BYTES),
        max_depth: number("max_depth", hangang::DEFAULT_MAX_DEPTH),
        errors: if given["errors"] == "report" { Errors::Report } else { Errors::Strict },
        predict,
    }
}

fn end(case: &Value) -> a2a::End {
    if case["options"]["end"] == "last_chunk" { a2a::End::LastChunk } else { a2a::End::State }
}

fn openai_parser(case: &Value, options: Options) -> openai::StreamParser {
    let given = &case["options"];
    let Some(tags) = given["thinking_tags"].as_array() else { return openai::StreamParser::new(options) };
    let tag = |at: usize| tags[at].as_str().expect("a string");
    let first = given["thinking_first"] == true;
    let tags = openai::ThinkingTags::new(tag(0), tag(1), first).expect("two tags");
    openai::StreamParser::with_thinking_tags(tags, options)
}

fn class(error: ParseError) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidJson { .. } => "InvalidJSONError",
        ErrorKind::InvalidUtf8 { .. } => "InvalidUTF8Error",
        ErrorKind::FrameTooLarge { .. } | ErrorKind::TooDeep { .. } => "LimitExceededError",
        ErrorKind::Truncated { .. } => "TruncatedStreamError",
        ErrorKind::Unrecognized { .. } => "UnrecognizedStreamError",
        other => panic!("a kind without a class: {other:?}"),
    }
}

fn check_error(case: &Value, got: Option<ParseError>, context: &str) {
    let want = &case["error"];
    match got {
        None => assert!(want.is_null(), "{context}: expected {want}, got no error"),
        Some(error) => {
            assert_eq!(want["class"], class(error), "{context}: {error}");
            assert_eq!(want["offset"], error.offset(), "{context}: {error}");
            if let Some(message) = want["message"].as_str() {
                assert_eq!(message, error.to_string(), "{context}");
            }
        }
    }
}

/// Whole, byte by byte, and cut in two at every place; a long stream at some 512 places.
fn splits(wire: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut all = vec![vec![wire], wire.chunks(1).collect()];
    let step = if wire.len() > 2048 { wire.len() / 512 } else { 1 };
    all.extend((0..=wire.len()).step_by(step).map(|cut| vec![&wire[..cut], &wire[cut..]]));
    all
}

fn run_json(chunks: &[&[u8]], options: Options) -> (Vec<Vec<u8>>, Option<ParseError>) {
    let mut parser = JsonStreamParser::new(options.max_frame_bytes, options.max_depth);
    let mut frames = Vec::new();
    for chunk in chunks {
        if let Err(error) = parser.feed_with(chunk, |value| frames.push(value.as_bytes().to_vec())) {
            return (frames, Some(error));
        }
    }
    (frames, parser.close().err())
}

type Sse = (Vec<[String; 3]>, Option<ParseError>, String, Option<u64>);

fn run_sse(chunks: &[&[u8]], options: Options) -> Sse {
    let mut parser = SseParser::new(options.max_frame_bytes);
    let mut events = Vec::new();
    let mut failed = None;
    for chunk in chunks {
        let outcome = parser.feed_with(chunk, |event| {
            events.push([event.event.into_owned(), event.data.into_owned(), event.id.text().into_owned()]);
        });
        if let Err(error) = outcome {
            failed = Some(error);
            break;
        }
    }
    let failed = failed.or_else(|| parser.close().err());
    (events, failed, parser.last_event_id().text().into_owned(), parser.retry())
}

type Seen = (Vec<(String, String)>, Option<ParseError>);

/// The kind and the text of every event.
fn run_dialect<D>(mut parser: StreamParser<D>, chunks: &[&[u8]]) -> Seen
where
    D: Dialect,
    for<'a> D::Event<'a>: std::fmt::Debug,
{
    fn note<'a>(event: &(impl StreamEvent<'a> + std::fmt::Debug)) -> (String, String) {
        let debug = format!("{event:?}");
        (debug.split('(').next().unwrap_or_default().to_owned(), event.text().to_owned())
    }
    let mut seen = Vec::new();
    for chunk in chunks {
        if let Err(error) = parser.feed_with(chunk, |event| seen.push(note(&event))) {
            assert_eq!(parser.feed_with(b"x", |_| panic!("an event after an error")), Err(error));
            return (seen, Some(error));
        }
    }
    let outcome = parser.close(|event| seen.push(note(&event))).err();
    (seen, outcome)
}

#[test]
fn framing() {
    let mut count = 0;
    for (file, vectors) in vectors() {
        for case in vectors["framing"].as_array().into_iter().flatten() {
            let wire = bytes(&case["wire"]);
            for chunks in splits(&wire) {
                let context = format!(
                    "{file}: {}: {:?}",
                    case["name"],
                    chunks.iter().map(|c| c.len()).collect::<Vec<_>>()
                );
                match case["parser"].as_str() {
                    Some("JSONStreamParser") => {
                        let (frames, error) = run_json(&chunks, options(case, true));
                        let want: Vec<_> =
                            case["frames"].as_array().expect("frames").iter().map(bytes).collect();
                        assert_eq!(frames, want, "{context}");
                        check_error(case, error, &context);
                    }
                    Some("SSEParser") => {
                        let (events, error, id, retry) = run_sse(&chunks, options(case, true));
                        let want: Vec<[String; 3]> = case["events"]
                            .as_array()
                            .expect("events")
                            .iter()
                            .map(|event| {
                                ["event", "data", "id"]
                                    .map(|name| event[name].as_str().expect("a string").to_owned())
                            })
                            .collect();
                        assert_eq!(events, want, "{context}");
                        check_error(case, error, &context);
                        if let Some(want) = case["last_event_id"].as_str() {
                            assert_eq!(id, want, "{context}");
                        }
                        if let Some(want) = case.get("retry") {
                            assert_eq!(retry, want.as_u64(), "{context}");
                        }
                    }
                    other => panic!("{context}: unknown parser {other:?}"),
                }
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} framing vectors");
}

#[test]
fn dialects() {
    let mut count = 0;
    for (file, vectors) in vectors() {
        for case in vectors["dialects"].as_array().into_iter().flatten() {
            let wire = bytes(&case["wire"]);
            for (chunks, predict) in
                splits(&wire).into_iter().flat_map(|chunks| [(chunks.clone(), true), (chunks, false)])
            {
                let context = format!(
                    "{file}: {}: {:?}",
                    case["name"],
                    chunks.iter().map(|c| c.len()).collect::<Vec<_>>()
                );
                let options = options(case, predict);
                let (seen, error) = match case["parser"].as_str() {
                    Some("clova") => run_dialect(clova::StreamParser::new(options), &chunks),
                    Some("exaone") => run_dialect(exaone::StreamParser::new(options), &chunks),
                    Some("openai") => run_dialect(openai_parser(case, options), &chunks),
                    Some("a2a") => run_dialect(a2a::StreamParser::with_end(end(case), options), &chunks),
                    other => panic!("{context}: unknown parser {other:?}"),
                };
                if let Some(events) = case["events"].as_array() {
                    let want: Vec<_> = events
                        .iter()
                        .map(|event| {
                            let text = event["text"].as_str().unwrap_or_default();
                            (event["kind"].as_str().expect("a kind").to_owned(), text.to_owned())
                        })
                        .collect();
                    assert_eq!(seen, want, "{context}");
                } else {
                    let texts: Vec<_> = seen.into_iter().map(|(_, text)| text).collect();
                    assert_eq!(serde_json::json!(texts), case["texts"], "{context}");
                }
                check_error(case, error, &context);
            }
            count += 1;
        }
    }
    assert!(count > 15, "only {count} dialect vectors");
}
