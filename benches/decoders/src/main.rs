//! What it costs to turn CLOVA token payloads and EXAONE frames into typed fields: the crate's full parse (framing,
//! validation, typed events, prediction off) beside serde_json, sonic-rs and jiter on payloads already split.
//!
//! `cargo run --release --manifest-path benches/decoders/Cargo.toml`: nanoseconds a frame, medians of interleaved
//! rounds, and the ratio to serde_json.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use hangang::{Options, clova, exaone};
use jiter::{Jiter, Peek};
use serde::Deserialize;

const FRAMES: usize = 2000;
const ROUNDS: usize = 31;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    created: Option<i64>,
    seed: Option<i64>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    intent: Cow<'a, str>,
    #[serde(borrow)]
    answer: Cow<'a, str>,
    #[serde(borrow)]
    progress_state: Cow<'a, str>,
    #[serde(borrow)]
    references: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Answer<'a> {
    result_code: i64,
    #[serde(borrow)]
    data: Data<'a>,
}

/// The references as a lazy value, sonic-rs's own.
#[derive(Deserialize)]
struct SonicData<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    answer: Cow<'a, str>,
    #[serde(borrow)]
    references: sonic_rs::LazyValue<'a>,
}

#[derive(Deserialize)]
struct SonicAnswer<'a> {
    result_code: i64,
    #[serde(borrow)]
    data: SonicData<'a>,
}

fn tokens() -> Vec<String> {
    let words = ["안녕", "하세요", " 오늘은", "\\n", " weather", "입니다", ".", " 😊"];
    (0..FRAMES)
        .map(|at| {
            format!(
                "{{\"message\":{{\"role\":\"assistant\",\"content\":\"{}\"}},\"finishReason\":null,\
                 \"created\":1744710905,\"seed\":3284419119,\"usage\":null}}",
                words[at * 7 % words.len()]
            )
        })
        .collect()
}

fn answers(references: usize) -> Vec<String> {
    let item = "{\"card\": \"https://example.com/a\", \"index\": 1, \"title\": \"무더위를 이기는 방법\", \
                \"contents\": \"더위를 슬기롭게 이기려면 물을 자주 마시고 한낮 외출은 피하는 것이 좋아요 | 건강\"}";
    let list = if references == 0 { "{}".to_owned() } else { vec![item; references].join(", ") };
    (0..FRAMES / 4)
        .map(|at| {
            format!(
                "{{\"result_code\": 200, \"description\": null, \"data\": {{\"query\": \"무더위\", \"intent\": \
                 \"web_search\", \"answer\": \"더위{at}\", \"references\": [{list}], \"progress_state\": \"answering\"}}}}"
            )
        })
        .collect()
}

fn jiter_token(payload: &[u8]) -> usize {
    let mut jiter = Jiter::new(payload);
    let mut length = 0;
    let mut name = jiter.next_object().expect("an object").map(str::to_owned);
    while let Some(key) = name {
        if key == "message" {
            let mut inner = jiter.next_object().expect("an object").map(str::to_owned);
            while let Some(key) = inner {
                match (key.as_str(), jiter.peek().expect("a value")) {
                    ("content", Peek::String) => length += jiter.known_str().expect("a string").len(),
                    (_, peek) => jiter.known_skip(peek).expect("a value"),
                }
                inner = jiter.next_key().expect("a key").map(str::to_owned);
            }
        } else {
            jiter.next_skip().expect("a value");
        }
        name = jiter.next_key().expect("a key").map(str::to_owned);
    }
    length
}

fn measure(title: &str, frames: usize, runs: &mut [(&str, Box<dyn FnMut() -> usize + '_>)]) {
    let mut samples = vec![Vec::new(); runs.len()];
    for round in 0..ROUNDS {
        for step in 0..runs.len() {
            let at = (step + round) % runs.len();
            runs[at].1(); // warm
            let start = Instant::now();
            black_box(runs[at].1());
            samples[at].push(start.elapsed().as_nanos() as f64 / frames as f64);
        }
    }
    let medians: Vec<f64> = samples
        .iter_mut()
        .map(|sample| {
            sample.sort_by(f64::total_cmp);
            sample[sample.len() / 2]
        })
        .collect();
    println!("{title}");
    for ((name, _), median) in runs.iter().zip(&medians) {
        println!("  {name:<44} {median:>8.0} ns  {:>5.2} x serde_json", median / medians[0]);
    }
}

fn main() {
    let options = Options { predict: false, ..Options::default() };
    let payloads = tokens();
    let stream: String = payloads
        .iter()
        .map(|payload| format!("id:8f14e45f-ceea-467f-a8d5-1c2b3d4e5f60\nevent:token\ndata:{payload}\n\n"))
        .collect();
    measure(
        "CLOVA v3 tokens",
        payloads.len(),
        &mut [
            (
                "serde_json, typed, payloads split",
                Box::new(|| {
                    payloads
                        .iter()
                        .map(|payload| {
                            let token: Token = serde_json::from_str(payload).expect("a token");
                            let others = token.created.unwrap_or(0) + token.seed.unwrap_or(0);
                            black_box((others, token.finish_reason, token.message.role));
                            token.message.content.map_or(0, |content| content.len())
                        })
                        .sum()
                }),
            ),
            (
                "sonic-rs, typed, payloads split",
                Box::new(|| {
                    payloads
                        .iter()
                        .map(|payload| {
                            let token: Token = sonic_rs::from_str(payload).expect("a token");
                            let others = token.created.unwrap_or(0) + token.seed.unwrap_or(0);
                            black_box((others, token.finish_reason, token.message.role));
                            token.message.content.map_or(0, |content| content.len())
                        })
                        .sum()
                }),
            ),
            (
                "jiter, text only, payloads split",
                Box::new(|| payloads.iter().map(|payload| jiter_token(payload.as_bytes())).sum()),
            ),
            (
                "hangang, SSE framing and events, full parse",
                Box::new(|| {
                    let mut parser = clova::StreamParser::new(options);
                    let mut length = 0;
                    parser
                        .feed_with(stream.as_bytes(), |event| {
                            if let clova::Event::Token(token) = event {
                                length += token.text.len();
                            }
                        })
                        .expect("a good stream");
                    length
                }),
            ),
            (
                "hangang, SSE framing and events, predicted",
                Box::new(|| {
                    let mut parser = clova::StreamParser::default();
                    let mut length = 0;
                    parser
                        .feed_with(stream.as_bytes(), |event| {
                            if let clova::Event::Token(token) = event {
                                length += token.text.len();
                            }
                        })
                        .expect("a good stream");
                    length
                }),
            ),
        ],
    );
    for (title, references) in
        [("EXAONE frames without references", 0), ("EXAONE frames with 20 references", 20)]
    {
        let frames = answers(references);
        let stream = frames.concat();
        measure(
            title,
            frames.len(),
            &mut [
                (
                    "serde_json, typed, raw references",
                    Box::new(|| {
                        frames
                            .iter()
                            .map(|frame| {
                                let answer: Answer = serde_json::from_str(frame).expect("an answer");
                                black_box((
                                    answer.result_code,
                                    answer.data.query,
                                    answer.data.intent,
                                    answer.data.progress_state,
                                    answer.data.references.get().len(),
                                ));
                                answer.data.answer.len()
                            })
                            .sum()
                    }),
                ),
                (
                    "sonic-rs, typed, lazy references",
                    Box::new(|| {
                        frames
                            .iter()
                            .map(|frame| {
                                let answer: SonicAnswer = sonic_rs::from_str(frame).expect("an answer");
                                black_box((
                                    answer.result_code,
                                    answer.data.query,
                                    answer.data.references.as_raw_str().len(),
                                ));
                                answer.data.answer.len()
                            })
                            .sum()
                    }),
                ),
                (
                    "hangang, JSON framing and events, full parse",
                    Box::new(|| {
                        let mut parser = exaone::StreamParser::new(options);
                        let mut length = 0;
                        parser
                            .feed_with(stream.as_bytes(), |event| {
                                if let exaone::Event::Answer(answer) = event {
                                    length += answer.text.len();
                                }
                            })
                            .expect("a good stream");
                        length
                    }),
                ),
                (
                    "hangang, JSON framing and events, predicted",
                    Box::new(|| {
                        let mut parser = exaone::StreamParser::default();
                        let mut length = 0;
                        parser
                            .feed_with(stream.as_bytes(), |event| {
                                if let exaone::Event::Answer(answer) = event {
                                    length += answer.text.len();
                                }
                            })
                            .expect("a good stream");
                        length
                    }),
                ),
            ],
        );
    }
}
