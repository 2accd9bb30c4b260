//! The crate alone: chunks in memory to borrowed events. `cargo bench --bench decode`

mod streams;

use divan::{Bencher, counter::BytesCount};

fn main() {
    divan::main();
}

const SHAPES: [&str; 4] = ["clova_v3", "openai", "exaone_small", "exaone_refs"];

/// The last argument is the size of the chunks; 0: one event a chunk.
#[divan::bench(args = SHAPES, consts = [16384, 0])]
fn feed_with<const CHUNK: usize>(bencher: Bencher, name: &str) {
    let stream = streams::all(1000).into_iter().find(|stream| stream.name == name).expect("a known name");
    let chunks = stream.chunks(CHUNK);
    bencher
        .counter(BytesCount::new(stream.wire().len()))
        .bench(|| streams::decode(name, divan::black_box(&chunks)));
}

/// Prediction off: every frame by the full parse.
#[divan::bench(args = SHAPES)]
fn without_prediction(bencher: Bencher, name: &str) {
    use hangang::{Options, StreamEvent, clova, exaone, openai};

    let stream = streams::all(1000).into_iter().find(|stream| stream.name == name).expect("a known name");
    let chunks = stream.chunks(16384);
    let options = Options { predict: false, ..Options::default() };
    macro_rules! run {
        ($parser:expr) => {{
            let mut parser = $parser;
            let mut bytes = 0;
            for chunk in divan::black_box(&chunks) {
                parser.feed_with(chunk, |event| bytes += event.text().len()).expect("a good stream");
            }
            bytes
        }};
    }
    bencher.counter(BytesCount::new(stream.wire().len())).bench(|| match name {
        "clova_v3" => run!(clova::StreamParser::new(options)),
        "openai" => run!(openai::StreamParser::new(options)),
        _ => run!(exaone::StreamParser::new(options)),
    });
}
