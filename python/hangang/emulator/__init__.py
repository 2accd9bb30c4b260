"""A local server that speaks CLOVA Studio, EXAONE, CLOVA Studio Gov and the OpenAI-compatible format.

For tests, load tests and development without a key or a network:

    from hangang.emulator import run_in_thread

    with run_in_thread(rate=30, fragments="random") as emulator:
        print(emulator.url)

or `hangang serve`, or `python -m hangang.emulator`. All services live at the root of one host, so
`emulator.url` is the `base_url` of every client; of `hangang.openai.Client` it is
`emulator.url + "/openai/v1"`. Answers are made up, the same for the same
request and seed; keys of a documented form are accepted, unless they end in `-wrong` (401),
`-forbidden` (403), `-limited` (429) or, for CLOVA, `-expired` and `-nosub`.

How fast, in which pieces and with which faults it answers is set by keyword arguments here and by
`x-hangang-…` headers for one request; `hangang.emulator.CONTROLS` is their table. Each stream's
header `x-hangang-text-sha256` has the hash of the whole answer text, so that a load test can check
that it lost nothing. The services' documents leave some formats open, and there the emulator
guesses: each module lists its guesses at its top.

`answers=` chooses the answers of chats and agents:

    with run_in_thread(answers=[Reply("안녕하세요"), Reply(error=(429, "slow down"))]) as emulator:
        ...

A list is used in turn and its last reply repeats; a callable gets each `Request` and returns a
`Reply`, or None for a made-up answer. What a service refuses, it still refuses first.

`GET /_emulator` reports what is open. `emulator.requests` and `GET /_emulator/requests` have the
last 1,000 requests: a test can look at what its client sent. Keys are only in `emulator.requests`.

Needs the extra `hangang[emulator]`; importing this package alone does not.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Unpack

from . import _controls
from ._controls import ControlError, ControlOptions, Controls
from ._replies import Choose, Reply, read_answers
from ._requests import Request

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ._server import Emulator

__all__ = [
    "CONTROLS",
    "ControlError",
    "ControlOptions",
    "Controls",
    "Reply",
    "Request",
    "create_app",
    "read_answers",
    "run_in_thread",
    "serve",
]

CONTROLS: str = _controls.__doc__ or ""
"""The table of controls, as text."""


def _need_extra() -> None:
    """Raise an ImportError that names the extra, if anything of it is missing."""
    try:
        for name in ("starlette", "uvicorn", "python_multipart"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the emulator needs {error.name!r}: pip install 'hangang[emulator]'", name=error.name
        ) from error


def create_app(
    *,
    answers: Iterable[Reply] | Choose | None = None,
    keys: Collection[str] | None = None,
    requests_per_minute: int | None = None,
    controls: Controls | None = None,
    **options: Unpack[ControlOptions],
) -> Starlette:
    """The emulator as an ASGI application.

    Under `run_in_thread` and `serve` the faults `cut` and `reset` act on the socket; under another
    ASGI server they end the answer with an exception, which closes the connection.

    Args:
        answers: the answers of chats and agents, a list or a callable; None makes them up.
        keys: the accepted keys; None accepts every key of a documented form.
        requests_per_minute: answer 429 to a key that makes more requests than this in a minute.
        controls: the controls of requests that bring none.
        **options: controls one by one, over `controls`; see `CONTROLS`.

    Raises:
        ControlError: a control has a value that it cannot have.
        TypeError: `answers` is neither a list of Reply nor a callable.
        ImportError: the extra `hangang[emulator]` is not installed.
    """
    _need_extra()
    from ._app import build
    from ._replies import Replies
    from ._state import State

    state = State(
        controls=(controls or Controls()).changed(options.items()),
        keys=keys,
        requests_per_minute=requests_per_minute,
        replies=Replies(answers),
    )
    return build(state)


def run_in_thread(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    answers: Iterable[Reply] | Choose | None = None,
    keys: Collection[str] | None = None,
    requests_per_minute: int | None = None,
    controls: Controls | None = None,
    **options: Unpack[ControlOptions],
) -> AbstractContextManager[Emulator]:
    """Run the emulator in a thread while a `with` block lasts; port 0 takes a free one.

    At the end of the block every connection is dropped, and no thread or socket is left.

    Raises:
        ControlError: a control has a value that it cannot have.
        TypeError: `answers` is neither a list of Reply nor a callable.
        OSError: the port is taken.
        ImportError: the extra `hangang[emulator]` is not installed.
    """
    app = create_app(
        answers=answers, keys=keys, requests_per_minute=requests_per_minute, controls=controls, **options
    )
    from ._server import run_in_thread as run

    return run(app, host, port)


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    answers: Iterable[Reply] | Choose | None = None,
    keys: Collection[str] | None = None,
    requests_per_minute: int | None = None,
    on_start: Callable[[str], None] | None = None,
    log_level: str = "warning",
    controls: Controls | None = None,
    **options: Unpack[ControlOptions],
) -> None:
    """Serve until Ctrl-C.

    `on_start` is called with the URL, for clients on this machine, as soon as connections are
    accepted.

    Raises:
        ControlError: a control has a value that it cannot have.
        TypeError: `answers` is neither a list of Reply nor a callable.
        OSError: the port is taken.
        ImportError: the extra `hangang[emulator]` is not installed.
    """
    app = create_app(
        answers=answers, keys=keys, requests_per_minute=requests_per_minute, controls=controls, **options
    )
    from ._server import serve as run

    run(app, host, port, on_start, log_level)
