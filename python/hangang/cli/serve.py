"""`hangang serve`: the emulator of all services, until Ctrl-C."""

from __future__ import annotations

import click

from hangang.cli import _app
from hangang.cli._terminal import Output, say
from hangang.emulator import CONTROLS, ControlError, Controls, Reply, read_answers, serve
from hangang.emulator._addresses import joined, warning

__all__ = ["command"]


@click.command("serve", short_help=_app.COMMANDS["serve"].summary)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, metavar="N")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=40.0,
    show_default=True,
    metavar="N",
    help="Tokens a second; 0: all at once.",
)
@click.option(
    "--fragments",
    default="event",
    show_default=True,
    metavar="HOW",
    help="whole, event, random, utf8 or a number of bytes.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Other answers.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Accept these keys only.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Requests a minute; then 429.")
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Give these answers: JSON lines, one reply a line.",
)
@click.option(
    "-c",
    "--control",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other control; --controls lists them.",
)
@click.option("--controls", "lists", is_flag=True, help="List the controls and end.")
def command(
    host: str,
    port: int,
    rate: float,
    fragments: str,
    seed: int,
    keys: tuple[str, ...],
    limit: int | None,
    answers_file: str | None,
    pairs: tuple[str, ...],
    lists: bool,
) -> int:
    """Serve CLOVA Studio, EXAONE, CLOVA Studio Gov and an OpenAI-compatible server on this machine.

    For tests, load tests and work without a key or a network. Answers are made up, or yours:
    --answers takes a file with lines such as {"text": "안녕하세요"}, {"tool_calls": [["add", {"a": 1}]]},
    {"error": [429, "slow down"]} or {"capture": "recorded.sse"}; they are used in turn and the last
    one repeats. Every control is also a request header, x-hangang-NAME, for one request.
    """
    output = Output()
    if lists:
        output.write(CONTROLS)
        return _app.OK
    given = [pair.partition("=") for pair in pairs]
    options = [("rate", str(rate)), ("fragments", fragments), ("seed", str(seed))]
    try:
        controls = Controls().changed(
            [*options, *((name.replace("-", "_"), value) for name, _, value in given)]
        )
    except ControlError as error:
        raise click.UsageError(str(error)) from None

    answers: list[Reply] | None = None
    if answers_file is not None:
        try:
            answers = read_answers(answers_file)
        except OSError as error:
            raise click.UsageError(f"{answers_file}: {error.strerror or error}") from None
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    is_listening = False

    def started(url: str) -> None:
        nonlocal is_listening
        is_listening = True
        output.write(_greeting(url, keys[0] if keys else "nv-try"))
        output.flush()
        if (warned := warning(host, url)) is not None:
            say(warned)

    try:
        serve(
            host=host,
            port=port,
            answers=answers,
            keys=keys or None,
            requests_per_minute=limit,
            on_start=started,
            log_level="error",
            controls=controls,
        )
    except OSError as error:
        if is_listening:
            raise  # of the output
        reason = error.strerror or error
        raise click.ClickException(f"cannot listen on {joined(host, port)}: {reason}") from None
    output.write("\n" if output.is_terminal else "")  # after the terminal's ^C
    return _app.OK


def _greeting(url: str, key: str) -> str:
    return f"""\
all services at {url} (Ctrl-C ends it)

In another terminal:
  export CLOVA_STUDIO_BASE_URL={url}
  export EXAONE_BASE_URL={url}
  export CLOVA_STUDIO_GOV_BASE_URL={url}
  export OPENAI_BASE_URL={url}/openai/v1
  export CLOVA_STUDIO_API_KEY={key}
  export EXAONE_API_KEY={key}
  export CLOVA_STUDIO_GOV_API_KEY={key}
  export OPENAI_API_KEY={key}
  hangang chat --service clova

or without a client:
  curl -N \\
    {url}/v3/chat-completions/HCX-007 \\
    -H 'authorization: Bearer {key}' \\
    -H 'accept: text/event-stream' \\
    -H 'content-type: application/json' \\
    -d '{{"messages":[{{"role":"user","content":"hi"}}]}}'
"""
