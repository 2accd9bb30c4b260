"""What `chat` talks to: a service, an OpenAI-compatible server, or an agent; and the turns so far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hangang import Completion, clova, exaone, gov, openai

__all__ = ["SERVICES", "Conversation", "Setup", "UsageError", "in_words", "opened"]

SERVICES = ("clova", "exaone", "gov", "openai")
KEYS = {
    "clova": "CLOVA_STUDIO_API_KEY",
    "exaone": "EXAONE_API_KEY",
    "gov": "CLOVA_STUDIO_GOV_API_KEY",
    "openai": "OPENAI_API_KEY",
}
_TITLES = {
    "clova": "CLOVA Studio",
    "exaone": "EXAONE",
    "gov": "CLOVA Studio Gov",
    "openai": "OpenAI-compatible server",
}
_MODELS = {"clova": "HCX-007", "gov": "HCX-GOV-THINK"}
_EMULATED = {"clova": "", "exaone": "", "gov": "", "openai": "/v1/openai"}


class UsageError(Exception):
    """An option or a command that this service does not have; the message is for the user."""


class Answering(Protocol):
    """A stream of a client."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: object) -> None: ...
    def __iter__(self) -> Any: ...
    @property
    def completion(self) -> Completion: ...


@dataclass
class Setup:
    """The options of the command."""

    service: str
    model: str | None = None
    system: str | None = None
    thinking: str | None = None
    agent: str | None = None
    profile: str | None = None
    team: str | None = None
    base_url: str | None = None
    allow_insecure: bool = False


class Conversation:
    """One conversation: the turns so far, and how to send the next question.

    Attributes:
        title: the service, for people.
        base_url: where it is.
        lacks: the commands that make no sense here.
    """

    lacks: ClassVar[tuple[str, ...]] = ("references",)

    def __init__(self, client: Any, setup: Setup) -> None:
        self.title = _TITLES[setup.service]
        self.base_url: str = client.base_url
        self._client = client
        self._setup = setup

    @property
    def model(self) -> str:
        """What answers, for people."""
        return self._setup.model or ""

    def ask(self, question: str) -> Answering:
        """The stream of an answer; nothing is sent yet."""
        raise NotImplementedError

    def keep(self, question: str, answer: Completion) -> None:
        """Add a turn."""
        raise NotImplementedError

    def forget(self) -> None:
        """Start again."""
        raise NotImplementedError

    def change_model(self, name: str) -> None:
        """Ask another model from now on."""
        self._setup.model = name

    @property
    def system(self) -> str | None:
        """The system message."""
        return self._setup.system

    def change_system(self, text: str | None) -> None:
        """Set or remove the system message."""
        if "system" in self.lacks:
            raise UsageError(f"{self.title} has no system message")
        self._setup.system = text

    def saved(self) -> dict[str, Any]:
        """The conversation as JSON."""
        raise NotImplementedError


class _Messages(Conversation):
    """Services that take a list of messages."""

    def __init__(self, client: Any, setup: Setup, options: Mapping[str, Any]) -> None:
        super().__init__(client, setup)
        self._options = options
        self._turns: list[dict[str, Any]] = []

    @property
    def _messages(self) -> list[dict[str, Any]]:
        system = self._setup.system
        return [*([] if system is None else [{"role": "system", "content": system}]), *self._turns]

    def ask(self, question: str) -> Answering:
        messages = [*self._messages, {"role": "user", "content": question}]
        found: Answering = self._client.stream(self._setup.model, messages, **self._options)
        return found

    def keep(self, question: str, answer: Completion) -> None:
        self._turns += [{"role": "user", "content": question}, answer.to_message()]

    def forget(self) -> None:
        self._turns.clear()

    def saved(self) -> dict[str, Any]:
        return {"service": self._setup.service, "model": self._setup.model, "messages": self._messages}


class _Exaone(Conversation):
    """EXAONE takes a question and past turns."""

    lacks = ("system",)

    def __init__(self, client: Any, setup: Setup) -> None:
        super().__init__(client, setup)
        self._turns: list[dict[str, str]] = []

    @property
    def model(self) -> str:
        return self._setup.model or "chat completion"

    def ask(self, question: str) -> Answering:
        found: Answering = self._client.stream(
            question, model=self._setup.model, previous_messages=list(self._turns)
        )
        return found

    def keep(self, question: str, answer: Completion) -> None:
        self._turns.append({**answer.as_previous_message(), "query": question})

    def forget(self) -> None:
        self._turns.clear()

    def change_model(self, name: str) -> None:
        self._setup.model = None if name == "chat" else name

    def saved(self) -> dict[str, Any]:
        model = self._setup.model
        return {"service": "exaone", "model": model, "previous_messages": list(self._turns)}


class _Whole:
    """The answer of an agent that does not stream, used like a stream."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.completion = Completion()

    def __enter__(self) -> Any:
        self.completion = self._send()
        return self

    def __exit__(self, *error: object) -> None: ...

    def __iter__(self) -> Any:
        return iter(())


class _Agent(Conversation):
    """An agent of CLOVA Studio Gov, or of any A2A server: it keeps the turns itself."""

    lacks = ("model", "system", "references")

    def __init__(self, client: Any, setup: Setup) -> None:
        super().__init__(client, setup)
        self.title = "CLOVA Studio Gov" if setup.profile not in ("1.0", "0.3") else "A2A"
        self._previous: Completion | None = None
        self._turns: list[dict[str, Any]] = []

    @property
    def model(self) -> str:
        return f"agent {self._setup.agent}"

    def ask(self, question: str) -> Answering:
        options: dict[str, Any] = {"previous": self._previous}
        if self._setup.profile is not None:
            options["profile"] = self._setup.profile
        agents = self._client.agents
        if self._setup.profile == "v1":
            return _Whole(lambda: agents.send(self._setup.agent, question, **options))
        found: Answering = agents.stream(self._setup.agent, question, **options)
        return found

    def keep(self, question: str, answer: Completion) -> None:
        self._previous = answer
        said = answer.text or answer.status_message or ""
        self._turns += [{"role": "user", "text": question}, {"role": "agent", "text": said}]

    def forget(self) -> None:
        self._previous = None
        self._turns.clear()

    def change_model(self, name: str) -> None:
        raise UsageError("an agent has no model to choose")

    def saved(self) -> dict[str, Any]:
        return {"service": "gov", "agent": self._setup.agent, "turns": list(self._turns)}


def opened(stack: ExitStack, setup: Setup, emulator_url: str | None = None) -> Conversation:
    """The conversation that the options ask for; its client is closed with the stack.

    Raises:
        UsageError: an option that the service does not have, or one that is missing.
        ValueError: the client cannot be made: no key, no address, or one that must not be used.
    """
    service = setup.service
    _check(setup)
    options: dict[str, Any] = {"base_url": setup.base_url}
    if setup.allow_insecure:
        options["allow_insecure"] = True
    if emulator_url is not None:
        options |= {"base_url": emulator_url + _EMULATED[service], "api_key": "nv-emulator"}
    if service == "exaone":
        return _Exaone(stack.enter_context(exaone.Client(**options)), setup)
    if setup.agent is not None:
        team = setup.team or ("1" if emulator_url is not None else None)
        return _Agent(stack.enter_context(gov.Client(team_id=team, **options)), setup)
    setup.model = setup.model or _MODELS.get(service)
    more: dict[str, Any] = {}
    client: clova.Client | gov.Client | openai.Client
    if service == "clova":
        client = stack.enter_context(clova.Client(**options))
    else:
        client = gov.Client(**options) if service == "gov" else openai.Client(**options)
        stack.enter_context(client)
        more["stream_options"] = {"include_usage": True}
    if setup.thinking is not None:
        more["thinking"] = True if setup.thinking == "on" else setup.thinking
    if isinstance(client, openai.Client) and setup.model is None:
        setup.model = _only_model(client) if emulator_url is None else "HCX-007"
    return _Messages(client, setup, more)


def _check(setup: Setup) -> None:
    if setup.system is not None and (setup.service == "exaone" or setup.agent is not None):
        raise UsageError(f"{'an agent' if setup.agent is not None else 'EXAONE'} has no system message")
    if setup.thinking is not None:
        if setup.service == "exaone" or setup.agent is not None:
            raise UsageError(f"--thinking is not for {'an agent' if setup.agent is not None else 'EXAONE'}")
        if setup.service == "gov" and setup.thinking not in ("on", "none"):
            raise UsageError("--thinking is on or none for CLOVA Studio Gov")
    if setup.agent is None:
        for name, value in (("--profile", setup.profile), ("--team", setup.team)):
            if value is not None:
                raise UsageError(f"{name} is for --agent")
    elif setup.service != "gov":
        raise UsageError("--agent is for --service gov")
    elif setup.model is not None:
        raise UsageError("--agent and --model exclude each other")


def _only_model(client: openai.Client) -> str:
    """The model of a server that has one."""
    listed = client.models()["data"]
    names = [str(model["id"]) for model in listed if isinstance(model, dict) and "id" in model]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("--model is needed: the server lists no models")
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    raise UsageError(f"--model is needed; the server has {shown}")


_WORDS = (
    (re.compile(r"pass \w*api_key= or set (\w+)"), r"set \1"),
    (re.compile(r"pass base_url= or set (\w+)"), r"pass --base-url or set \1"),
    (re.compile(r"pass allow_insecure=True"), "pass --allow-insecure"),
    (re.compile(r"\bapi_key holds"), "the API key holds"),
    (re.compile(r"\bbase_url\b"), "--base-url"),
    (re.compile(r"needs team_id$"), "needs --team"),
    (re.compile(r"; raise max_\w+ if such frames are expected"), ""),
    (re.compile(r"\bthinking='none'"), "--thinking none"),
    (re.compile(r"use agents\.send\(\)"), "use --profile v1"),
)


def in_words(error: Exception) -> str:
    """An error of a client in terms of the command line instead of Python's arguments."""
    text = str(error)
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text
