"""The clients' common part: requests, keys, retries, errors, streams. No parsing and no service's rules.

From the bottom up; a module imports only what is above it in this list:
- `hangang._rate_limit`, `errors`: what an answer's headers and error bodies mean;
- `http/`: HTTP libraries behind one small interface; the only place that names one;
- `tracebacks`: keeps keys out of tracebacks; `logs`: `HANGANG_LOG`; `deadline`: `total_timeout`;
- `options`, `request`, `response`, `files`: what is configured, sent and returned;
- `retry`: what is tried again, and when;
- `observer`: the slot of an observer of answers;
- `attempt`: one attempt at reading a stream, without I/O;
- `transport`: sends a request; `stream`: `Stream` and `AsyncStream`; `base`: the base classes of clients;
- `messages`, `openai_format`: chat requests that several services share.
"""
