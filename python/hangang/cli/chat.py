"""`hangang chat`: a conversation with one service, on a terminal or through pipes."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from hangang import Completion, HangangError, clova, exaone, gov
from hangang.cli import _app
from hangang.cli._live import Live
from hangang.cli._terminal import Output, say

__all__ = ["command"]

SERVICES = ("clova", "exaone", "gov")
_MODELS = {"clova": "HCX-007", "gov": "HCX-GOV-THINK"}


@click.command("chat", short_help=_app.COMMANDS["chat"].summary)
@click.option("--service", type=click.Choice(SERVICES), required=True)
@click.option("--model", metavar="NAME", help="HCX-007, HCX-GOV-THINK; EXAONE: 32b, or its chat without one.")
@click.option("--system", metavar="TEXT", help="System message (not EXAONE).")
@click.option(
    "--thinking", type=click.Choice(("none", "low", "medium", "high")), help="How long HCX-007 thinks."
)
@click.option("--base-url", metavar="URL", help="Where the service is.")
@click.option("--emulator", is_flag=True, help="Talk to a local emulator; no key needed.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    metavar="N",
    help="Its tokens a second.  [40; into a pipe: all at once]",
)
def command(
    service: str,
    model: str | None,
    system: str | None,
    thinking: str | None,
    base_url: str | None,
    emulator: bool,
    rate: float | None,
) -> int:
    """Talk to a service, over several turns.

    Each line is a question. Ctrl-C stops an answer, Ctrl-D ends the conversation, /new starts another.
    Keys come from the environment: CLOVA_STUDIO_API_KEY, EXAONE_API_KEY, CLOVA_STUDIO_GOV_API_KEY.

    Into a pipe go the answers alone, without the thinking.
    """
    if service == "exaone" and system is not None:
        raise click.UsageError("EXAONE has no system message")
    if thinking is not None and service != "clova":
        raise click.UsageError("--thinking is for CLOVA Studio")
    output = Output()
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"base_url": base_url}
        if emulator:
            from hangang.emulator import run_in_thread

            speed = rate if rate is not None else 40.0 if output.is_terminal else 0.0
            options["base_url"] = stack.enter_context(run_in_thread(rate=speed, fragments="random")).url
            options["api_key"] = "nv-emulator"
        try:
            talk = _talk(stack, service, model, system, thinking, options)
        except ValueError as error:
            hint = "" if emulator else "; --emulator needs no key"
            raise click.ClickException(f"{error}{hint}") from None
        return _converse(talk, output)


class _Talk:
    """A conversation: the turns so far, and how to ask the next question."""

    def __init__(
        self,
        ask: Callable[[list[Any], str], Any],
        keep: Callable[[list[Any], str, Completion], None],
        first: list[Any],
    ) -> None:
        self._ask = ask
        self._keep = keep
        self._first = first
        self._turns = list(first)

    def ask(self, question: str) -> Any:
        """The stream of an answer."""
        return self._ask(self._turns, question)

    def keep(self, question: str, answer: Completion) -> None:
        """Add the turn to the conversation."""
        self._keep(self._turns, question, answer)

    def forget(self) -> None:
        """Start again."""
        self._turns = list(self._first)


def _talk(
    stack: contextlib.ExitStack,
    service: str,
    model: str | None,
    system: str | None,
    thinking: str | None,
    options: dict[str, Any],
) -> _Talk:
    if service == "exaone":
        asked = stack.enter_context(exaone.Client(**options))

        def keep_turn(turns: list[Any], _: str, answer: Completion) -> None:
            turns.append(answer.as_previous_message())

        return _Talk(
            lambda turns, question: asked.stream(question, model=model, previous_messages=list(turns)),
            keep_turn,
            [],
        )
    name = model or _MODELS[service]
    more: dict[str, Any] = {"thinking": thinking} if thinking is not None else {}
    client: clova.Client | gov.Client
    client = clova.Client(**options) if service == "clova" else gov.Client(**options)
    stack.enter_context(client)

    def keep_messages(turns: list[Any], question: str, answer: Completion) -> None:
        turns.extend((_user(question), answer.to_message()))

    return _Talk(
        lambda turns, question: client.stream(name, [*turns, _user(question)], **more),
        keep_messages,
        [] if system is None else [{"role": "system", "content": system}],
    )


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _converse(talk: _Talk, output: Output) -> int:
    code = _app.OK
    for question in _questions(output):
        if question == "/new":
            talk.forget()
            continue
        if not _answer(talk, question, output):
            code = _app.FAILED
    # On a terminal the user has seen the failure and continued.
    return _app.OK if sys.stdin is not None and sys.stdin.isatty() else code


def _questions(output: Output) -> Iterator[str]:
    """Lines that are not empty, until the end of the input."""
    if sys.stdin is None or not sys.stdin.isatty():
        for line in sys.stdin or ():
            if line.strip():
                yield line.strip()
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # input() edits lines with it, where it exists
    while True:
        try:
            line = input("> " if output.is_terminal else "").strip()
        except EOFError:
            output.write("\n" if output.is_terminal else "")
            return
        except KeyboardInterrupt:
            output.write("\n")
            say("Ctrl-D ends the conversation")
            continue
        if line:
            yield line


def _answer(talk: _Talk, question: str, output: Output) -> bool:
    """Show one answer; return False if it failed. The part of a stopped answer stays in the conversation."""
    live = Live(output)
    stream: Any = None
    try:
        try:
            with talk.ask(question) as stream:
                for event in stream:
                    if output.is_terminal:
                        live.thinking(event.thinking)
                    live.text(event.text)
        except KeyboardInterrupt:
            if not output.is_terminal:
                raise
            live.end()
            say("stopped")
    except HangangError as error:
        live.end()
        say(str(error))
        return False
    live.end()
    answer: Completion | None = None if stream is None else stream.completion
    if answer is not None and answer.text:
        talk.keep(question, answer)
    return True
