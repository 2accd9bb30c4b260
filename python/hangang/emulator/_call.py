"""One request on its way through a service: controls, key, limits, refusals, answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.client import responses
from random import Random
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message

from ._controls import ControlError, Controls
from ._faults import Frame, Frames, Plan, one_shot
from ._replies import AnswersError
from ._requests import Request as ReceivedRequest
from ._requests import decoded
from ._state import State
from ._wire import dump, frames_of, read_json, text_of
from .fake_answers import Script, UnusableSchema, compose, count_tokens, scripted
from .json_types import is_object

JSON = dict[str, Any]
MAX_BODY = 50 * 2**20  # [clova §7.2] 41300


@dataclass(eq=False)
class Refusal(Exception):
    """The service refuses the request: an HTTP status, the service's own code, and a message."""

    status: int
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(eq=False)
class Replay(Exception):
    """The answer is a capture, to be sent byte for byte."""

    body: bytes
    stream: bool


def refusal_of(code: int | str, message: str) -> Refusal:
    """A chosen error; a code of three digits is an HTTP status."""
    text = str(code)
    if re.fullmatch("[45][0-9]{2}", text):
        return Refusal(int(text), None, message)
    return Refusal(0, text, message)


# What OpenAI calls its errors ([openai §8]); other names are 500.
_NAMED_STATUS = {
    "invalid_api_key": 401,
    "model_not_found": 404,
    "context_length_exceeded": 400,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
}


def status_of(code: str | None) -> int:
    """The HTTP status of a code: its first three digits, if they are one of an error; else 500."""
    found = re.fullmatch("([45][0-9]{2})([0-9]{2})?", code or "")
    return int(found[1]) if found else _NAMED_STATUS.get(code or "", 500)


def phrase(status: int) -> str:
    """HTTP's words for a status."""
    return responses.get(status, "Error")


def no_headers(_limit: int, _left: int, _reset: float) -> dict[str, str]:
    """The rate headers of a service that documents none."""
    return {}


@dataclass(frozen=True)
class Service:
    """What differs between services before any work is done.

    Attributes:
        name: `clova`, `exaone`, `gov`, …
        authenticate: returns the key, or raises `Refusal`.
        error_body: the body of a refusal that `complete` has filled in.
        complete: fills a refusal's missing status, code and message.
        limit: requests a minute of a call, for the rate headers.
        rate_headers: the service's rate headers for (limit, left, seconds to reset).
        spaced: whether its JSON is in Python's spacing.
    """

    name: str
    authenticate: Callable[[Call], str]
    error_body: Callable[[Call, Refusal], JSON]
    complete: Callable[[Refusal], Refusal] = lambda refusal: refusal
    limit: Callable[[Call], int] = lambda _: 60
    rate_headers: Callable[[int, int, float], dict[str, str]] = no_headers
    spaced: bool = False


@dataclass
class Call:
    """A request and all that is needed to answer it; `over_limit`: its body is too large, and dropped."""

    request: Request
    state: State
    controls: Controls
    service: Service
    content: bytes
    received: ReceivedRequest
    over_limit: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters in the path."""
        return cast("Mapping[str, str]", self.request.path_params)

    def header(self, name: str) -> str:
        """A request header, or an empty string."""
        return self.request.headers.get(name, "")

    @property
    def is_form(self) -> bool:
        """Whether the body is a form with files; a form is nothing without its boundary."""
        kind = self.header("content-type").lower()
        return kind.startswith("multipart/form-data") and "boundary=" in kind

    async def read_object(self) -> JSON:
        """The body as a JSON object.

        Raises:
            Refusal: 415 for another content type, 400 for anything but an object of texts that UTF-8 can
            encode.
        """
        kind = self.header("content-type").partition(";")[0].strip().lower()
        if kind == "multipart/form-data" and "boundary=" not in self.header("content-type"):
            raise Refusal(415, "no-boundary")
        if kind != "application/json":
            raise Refusal(415)
        try:
            found = read_json(self.content)
        except (ValueError, RecursionError):
            raise Refusal(400) from None
        if not is_object(found):
            raise Refusal(400)
        return found

    def random(self, *parts: object) -> Random:
        """Random numbers that depend on the seed and these parts of the request alone."""
        source = [self.controls.seed, self.service.name, *parts]
        return Random(json.dumps(source, ensure_ascii=False, sort_keys=True, default=str))

    def random_for(self, body: JSON) -> Random:
        """The same for a path and a body: an answer is one, streamed or not."""
        kept = {key: value for key, value in body.items() if not key.startswith("stream")}
        return self.random(self.request.url.path, kept)

    def script(
        self,
        random: Random,
        *,
        stream: bool,
        prompt: str,
        prompt_tokens: int | None = None,
        limit: object = None,
        call_prefix: str = "call_",
        refuse: Callable[[int | str, str], Exception] = refusal_of,
        **options: Any,
    ) -> Script:
        """The answer that `answers` chooses, else a made-up one within the limit; see `fake_answers`.

        Raises:
            Replay: a capture was chosen.
            Exception: of `refuse`, for an error that was chosen, except after a text in a stream.
        """
        chosen = self.state.replies.next(self.received)
        reply = chosen or compose(random, self.controls, prompt=prompt, **options)
        has_limit = chosen is None and not reply.tool_calls
        if reply.capture is not None:
            raise Replay(reply.body(), stream)
        if reply.error is not None and not (stream and (reply.text or reply.thinking or reply.tool_calls)):
            raise refuse(*reply.error)
        made = replace(
            scripted(random, reply, call_prefix, limit if has_limit else None),
            prompt_tokens=count_tokens(prompt) if prompt_tokens is None else prompt_tokens,
            chosen=chosen is not None,
        )
        # By it a load test checks that it lost nothing.
        self.headers["x-hangang-text-sha256"] = hashlib.sha256(made.text.encode()).hexdigest()
        return made

    def _plan(self, controls: Controls | None = None, **options: Any) -> Plan:
        random = self.random("fragments", self.request.url.path)
        return Plan(controls=controls or self.controls, state=self.state, random=random, **options)

    def whole(self, body: bytes, media_type: str = "application/json") -> Response:
        """A one-shot answer."""
        return one_shot(body, {**self.headers, "content-type": media_type}, self._plan())

    def reply(self, value: object) -> Response:
        """A one-shot JSON answer."""
        return self.whole(dump(value, spaced=self.service.spaced))

    def stream(
        self,
        frames: Iterable[Frame] | AsyncIterable[Frame],
        media_type: str = "text/event-stream",
        error_frames: Callable[[str | None], Iterable[Frame]] | None = None,
        **plan: Any,
    ) -> Response:
        """A stream of frames under the request's controls; `plan` as in `Plan`."""
        planned = self._plan(error_frames=error_frames, **plan)
        return Frames(frames, {**self.headers, "content-type": media_type}, planned)

    def replay(self, found: Replay) -> Response:
        """The bytes of a capture; fragments, pacing and places apply to them as to any stream."""
        if not found.stream:
            return self.whole(found.body)
        return self.stream(frames_of(found.body), newline="body", comment=None)

    def refuse(self, refusal: Refusal, **more: object) -> Response:
        """The service's error answer, always JSON, also where a stream was asked for."""
        refusal = self.service.complete(refusal)
        headers = {**self.headers, **refusal.headers, "content-type": "application/json"}
        if self.controls.retry_after is not None:
            headers["retry-after"] = f"{self.controls.retry_after:g}"
        if self.controls.reset_after is not None:
            headers["x-ratelimit-reset-requests"] = f"{self.controls.reset_after:g}s"
        body = dump({**self.service.error_body(self, refusal), **more}, spaced=self.service.spaced)
        return one_shot(body, headers, self._plan(Controls(delay=self.controls.delay)), refusal.status)


def question_of(messages: Iterable[Any]) -> JSON:
    """What `Call.script` takes of a conversation: the last question, which it is, and all tokens."""
    prompt, turn, tokens = "", 0, 0
    for message in messages:
        text = text_of(message.get("content"))
        tokens += count_tokens(text) + 2
        if message.get("role") == "user":
            prompt, turn = text, turn + 1
    return {"prompt": prompt, "turn": max(turn, 1), "prompt_tokens": tokens}


Handler = Callable[[Call], Awaitable[Response]]


def endpoint(service: Service, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler: count, read the controls, check the key and the limit, catch refusals."""

    async def serve(request: Request) -> Response:
        call = await receive(request, service)
        call.state.served[service.name] += 1
        try:
            call.controls = call.state.controls_for(request.headers.items())
            _limit(call, service.authenticate(call))
            if call.controls.status is not None or call.controls.code is not None:
                raise Refusal(call.controls.status or 0, call.controls.code)
            if call.over_limit:
                raise Refusal(413)
            return await handler(call)
        except ControlError as error:  # in both forms: every client shows the sentence
            return call.refuse(Refusal(400, message=str(error)), emulator={"error": str(error)})
        except Refusal as refusal:
            return call.refuse(refusal)
        except Replay as found:
            return call.replay(found)
        except HTTPException as error:  # of Starlette: a form that cannot be read
            return call.refuse(Refusal(error.status_code, message=error.detail))
        except UnusableSchema as error:
            return call.refuse(Refusal(400, message=f"no value can be made for a schema: {error}"))
        except AnswersError as error:
            return call.refuse(Refusal(500, message=str(error)))

    return serve


def routes(
    service: Service, handlers: Mapping[str, Handler], prefixes: Iterable[str] = ("",)
) -> list[BaseRoute]:
    """A route for each handler under each prefix; its key is a method and a path: `GET /v1/files`."""
    found: list[BaseRoute] = []
    for prefix in prefixes:
        for key, handler in handlers.items():
            method, path = key.split()
            found.append(Route(prefix + path, endpoint(service, handler), methods=[method]))
    return found


async def receive(request: Request, service: Service) -> Call:
    """Read a request and add it to `emulator.requests`.

    The rest of a body over the limit is read and dropped, so that the client can finish writing and
    read the answer.

    Raises:
        ClientDisconnect: the client left before its request was whole.
    """
    state = cast("State", request.app.state.emulator)
    held = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            held += chunk
        else:
            held.clear()
    content = bytes(held)
    received = ReceivedRequest(
        service=service.name,
        method=request.method,
        path=request.url.path,
        headers=dict(request.headers.items()),
        body=decoded(content),
        query=request.url.query,
    )
    state.received += 1
    state.requests.put(str(state.received), received, len(content))

    async def again() -> Message:
        """The body once more, for a form."""
        return {"type": "http.request", "body": content, "more_body": False}

    repeated = Request(request.scope, again)
    return Call(repeated, state, state.controls, service, content, received, size > MAX_BODY)


def _limit(call: Call, key: str) -> None:
    state, service = call.state, call.service
    limit = state.requests_per_minute or service.limit(call)
    left, reset = state.use(f"{service.name}/{key}", limit)
    call.headers.update(service.rate_headers(limit, max(left, 0), reset))
    if left < 0 and state.requests_per_minute is not None:
        raise Refusal(429, headers={"retry-after": f"{reset:.0f}"})
    if key.endswith("-limited"):
        raise Refusal(429)


def check_key(call: Call, key: str | None) -> str:
    """The key, if there is one, it is in the given set, and it is none of the magic ones.

    Raises:
        Refusal: 401, with code `wrong-key` for one that is there, or 403.
    """
    if not key:
        raise Refusal(401)
    keys = call.state.keys
    if (keys is not None and key not in keys) or key.endswith("-wrong"):
        raise Refusal(401, "wrong-key")
    if key.endswith("-forbidden"):
        raise Refusal(403)
    return key


def bearer(call: Call) -> str | None:
    """The key of an `Authorization: Bearer` header; None without the header.

    Raises:
        Refusal: 401 with code `wrong-scheme` for another scheme or no key.
    """
    header = call.header("authorization")
    if not header:
        return None
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "wrong-scheme")
    return key.strip()
