//! Streams as the services send them, for all benches of the crate. `python/hangang/cli/bench/workloads.py` has the same
//! ones for the benches in Python.
#![allow(dead_code)] // each bench takes what it needs

use std::fmt::Write;

const WORDS: [&str; 16] = [
    "한강",
    "은 ",
    "서울",
    "을 ",
    "지나 ",
    "서해",
    "로 ",
    "흐르",
    "는 ",
    "494",
    "km",
    "의 ",
    "강",
    "입니다",
    ". ",
    "😊\\n",
];

const SYLLABLES: [&str; 32] = [
    "가", "나", "다", "라", "마", "바", "사", "아", "자", "차", "카", "타", "파", "하", "거", "너", "더",
    "러", "머", "버", "서", "어", "저", "처", "커", "터", "퍼", "허", "고", "노", "도", "로",
];
const GOLDEN: f64 = 0.618_033_988_749_894_9; // its multiples, modulo 1, are spread evenly

/// Token `i` of an answer: as in real text, the word of rank r comes 1/r as often as the first (Zipf, 1,023 words).
#[allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn word(i: usize) -> String {
    let rank = 1024_f64.powf((i as f64 * GOLDEN).fract()) as usize - 1;
    match WORDS.get(rank) {
        Some(word) => (*word).to_owned(),
        None => format!("{}{} ", SYLLABLES[rank % 32], SYLLABLES[rank / 32]),
    }
}

/// Looks like a UUID, differs for every `i`, and needs no random source.
fn uuid(i: usize) -> String {
    let digits = format!("{:032x}", (i as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
    format!("{}-{}-4{}-a{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

/// A stream as its frames: one event each.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Stream {
    /// The bytes in one piece.
    pub(crate) fn wire(&self) -> Vec<u8> {
        self.frames.concat()
    }

    /// The bytes in pieces of `size`; 0: one event a piece.
    pub(crate) fn chunks(&self, size: usize) -> Vec<Vec<u8>> {
        if size == 0 {
            return self.frames.clone();
        }
        self.wire().chunks(size).map(<[u8]>::to_vec).collect()
    }
}

/// CLOVA Studio v3: `n` tokens, a result with the whole text, the signal.
pub(crate) fn clova_v3(n: usize) -> Stream {
    let frame = |i: usize, event: &str, payload: &str| {
        format!("id:{}\nevent:{event}\ndata:{payload}\n\n", uuid(i)).into_bytes()
    };
    let rest = r#""finishReason":null,"created":1755269271,"seed":2821919132,"usage":null}"#;
    let token = |i| format!(r#"{{"message":{{"role":"assistant","content":"{}"}},{rest}"#, word(i));
    let mut frames: Vec<_> = (0..n).map(|i| frame(i, "token", &token(i))).collect();
    let text: String = (0..n).map(word).collect();
    let usage = format!(r#"{{"promptTokens":20,"completionTokens":{n},"totalTokens":{}}}"#, n + 20);
    let message = format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    let result = format!(r#"{{"message":{message},"finishReason":"stop","usage":{usage}}}"#);
    frames.push(frame(n, "result", &result));
    frames.push(frame(n + 1, "signal", r#"{"data":"[DONE]"}"#));
    Stream { name: "clova_v3", frames }
}

/// An OpenAI-compatible stream: `n` deltas, the finish reason, `[DONE]`.
pub(crate) fn openai(n: usize) -> Stream {
    let line = |delta: &str, reason: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-7f0","object":"chat.completion.chunk","created":1763770000,"#,
                r#""model":"HCX-GOV-THINK","choices":[{{"index":0,"delta":{},"logprobs":null,"finish_reason":{}}}]}}"#,
                "\n\n"
            ),
            delta, reason
        )
        .into_bytes()
    };
    let mut frames: Vec<_> =
        (0..n).map(|i| line(&format!(r#"{{"content":"{}"}}"#, word(i)), "null")).collect();
    frames.push(line("{}", r#""stop""#));
    frames.push(b"data: [DONE]\n\n".to_vec());
    Stream { name: "openai", frames }
}

/// EXAONE: `n` answering frames, all with the same `references`, without separators.
fn exaone(name: &'static str, n: usize, intent: &str, references: &str) -> Stream {
    let frame = |i| {
        format!(
            concat!(
                r#"{{"result_code": 200, "description": null, "data": {{"query": "무더위를 슬기롭게 극복하는 방법", "#,
                r#""intent": "{}", "answer": "{}", "references": [{}], "progress_state": "answering"}}}}"#
            ),
            intent,
            word(i),
            references
        )
        .into_bytes()
    };
    Stream { name, frames: (0..n).map(frame).collect() }
}

/// EXAONE text generation.
pub(crate) fn exaone_small(n: usize) -> Stream {
    exaone("exaone_small", n, "chitchat", "{}")
}

/// EXAONE web search: 20 references, some 4 KB, in each frame.
pub(crate) fn exaone_refs(n: usize) -> Stream {
    let mut references = String::new();
    for i in 1..=20 {
        let separator = if i == 1 { "" } else { ", " };
        let contents = "물을 자주 마시고 한낮에는 쉬는 것이 좋다. <strong>기상청</strong> | ".repeat(2);
        write!(
            references,
            concat!(
                r#"{}{{"card": "https://example.com/news/{}", "index": {}, "title": "무더위를 이기는 방법 {}", "#,
                r#""contents": "{}"}}"#
            ),
            separator, i, i, i, contents
        )
        .expect("a String takes everything");
    }
    exaone("exaone_refs", n, "web_search", &references)
}

/// Every stream, some `n` events each.
pub(crate) fn all(n: usize) -> [Stream; 4] {
    [clova_v3(n), openai(n), exaone_small(n), exaone_refs(n)]
}

/// Decodes a stream with a fresh parser, borrowed events, and returns the bytes of its text.
pub(crate) fn decode(name: &str, chunks: &[Vec<u8>]) -> usize {
    decode_with(name, chunks, true)
}

/// The same; without prediction every frame is parsed in full.
pub(crate) fn decode_with(name: &str, chunks: &[Vec<u8>], predict: bool) -> usize {
    use hangang::{Dialect, Options, StreamEvent, StreamParser, clova, exaone, openai};

    fn run<D: Dialect>(mut parser: StreamParser<D>, chunks: &[Vec<u8>]) -> usize {
        let mut bytes = 0;
        for chunk in chunks {
            parser.feed_with(chunk, |event| bytes += event.text().len()).expect("a good stream");
        }
        bytes
    }
    let options = Options { predict, ..Options::default() };
    match name {
        "clova_v3" => run(clova::StreamParser::new(options), chunks),
        "openai" => run(openai::StreamParser::new(options), chunks),
        _ => run(exaone::StreamParser::new(options), chunks),
    }
}
