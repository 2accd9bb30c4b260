//! The program that `benches/instructions.py` runs under callgrind: one scenario a run, named by its argument. Only
//! what happens inside `measured` is counted.

mod streams;

use std::hint::black_box;

#[inline(never)]
fn measured(name: &str, chunks: &[Vec<u8>], predict: bool) -> usize {
    streams::decode_with(name, chunks, predict)
}

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    for stream in streams::all(300) {
        for (cut, size, predict) in [
            ("16k", 16384, true),
            ("event", 0, true),
            ("7-bytes", 7, true),
            ("16k-unpredicted", 16384, false),
        ] {
            let scenario = format!("{}/{cut}", stream.name);
            if argument == "--list" {
                println!("{scenario}");
            } else if argument == scenario {
                let chunks = stream.chunks(size);
                println!("{}", black_box(measured(stream.name, black_box(&chunks), predict)));
            }
        }
    }
}
