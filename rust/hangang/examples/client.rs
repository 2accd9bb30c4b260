//! Streams an answer of CLOVA Studio from the local server, `hangang serve`, with nothing but the standard library.
//! A program of your own takes an HTTP client with TLS instead; the loop over its chunks is the same.
//!
//! ```sh
//! cargo run --example client -- 127.0.0.1:8000 "한강은 얼마나 길어?"
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use hangang::clova::{Event, StreamParser};

/// Sends the question and returns the body of the answer, which ends with the connection: HTTP/1.0 has no chunks.
fn ask(address: &str, question: &str) -> Result<BufReader<TcpStream>, Box<dyn Error>> {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{question}"}}]}}"#);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v3/chat-completions/HCX-005 HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer nv-try\r\n\
         Accept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if line.split(' ').nth(1) != Some("200") {
        return Err(line.trim_end().into());
    }
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line)?;
    }
    Ok(answer)
}

/// Prints an event.
fn show(event: Event<'_>) {
    match event {
        Event::Token(token) => {
            print!("{}", token.text);
            let _ = std::io::stdout().flush();
        }
        Event::Result(answer) => {
            let tokens = answer.usage.and_then(|usage| usage.completion_tokens);
            println!("\n({} tokens)", tokens.unwrap_or_default());
        }
        Event::Error(error) => eprintln!("\n{}", error.message),
        _ => {}
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: client HOST:PORT QUESTION")?;
    let mut body = ask(&address, &arguments.next().unwrap_or_default())?;
    let mut parser = StreamParser::default();
    let mut chunk = [0; 16 << 10];
    loop {
        let length = body.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        parser.feed_with(&chunk[..length], show)?;
    }
    // The end of the bytes is not the end of the answer: `close` returns an error if it was cut.
    parser.close(show)?;
    Ok(())
}
