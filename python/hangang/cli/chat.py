"""`hangang chat`: a conversation with one service, on a terminal or through pipes."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from hangang import (
    APIConnectionError,
    AuthenticationError,
    Completion,
    HangangError,
    NotFoundError,
)
from hangang.cli import _app
from hangang.cli._conversations import KEYS, SERVICES, Conversation, Setup, UsageError, in_words, opened
from hangang.cli._live import Live
from hangang.cli._terminal import Output, clip, columns, file_name, read_utf8, readable, say, visible

__all__ = ["command"]

_SHOWN_REFERENCES = 5
_COMMAND = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?\Z", re.DOTALL)


@click.command("chat", short_help=_app.COMMANDS["chat"].summary)
@click.option("--service", type=click.Choice(SERVICES), required=True)
@click.option(
    "--model",
    metavar="NAME",
    help="HCX-007, HCX-GOV-THINK; EXAONE: 32b, or its chat without one; openai: the server's only one.",
)
@click.option("--system", metavar="TEXT", help="System message (not EXAONE).")
@click.option(
    "--thinking",
    type=click.Choice(("on", "none", "low", "medium", "high")),
    help="Whether and how long the model reasons; gov: on or none; not EXAONE.",
)
@click.option("--agent", metavar="ID", help="Talk to an agent of CLOVA Studio Gov.")
@click.option("--profile", type=click.Choice(("faq", "v1", "v2", "1.0", "0.3")), help="The kind of agent.")
@click.option("--team", metavar="ID", help="The team of the agent.")
@click.option("--base-url", metavar="URL", help="Where the service is.")
@click.option("--allow-insecure", is_flag=True, help="Send the key over plain http to any host.")
@click.option("--emulator", is_flag=True, help="Talk to a local emulator; no key needed.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    metavar="N",
    help="Its tokens a second.  [40; into a pipe: all at once]",
)
def command(emulator: bool, rate: float | None, **options: Any) -> int:
    """Talk to a service, over several turns.

    Each line is a question. Ctrl-C stops an answer, Ctrl-D ends the conversation, /help lists the commands.

    Keys come from the environment: CLOVA_STUDIO_API_KEY, EXAONE_API_KEY, CLOVA_STUDIO_GOV_API_KEY,
    OPENAI_API_KEY; addresses too (OPENAI_BASE_URL and so on).

    Into a pipe go the answers alone, without the thinking.
    """
    for name, value in options.items():
        if isinstance(value, str):
            options[name] = readable(value)
    setup = Setup(**options)
    output = Output()
    read_utf8(sys.stdin)
    if emulator and setup.base_url is not None:
        raise click.UsageError("--emulator and --base-url exclude each other")
    with contextlib.ExitStack() as stack:
        url: str | None = None
        if emulator:
            from hangang.emulator import run_in_thread

            speed = rate if rate is not None else 40.0 if output.is_terminal else 0.0
            url = stack.enter_context(run_in_thread(rate=speed, fragments="random")).url
        try:
            talk = opened(stack, setup, url)
        except UsageError as error:
            raise click.UsageError(str(error)) from None
        except HangangError as error:
            raise click.ClickException(_problem(error, setup)) from None
        except ValueError as error:
            # Of the constructors: no key, no address, or a wrong one.
            hint = "" if emulator or setup.base_url is not None else "; --emulator needs no key"
            raise click.ClickException(in_words(error) + hint) from None
        return _Chat(talk, setup, output, is_emulated=emulator).run()


class _Chat:
    """The loop of questions, answers and commands."""

    def __init__(self, talk: Conversation, setup: Setup, output: Output, *, is_emulated: bool) -> None:
        self._talk = talk
        self._setup = setup
        self._output = output
        self._live = Live(output, titles=True)
        self._is_emulated = is_emulated
        self._is_interactive = sys.stdin is not None and sys.stdin.isatty()
        self._references: tuple[Any, ...] = ()
        self._has_failed = False
        self._has_ended = False
        self._commands: dict[str, tuple[str, str, Callable[[str], None]]] = {
            "help": ("", "list the commands", self._help),
            "model": ("[NAME]", "show or change the model", self._model),
            "system": ("[TEXT]", "show or set the system message; - for none", self._system),
            "new": ("", "start another conversation", self._new),
            "references": ("", "list the sources of the last answer", self._list_references),
            "save": ("FILE", "write the conversation to a new JSON file", self._save),
            "quit": ("", "end, as Ctrl-D does", self._quit),
        }

    def run(self) -> int:
        """Answer until the input ends."""
        if self._is_interactive and self._output.is_terminal:
            self._banner()
        for line in self._lines():
            found = _COMMAND.match(line)
            if found is not None:
                self._obey(found[1], (found[2] or "").strip())
            elif line.strip() and not self._answer(line.strip()):
                self._has_failed = True
            if self._has_ended:
                break
        # On a terminal the user has seen the failure and continued.
        return _app.FAILED if self._has_failed and not self._is_interactive else _app.OK

    def _banner(self) -> None:
        where = self._talk.base_url + (" (emulator)" if self._is_emulated else "")
        self._live.note(f"{self._talk.title}, {self._talk.model}")
        self._live.note(where)
        self._live.note("/help lists the commands, Ctrl-D ends")

    def _lines(self) -> Iterator[str]:
        if not self._is_interactive:
            for line in sys.stdin or ():
                yield line.rstrip("\r\n")
            return
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # input() edits lines with it, where it exists
        while True:
            try:
                yield input("> " if self._output.is_terminal else "")
            except EOFError:
                self._output.write("\n" if self._output.is_terminal else "")
                return
            except KeyboardInterrupt:
                self._output.write("\n")
                say("Ctrl-D ends the conversation")

    # Answers

    def _answer(self, question: str) -> bool:
        """Show one answer; return False if it failed. A stopped answer is kept as far as it went."""
        stream: Any = None
        is_stopped = False
        shown = ""  # the first text of an event
        try:
            try:
                with self._talk.ask(question) as stream:
                    for event in stream:
                        if self._output.is_terminal:
                            self._live.thinking(event.thinking)
                        self._live.text(event.text)
                        shown = shown or event.text
            except KeyboardInterrupt:
                if not self._output.is_terminal:
                    raise
                is_stopped = True
        except (HangangError, ValueError, TypeError) as error:
            self._live.end()
            say(_problem(error, self._setup))
            return False
        answer: Completion = stream.completion if stream is not None else Completion()
        said = answer.text
        if not is_stopped and not shown:
            # A whole answer, a refusal, or the question of a task, came without deltas.
            said = answer.text or answer.refusal
            self._live.text(said)
        if answer.state in _app.TASK_INTERRUPTIONS and answer.status_message:
            self._live.end()
            self._live.text(answer.status_message)
            said = said or answer.status_message
        self._live.end()
        if is_stopped:
            say("stopped")
        if answer.state in _app.TASK_FAILURES:
            reason = f": {answer.status_message}" if answer.status_message else ""
            say(f"the task {'failed' if answer.state == 'failed' else 'was rejected'}{reason}")
            return False
        self._references = answer.references
        if self._output.is_terminal:
            self._show_details(answer)
        if said:
            self._talk.keep(question, answer)
        return True

    def _show_details(self, answer: Completion) -> None:
        """Sources, token counts, and whatever else is worth a line."""
        room = columns() - 1
        for reference in answer.references[:_SHOWN_REFERENCES]:
            self._live.note(clip(_reference(reference), room))
        if len(answer.references) > _SHOWN_REFERENCES:
            more = len(answer.references) - _SHOWN_REFERENCES
            self._live.note(clip(f"and {more} more; /references lists them with their addresses", room))
        details = [*_usage(answer)]
        if answer.state in _app.TASK_INTERRUPTIONS:
            details.append(f"the agent waits for your answer ({answer.state})")
        if answer.finish_reason not in (None, "stop", "stop_before", "end_token"):
            details.append(f"finish reason {answer.finish_reason}")
        if details:
            self._live.note(clip(", ".join(details), room))
        self._output.write("\n")

    # Commands

    def _obey(self, name: str, argument: str) -> None:
        entry = self._commands.get({"exit": "quit"}.get(name, name))
        if entry is None:
            self._complain(f"no command /{name}; /help lists them")
            return
        try:
            entry[2](argument)
        except UsageError as error:
            self._complain(str(error))

    def _complain(self, message: str) -> None:
        self._has_failed = True
        say(message)

    def _tell(self, text: str) -> None:
        """A line about the conversation: on a terminal in between, else beside the answers."""
        if self._output.is_terminal:
            self._live.note(text)
        else:
            say(text)

    def _help(self, _: str) -> None:
        rows = [
            (f"/{name} {arguments}".rstrip(), text)
            for name, (arguments, text, _) in self._commands.items()
            if name not in self._talk.lacks
        ]
        widest = max(len(usage) for usage, _ in rows)
        for usage, text in rows:
            self._tell(f"{usage:<{widest}}  {text}")
        self._tell("A line with a space before its / is a question.")

    def _model(self, name: str) -> None:
        if name:
            self._talk.change_model(name)
        self._tell(self._talk.model)

    def _system(self, text: str) -> None:
        if text:
            self._talk.change_system(None if text == "-" else text)
        self._tell(self._talk.system or "no system message")

    def _new(self, _: str) -> None:
        self._talk.forget()

    def _quit(self, _: str) -> None:
        self._has_ended = True

    def _list_references(self, _: str) -> None:
        if not self._references:
            self._tell("no sources")
        for reference in self._references:
            self._tell(_reference(reference))
            if address := _member(reference, "card"):
                self._tell(f"    {address}")

    def _save(self, path: str) -> None:
        if not path:
            raise UsageError("/save needs the name of a file")
        try:
            # Never over a file that is there.
            with open(file_name(path), "x", encoding="utf-8") as file:
                json.dump(self._talk.saved(), file, ensure_ascii=False, indent=2)
                file.write("\n")
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise UsageError(f"{path}: {reason}") from None
        self._tell(f"saved to {path}")


def _usage(answer: Completion) -> Iterator[str]:
    usage = answer.usage
    if usage is None:
        return
    if usage.prompt_tokens is not None:
        yield f"{usage.prompt_tokens} tokens in"
    if usage.completion_tokens is not None:
        thinking = f" ({usage.thinking_tokens} thinking)" if usage.thinking_tokens else ""
        yield f"{usage.completion_tokens} out{thinking}"


def _reference(reference: Any) -> str:
    index, title = _member(reference, "index"), _member(reference, "title")
    return f"[{index}] {title or _member(reference, 'card')}"


def _member(reference: Any, name: str) -> str:
    value = reference.get(name, "") if isinstance(reference, dict) else ""
    return visible(str(value))


def _problem(error: Exception, setup: Setup) -> str:
    """An error in terms of the command line, and what may help."""
    text = in_words(error)
    if isinstance(error, AuthenticationError):
        return f"{text}; is {KEYS[setup.service]} right?"
    if isinstance(error, NotFoundError) and setup.base_url is not None:
        return f"{text}; is --base-url right?"
    if isinstance(error, APIConnectionError) and setup.base_url is not None:
        return f"{text}; is --base-url right?"
    return text
