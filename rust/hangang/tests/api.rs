//! What users of the crate rely on besides the vectors.

use hangang::{ErrorKind, Look, Missing, Options, ParseError, Service, StreamEvent, clova, exaone, openai};

const TOKEN: &str = concat!(
    "id:3d9f1c7e-5a2b-4c8d-9e0f-112233445566\nevent:token\n",
    r#"data:{"message":{"role":"assistant","content":"안녕하세요"},"finishReason":null,"#,
    r#""created":1755269271,"seed":2821919132,"usage":null}"#,
    "\n\n"
);
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn a_token_fits_a_line_of_a_log() {
    let mut events = Vec::new();
    let mut parser = clova::StreamParser::default();
    parser.feed(TOKEN.repeat(2).as_bytes(), &mut events).expect("a good stream");
    assert_eq!(events.len(), 2);
    for event in &events {
        let text = format!("{event:?}");
        assert!(text.len() < 200, "{} bytes: {text}", text.len());
        assert!(text.starts_with("Token(Token { text: \"안녕하세요\", role: \"assistant\","), "{text}");
    }
    // The second was predicted: the same fields, the same payload.
    assert_eq!(format!("{:?}", events[0]), format!("{:?}", events[1]));
    assert_eq!(events[0].raw(), events[1].raw());
}

#[test]
fn payloads_are_shown_as_text() {
    let mut events = Vec::new();
    let mut parser = openai::StreamParser::default();
    parser.feed("data: [\"강\"]\n\ndata: [DONE]\n\n".as_bytes(), &mut events).expect("a good stream");
    let shown = format!("{events:?}");
    assert_eq!(
        shown,
        r#"[Unknown(Unknown { data: "[\"강\"]", raw: "[\"강\"]" }), Done(Done { raw: "[DONE]" })]"#
    );
}

fn shown(chunks: &[&str], options: Options) -> (Vec<String>, Option<ParseError>) {
    let (mut texts, mut error) = (Vec::new(), None);
    for item in hangang::events(chunks, openai::StreamParser::new(options)) {
        assert_eq!(error, None, "an item after the error");
        match item {
            Ok(event) => texts.push(event.text().to_owned()),
            Err(raised) => error = Some(raised),
        }
    }
    (texts, error)
}

#[test]
fn events_come_before_the_error() {
    let bad = [DELTA, &format!("{DELTA}data: nope\n\n")].concat();
    let (texts, error) = shown(&[&bad[..10], &bad[10..]], Options::default());
    assert_eq!(texts, ["a", "a"]);
    assert!(matches!(error.map(|error| error.kind()), Some(ErrorKind::InvalidJson { .. })));
}

#[test]
fn a_cut_stream_ends_with_an_error() {
    let (texts, error) = shown(&[DELTA], Options::default());
    assert_eq!(texts, ["a"]);
    let error = error.expect("an error");
    assert_eq!(error.kind(), ErrorKind::Truncated { expected: Missing::OpenAiEnd });
    assert_eq!(error.offset(), DELTA.len() as u64);
    let (texts, error) = shown(&[DELTA, FINISH], Options::default());
    assert_eq!((texts.len(), error), (2, None));
    assert_eq!(shown(&[], Options::default()).1.map(|error| error.offset()), Some(0));
}

#[test]
fn a_closed_parser_takes_no_more() {
    let mut parser = openai::StreamParser::default();
    parser.feed_with(FINISH.as_bytes(), |_| {}).expect("a good stream");
    parser.close(|_| {}).expect("a finished stream");
    let error = parser.feed_with(DELTA.as_bytes(), |_| panic!("an event after close")).expect_err("closed");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Closed, "feed after close()"));
    parser.close(|_| panic!("an event after close")).expect("closing twice does nothing");

    let mut parser = hangang::SseParser::new(1024);
    parser.close().expect("WHATWG has no truncation");
    assert_eq!(parser.feed_with(b"", |_| {}).expect_err("closed").kind(), ErrorKind::Closed);
    let mut parser = hangang::JsonStreamParser::new(1024, 8);
    parser.close().expect("nothing was open");
    assert_eq!(parser.feed_with(b"", |_| {}).expect_err("closed").kind(), ErrorKind::Closed);
}

#[test]
fn deferred_events_come_before_newer_ones() {
    let mut parser = openai::StreamParser::default();
    let mut text = String::new();
    parser.feed_text(format!("{DELTA}data: [DONE]\n\n").as_bytes(), &mut text).expect("a good stream");
    let mut events = Vec::new();
    parser.feed(format!("{DELTA}data: nope\n\n").as_bytes(), &mut events).expect_err("a bad frame");
    assert_eq!(text, "a");
    let kinds: Vec<_> = events.iter().map(|event| matches!(event, openai::Event::Done(_))).collect();
    assert_eq!(kinds, [true, false], "{events:?}");
}

#[test]
fn events_that_repeat_an_id_share_it() {
    let long = "i".repeat(100_000);
    let frame = "event: token\ndata: {\"message\":{\"content\":\"a\"}}\n\n".repeat(100);
    for predict in [true, false] {
        let mut parser = clova::StreamParser::new(Options { predict, ..Options::default() });
        let mut events = Vec::new();
        parser.feed(format!("id: {long}\n{frame}").as_bytes(), &mut events).expect("a good stream");
        let ids: Vec<_> = events
            .iter()
            .map(|event| match event {
                clova::Event::Token(token) => token.id.to_arc(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids.len(), 100);
        assert_eq!(&*ids[0], long.as_bytes());
        assert!(ids.iter().all(|id| std::sync::Arc::ptr_eq(id, &ids[0])), "predict: {predict}");
    }
    let mut parser = hangang::SseParser::new(1 << 20);
    let mut events = Vec::new();
    parser
        .feed_with(format!("id: {long}\n{}", "data:\n\n".repeat(100)).as_bytes(), |event| {
            events.push(event.into_owned());
        })
        .expect("a good stream");
    let first = events[0].id.to_arc();
    assert!(events.iter().all(|event| std::sync::Arc::ptr_eq(&event.id.to_arc(), &first)));
}

#[test]
fn the_last_id_and_retry_stay_readable_after_an_error() {
    let wire = b"id: 7\nretry: 30\n\nid: 8\ndata: too long";
    for cut in 0..wire.len() {
        let mut parser = hangang::SseParser::new(12);
        let outcome =
            parser.feed_with(&wire[..cut], |_| {}).and_then(|()| parser.feed_with(&wire[cut..], |_| {}));
        assert!(matches!(outcome.map_err(|error| error.kind()), Err(ErrorKind::FrameTooLarge { .. })));
        assert_eq!((&*parser.last_event_id().text(), parser.retry(), parser.pending()), ("7", Some(30), 0));
    }
}

#[test]
fn what_thinking_tags_hold_back_is_never_lost() {
    let delta =
        |content: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n");
    let parser = || {
        let tags = openai::ThinkingTags::new("<think>", "</think>", false).expect("two tags");
        openai::StreamParser::with_thinking_tags(tags, Options::default())
    };
    // Before an error of the stream, as its last event; the text that is surely text is not held back.
    let wire = delta("a<thi") + "data: nope\n\n";
    let mut events = Vec::new();
    parser().feed(wire.as_bytes(), &mut events).expect_err("a bad frame");
    let texts: Vec<_> = events.iter().map(StreamEvent::text).collect();
    assert_eq!(texts, ["a", "<thi"]);
    assert!(events[1].raw().is_empty());
    // Out of close, when only text was asked for.
    let mut parser = parser();
    let mut text = String::new();
    parser.feed_text((delta("<think>x</th") + "data: [DONE]\n\n").as_bytes(), &mut text).expect("good");
    let mut closing = Vec::new();
    parser
        .close(|event| closing.push((event.thinking().to_owned(), event.raw().into_owned())))
        .expect("ended");
    assert_eq!(closing, [("</th".to_owned(), b"".to_vec()), (String::new(), b"[DONE]".to_vec())]);
    assert_eq!(text, "");
    assert!(openai::ThinkingTags::new("a", "a", false).is_err());
    assert!(openai::ThinkingTags::new("", "a", true).is_err());
}

#[test]
fn a_stream_of_another_service_is_named() {
    let mut parser = exaone::StreamParser::default();
    parser.feed_with(DELTA.as_bytes(), |_| {}).expect("SSE with an unknown object");
    let error = parser.close(|_| {}).expect_err("no stream of EXAONE");
    let look = Look::Stream(Service::OpenAi);
    assert_eq!(error.kind(), ErrorKind::Unrecognized { expected: Service::Exaone, look });
    let found = "expected EXAONE events, found a stream of hangang.openai";
    assert_eq!(error.to_string(), format!("stream not recognized at byte {}: {found}", DELTA.len()));
}

#[test]
fn a_whole_stream_has_its_deltas_merged() {
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    let call =
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"1\"}}]}}]}\n\n";
    let wire = [role, &DELTA.repeat(5), &call.repeat(2), "data: trx\n\n"].concat();
    let whole = hangang::read_whole(wire.as_bytes(), openai::StreamParser::default());
    let mut events = Vec::new();
    let error = openai::StreamParser::default().feed(wire.as_bytes(), &mut events).expect_err("a bad frame");
    assert_eq!(whole.error, Some(error));
    assert_eq!((whole.events.len(), whole.count), (4, 8));
    let text = |events: &[openai::Event<'_>]| events.iter().map(StreamEvent::text).collect::<String>();
    assert_eq!(text(&whole.events), text(&events));
    assert_eq!(whole.events[1].text(), events[1].text().repeat(5));
    assert_eq!(whole.events[1].raw(), &b""[..]);
    assert_eq!(whole.events[2], events[6]);
}
