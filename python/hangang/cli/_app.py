"""The list of commands, and what they share: loading, exit codes, and how a command ends.

Exit codes of every command:
  0    success; for `decode`: every stream is complete
  1    a stream carried an error event of the service
  2    wrong usage, or a file that cannot be read or written (standard output and error too), or an extra that
       is not installed
  3    a stream was truncated
  4    bytes that are not the format, or a limit
  130  Ctrl-C
  141  the reader of the output closed it
If several apply (several files), the highest of 1 to 4.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

import hangang
from hangang.cli._terminal import discard, end_interrupted_line, lost_messages, say, say_lines, use_utf8

OK = 0
FAILED = 1
USAGE = 2
TRUNCATED = 3
BAD_INPUT = 4
INTERRUPTED = 130
CLOSED_PIPE = 141

# States of an A2A task: those that make an answer a failed one, and those that ask something of the user.
TASK_FAILURES = ("failed", "rejected")
TASK_INTERRUPTIONS = ("input-required", "auth-required")


class _Entry(NamedTuple):
    summary: str
    extras: str = "cli"
    module: str = ""  # below hangang.cli, if it is not the command's name


# Each command is a module in this package that defines a click command named `command`. It is imported only
# when the command is run: `decode` must not load an HTTP library, and --help must not load any command.
COMMANDS = {
    "decode": _Entry("Decode captures, or standard input, to text or JSON lines."),
    "demo": _Entry("Show an answer of each service, live, without a key.", "cli,client,emulator"),
    "chat": _Entry("Talk to a service, or to the emulator.", "cli,client"),
    "serve": _Entry("Run the emulator of all services on this machine.", "cli,emulator"),
    "archive": _Entry("Read stored streams into Parquet tables.", "cli,archive"),
    "bench": _Entry("Measure decoding and whole clients on this machine.", "cli,bench", "bench.command"),
}


class _EndedError(Exception):
    """The command was interrupted; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        try:
            module = importlib.import_module(f"hangang.cli.{entry.module or cmd_name}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "hangang":
                raise
            raise click.ClickException(
                f"{cmd_name} needs {error.name}; pip install 'hangang[{entry.extras}]'"
            ) from error
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        # Before click's own handling, which exits with 1 for both and prints an empty line for Ctrl-C.
        try:
            code = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            raise _EndedError(INTERRUPTED) from None
        except BrokenPipeError:
            raise _EndedError(CLOSED_PIPE) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=_Commands,
    help="Token streams of Korean LLM services: EXAONE, CLOVA Studio, CLOVA Studio Gov.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    hangang.__version__, prog_name="hangang", message=f"%(prog)s %(version)s ({hangang.BACKEND})"
)
def root() -> None:
    pass


def run(arguments: Sequence[str] | None) -> int:
    """Run one command line. Every ending becomes an exit code and at most one line of text."""
    use_utf8(sys.stderr)
    code = _run(arguments)
    return max(code, USAGE) if lost_messages() and code <= BAD_INPUT else code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = root.main(
            args=None if arguments is None else list(arguments),
            prog_name="hangang",
            standalone_mode=False,
        )
        return code if isinstance(code, int) else OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.UsageError as error:
        # Two lines of usage, then the message.
        context = error.ctx
        usage = [] if context is None else context.get_usage().splitlines()
        hint = [] if context is None else [f"Try '{context.command_path} --help' for help.", ""]
        message = error.format_message()
        if isinstance(error, click.MissingParameter):
            message = " ".join(message.split())  # click writes each choice on a line of its own
        say_lines([*usage, *hint, f"Error: {message}"])
        return USAGE
    except click.ClickException as error:
        say(error.format_message())
        return USAGE
    except _EndedError as end:
        if end.code == CLOSED_PIPE:
            _drop_output()
        if end.code == INTERRUPTED:
            end_interrupted_line()
        return end.code
    except click.Abort:
        end_interrupted_line()
        return INTERRUPTED
    except OSError as error:
        # Errors of reading are reported with the file's name elsewhere, so this one is about the output.
        # It is discarded first: `say` flushes it, and what could not be written would fail again there.
        _drop_output()
        say(f"the output cannot be written: {error.strerror or error}")
        return USAGE
    except ImportError as error:
        # Constructing a client or the server without its extra: the message names the extra.
        if "hangang[" not in str(error):
            raise
        say(str(error))
        return USAGE


def _drop_output() -> None:
    """Discard what is still buffered for stdout: flushing it at exit would fail again, with a traceback."""
    if sys.stdout is not None:
        discard(sys.stdout)
