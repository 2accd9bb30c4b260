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
    let stream = streams::all(1000).into_iter().find(|stream| stream.name == name).expect("a known name");
    let chunks = stream.chunks(16384);
    bencher
        .counter(BytesCount::new(stream.wire().len()))
        .bench(|| streams::decode_with(name, divan::black_box(&chunks), false));
}
