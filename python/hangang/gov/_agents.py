"""Requests to agents over A2A: Gov's three profiles and the protocol's own ([gov §1.4]).

The profiles differ in path, method names, whether parts carry `kind`, and what ends a stream. An
`AgentProfile` holds these, so that another profile is a value and needs no code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, Unpack, cast

from hangang._client.options import CallOptions, check_mapping, check_options
from hangang._client.request import A2A, A2A_LAST_CHUNK, Call, Operation, body_of, segment, split_options
from hangang._completion import Completion

__all__ = ["PROFILES", "AgentOptions", "AgentProfile", "Agents"]

C = TypeVar("C")
S = TypeVar("S")

GATEWAY = "https://gateway-api.clova-studio-gov.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """How requests to one kind of agent are made.

    Attributes:
        path: with `{agent_id}` and, where the service has teams, `{team_id}`.
        send_method, stream_method: names of the JSON-RPC methods, None for one that such agents lack.
        role: of the user's message; 1.0 wants `ROLE_USER`, Gov's second profile `user` all the same.
        kind: whether the message and its text part carry `kind` (0.2, 0.3).
        version: value of the `A2A-Version` header, or None for no header.
        end: what ends a stream besides a final state: `"last_chunk"` for Gov's second profile, whose
            `COMPLETED` may not come.
        host: another host than the chat's, used only while the client has its default `base_url`.
    """

    path: str
    send_method: str | None = "message/send"
    stream_method: str | None = "message/stream"
    role: str = "user"
    kind: bool = False
    version: str | None = None
    end: Literal["state", "last_chunk"] = "state"
    host: str | None = None


PROFILES: Mapping[str, AgentProfile] = {
    "faq": AgentProfile(path="/api/v1/teams/{team_id}/agent/{agent_id}/a2a"),
    "v1": AgentProfile(
        path="/api/v1/external/agents/{agent_id}/a2a", stream_method=None, kind=True, host=GATEWAY
    ),
    "v2": AgentProfile(
        path="/api/v1/external/agents/v2/{agent_id}/a2a",
        send_method=None,
        stream_method="SendStreamingMessage",
        end="last_chunk",
        host=GATEWAY,
    ),
    "1.0": AgentProfile(
        path="/a2a",
        send_method="SendMessage",
        stream_method="SendStreamingMessage",
        role="ROLE_USER",
        version="1.0",
    ),
    "0.3": AgentProfile(path="/a2a", kind=True),
}
"""The FAQ's dialect, the two of a public client, and the protocol itself (1.0 with its header, 0.3)."""

Parts: TypeAlias = str | Sequence[Mapping[str, Any]]


class AgentOptions(CallOptions, total=False):
    """Keyword arguments of `Agents.send` and `Agents.stream`; all optional.

    - `profile`: a name of `PROFILES` or an `AgentProfile`; by default the client's `agent_profile`.
    - `team_id`: for paths with a team; by default the client's.
    - `path`: instead of the profile's, with the same placeholders.
    - `previous`: the completion of the turn before: its `chat_session_id`, or else its `context_id`,
      is sent, and its `task_id` where that task waits for input.
    - `chat_session_id`: Gov's session, sent as `params.metadata.chat_session_id`; not on turn 1.
    - `context_id`, `task_id`: sent as `message.contextId`, `message.taskId`.
    - `message_id`: by default a fresh UUID.
    - `metadata`: further members of `params.metadata`.
    - `configuration`: `params.configuration`, as on the wire.
    - the options of every call: see `CallOptions`.
    """

    profile: str | AgentProfile | None
    team_id: str | int | None
    path: str | None
    previous: Completion | None
    chat_session_id: int | str | None
    context_id: str | None
    task_id: str | None
    message_id: str | None
    metadata: Mapping[str, Any] | None
    configuration: Mapping[str, Any] | None


_OPTIONS = sorted({*AgentOptions.__annotations__, *CallOptions.__annotations__})


def agent_call(
    method: str,
    defaults: AgentDefaults,
    agent_id: str | int | None,
    parts: Parts,
    options: Mapping[str, Any],
    *,
    streaming: bool,
) -> Call:
    """A JSON-RPC request to an agent; `method` is the public one, for errors."""
    check_options(method, options, _OPTIONS)
    handled, chosen = split_options(options)
    given = chosen.get("profile")
    profile = _profile(defaults.profile if given is None else given)
    rpc_method = profile.stream_method if streaming else profile.send_method
    if rpc_method is None:
        raise ValueError(
            "these agents only answer as a stream: use agents.stream()"
            if profile.send_method is None
            else "these agents only answer at once: use agents.send()"
        )
    team_id = chosen.get("team_id")
    body = {
        "jsonrpc": "2.0",
        "id": str(uuid.uuid4()),
        "method": rpc_method,
        "params": _params(profile, parts, chosen),
    }
    version = {"a2a-version": profile.version} if profile.version is not None else {}
    return Call(
        "POST",
        _path(chosen.get("path") or profile.path, agent_id, defaults.team_id if team_id is None else team_id),
        json={**body, **(chosen.get("extra_body") or {})},
        params=chosen.get("extra_query"),
        headers={**version, **(chosen.get("extra_headers") or {})},
        dialect=A2A_LAST_CHUNK if profile.end == "last_chunk" else A2A,
        streaming=streaming,
        base_url=profile.host if defaults.use_host else None,
        options=handled,
        operation=Operation("invoke_agent", agent_id=None if agent_id is None else str(agent_id)),
    )


def _listed(parts: Any) -> list[Mapping[str, Any]]:
    form = "message must be a str or a list of parts such as {'text': '...'}"
    if not isinstance(parts, list | tuple):
        raise TypeError(f"{form}, not {type(parts).__name__}")
    for place, part in enumerate(cast("Sequence[object]", parts)):
        if not isinstance(part, Mapping):
            raise TypeError(f"{form}; message[{place}] is {type(part).__name__}")
    return list(cast("Sequence[Mapping[str, Any]]", parts))


def _params(profile: AgentProfile, parts: Parts, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its context, and what goes beside it."""
    previous: Any = chosen.get("previous")
    session, context_id = chosen.get("chat_session_id"), chosen.get("context_id")
    task_id = chosen.get("task_id")
    for name in ("metadata", "configuration"):
        check_mapping(name, chosen.get(name))
    if previous is not None and not isinstance(previous, Completion):
        raise TypeError(f"previous must be a Completion, not {type(previous).__name__}")
    if previous is not None:
        if session is None and context_id is None:
            session = previous.chat_session_id
            context_id = None if session is not None else previous.context_id
        if task_id is None and previous.state in ("input-required", "auth-required"):
            task_id = previous.task_id
    kind = {"kind": "text"} if profile.kind else {}
    message = body_of(
        {"kind": "message"} if profile.kind else None,
        role=profile.role,
        messageId=chosen.get("message_id") or str(uuid.uuid4()),
        parts=[{**kind, "text": parts}] if isinstance(parts, str) else _listed(parts),
        contextId=context_id,
        taskId=task_id,
    )
    metadata: dict[str, Any] = {**(chosen.get("metadata") or {})}
    if session is not None:
        metadata["chat_session_id"] = session
    return body_of(
        None, message=message, metadata=metadata or None, configuration=chosen.get("configuration")
    )


def _profile(profile: str | AgentProfile) -> AgentProfile:
    if isinstance(profile, AgentProfile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"profile must be an AgentProfile or one of {', '.join(PROFILES)}, not {profile!r}")
    return PROFILES[profile]


def _path(template: str, agent_id: str | int | None, team_id: str | int | None) -> str:
    values: dict[str, str] = {}
    for name, value in (("agent_id", agent_id), ("team_id", team_id)):
        if "{" + name + "}" not in template:
            continue
        if value is None:
            raise ValueError(f"this agent's path, {template}, needs {name}")
        values[name] = segment(value, name)
    return template.format(**values)


@dataclass(frozen=True, slots=True)
class AgentDefaults:
    """What a client fixes for all its agents."""

    profile: str | AgentProfile
    team_id: str | int | None
    use_host: bool


class Agents(Generic[C, S]):
    """Agents of CLOVA Studio Gov, and any A2A server. In `AsyncClient` the same, awaited."""

    def __init__(
        self,
        complete: Callable[[Call], C],
        stream: Callable[[Call], S],
        defaults: AgentDefaults,
    ) -> None:
        self._complete = complete
        self._stream = stream
        self._defaults = defaults

    def send(self, agent_id: str | int | None, message: Parts, **options: Unpack[AgentOptions]) -> C:
        """Ask an agent and wait for the whole answer.

        Args:
            agent_id: as shown in the service's agent list; None where the path has no agent.
            message: the user's text, or the parts as on the wire.
            **options: see `AgentOptions`.

        Returns:
            The `Completion`: `text`, `artifacts`, `state`, `task_id`, `context_id`,
            `chat_session_id`. An agent may answer with a task that is still at work; see `state`.

        Raises:
            ValueError: a missing `team_id` or `agent_id`, an unknown profile, or agents that only stream.
            NotFoundError, PermissionDeniedError: no such agent; it is not deployed (docs/protocol/gov.md).
            APIError: another error, also a JSON-RPC error, which comes with HTTP 200.
        """
        return self._complete(
            agent_call("agents.send", self._defaults, agent_id, message, options, streaming=False)
        )

    def stream(self, agent_id: str | int | None, message: Parts, **options: Unpack[AgentOptions]) -> S:
        """Stream an agent's answer: the events of `hangang.a2a`. Arguments and errors as `send`.

        `append` and replacement of artifacts are applied by `stream.completion`, not by the events.
        """
        return self._stream(
            agent_call("agents.stream", self._defaults, agent_id, message, options, streaming=True)
        )
