//! Decodes a stream of any of the four dialects from a file or from standard input, as an SDK with its own HTTP would:
//! chunks in, events out, and at the end a line about how the stream ended.
//!
//! ```sh
//! cargo run --example decode -- exaone tests/captures/exaone/text_generation.jsonstream
//! curl -sN … | cargo run --example decode -- clova
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use hangang::{Dialect, Options, StreamEvent, StreamParser, a2a, clova, exaone, openai};

/// Prints answer text as it arrives. An error is returned after everything that was complete before it.
fn decode<D: Dialect>(mut input: impl Read, mut parser: StreamParser<D>) -> Result<usize, String> {
    let mut out = io::stdout().lock();
    let mut chunk = [0; 16 << 10];
    let mut events = 0;
    let mut broken = None;
    loop {
        let length = input.read(&mut chunk).map_err(|error| error.to_string())?;
        if length == 0 {
            break;
        }
        let outcome = parser.feed_with(&chunk[..length], |event| {
            events += 1;
            broken = broken.take().or(out.write_all(event.text().as_bytes()).err());
        });
        if let Some(error) = broken {
            return Err(error.to_string());
        }
        out.flush().map_err(|error| error.to_string())?;
        outcome.map_err(|error| error.to_string())?;
    }
    // The end of the input is not the end of the answer: only `close` decides whether it was complete.
    parser.close(|_| events += 1).map_err(|error| error.to_string())?;
    Ok(events)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let dialect = arguments.next().unwrap_or_default();
    let input: Box<dyn Read> = match arguments.next() {
        None => Box::new(io::stdin().lock()),
        Some(path) => match File::open(&path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::from(2);
            }
        },
    };
    let options = Options::default();
    let outcome = match dialect.as_str() {
        "clova" => decode(input, clova::StreamParser::new(options)),
        "exaone" => decode(input, exaone::StreamParser::new(options)),
        "openai" => decode(input, openai::StreamParser::new(options)),
        "a2a" => decode(input, a2a::StreamParser::new(options)),
        _ => {
            eprintln!("usage: decode clova|exaone|openai|a2a [FILE]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(events) => {
            eprintln!("\ncomplete: {events} events");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}
