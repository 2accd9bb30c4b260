//! How far the crate is from a bare comparison: decoding a stream against `memcmp` over the same bytes. Both sides are
//! timed in turn in one process, and the median of the rounds' ratios is printed. `cargo bench --bench memcmp`

mod streams;

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 41;
const REPEATS: u32 = 20;

fn time<T>(mut run: impl FnMut() -> T) -> Duration {
    black_box(run()); // warm
    let start = Instant::now();
    for _ in 0..REPEATS {
        black_box(run());
    }
    start.elapsed() / REPEATS
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    values[values.len() / 2]
}

fn main() {
    println!("speed of decoding as a part of memcmp's over the same bytes, chunks of 16 KB");
    for stream in streams::all(200) {
        let chunks = stream.chunks(16384);
        let copy = chunks.clone();
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let compared =
                    time(|| black_box(&chunks).iter().zip(black_box(&copy)).all(|(one, other)| one == other));
                let decoded = time(|| streams::decode(stream.name, black_box(&chunks)));
                (compared.as_secs_f64() / decoded.as_secs_f64(), decoded)
            })
            .collect();
        let ratio = median(rounds.iter().map(|round| round.0).collect());
        let decoded = median(rounds.iter().map(|round| round.1).collect());
        let events = u32::try_from(stream.frames.len()).expect("few");
        println!("{:<13} {ratio:.3}  ({:?} an event)", stream.name, decoded / events);
    }
}
