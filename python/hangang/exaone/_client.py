"""Clients of LG AI Research's EXAONE platform: the two documented APIs, files, and any other path.

Facts and their sources: docs/protocol/exaone.md. Five of the seven APIs are named but their paths are not
public: `request` reaches them for users who know the path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack, cast, overload

from hangang._client.base import (
    AsyncClientBase,
    AwaitedCompletion,
    AwaitedResponse,
    ClientBase,
    Runner,
    awaiting,
    bare_names,
    blocking,
)
from hangang._client.errors import ERROR_BODY
from hangang._client.files import FileInput, read_file
from hangang._client.options import CallOptions, ConnectionOptions, check_mapping, check_options, checked_str
from hangang._client.request import (
    EXAONE,
    Call,
    Files,
    Operation,
    Service,
    body_of,
    required_key,
    split_options,
    strings,
    with_call_options,
)
from hangang._client.response import Response
from hangang._client.stream import AsyncStream, Stream
from hangang._client.transport import AsyncTransport, SyncTransport
from hangang._completion import Completion
from hangang._errors import APIError, APITimeoutError
from hangang._metrics import Metrics
from hangang._rate_limit import RateLimit
from hangang._values import is_list, is_object

from ._events import Event

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "CallOptions",
    "Client",
    "ConnectionOptions",
    "Metrics",
    "QueryOptions",
    "RateLimit",
    "Response",
    "Stream",
]

S = TypeVar("S")
C = TypeVar("C")
R = TypeVar("R")

_SERVICE = Service(name="exaone", base_url="https://api.lgresearch.ai", base_variable="EXAONE_BASE_URL")
_MAX_FILE = 30 * 2**20
_PREVIOUS_FORM = "previous_messages must be a list of {'query', 'intent', 'answer'} and Completions"
_FILE_RULE = "EXAONE takes files of up to 30 MB (it answers 413)"

PreviousMessages = Sequence[Mapping[str, Any] | Completion]
PreviousField = Literal["previous_messages", "previous_message"]
Uploads = Mapping[str, FileInput | list[FileInput]]


class QueryOptions(CallOptions, total=False):
    """Keyword arguments of every question; all optional. None leaves a field out.

    - `previous_messages`: past turns, oldest first: `{query, intent, answer}`, or completions.
    - `temperature`: 0 to 1.0, by default 0.8 at the service.
    - the options of every call: see `CallOptions`.
    """

    previous_messages: PreviousMessages | None
    temperature: float | None


class StatusOptions(TypedDict, total=False):
    """Those of `CallOptions` that `files.wait` takes; its own `timeout` is for all of it."""

    total_timeout: float | None
    max_retries: int
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None


_OPTIONS = sorted({*QueryOptions.__annotations__, *CallOptions.__annotations__})


# --- requests


def query_call(
    method: str,
    previous_field: PreviousField,
    endpoint: str,
    query: str,
    options: Mapping[str, Any],
    *,
    streaming: bool,
    model: str | None = None,
    doc_ids: Sequence[str] | None = None,
) -> Call:
    """A question to one of the ChatEXAONE endpoints ([exaone §3]); `method` is the public one, for errors."""
    check_options(method, options, [*_OPTIONS, "model", "doc_ids"])
    if type(query) is not str:
        raise TypeError(f"query must be a str (EXAONE takes one question), not {type(query).__name__}")
    handled, others = split_options(options)
    body = body_of(
        None,
        query=query,
        model=None if model is None else checked_str("model", model),
        doc_ids=strings(doc_ids, "doc_ids"),
        temperature=others.get("temperature"),
    )
    if previous := others.get("previous_messages"):
        if not isinstance(previous, Iterable):
            raise TypeError(f"{_PREVIOUS_FORM}, not {type(previous).__name__}")
        turns = cast("Iterable[object]", previous)
        body[previous_field] = [_previous(turn, place) for place, turn in enumerate(turns)]
    # The documented requests for streams send `*/*`; no way to request a single answer is documented.
    headers: dict[str, str] = {"accept": "*/*" if streaming else "application/json"}
    headers.update(others.get("extra_headers") or {})
    return Call(
        "POST",
        f"/v1/chatexaone/{endpoint}",
        json={**body, **(others.get("extra_body") or {})},
        params=others.get("extra_query"),
        headers=headers,
        dialect=EXAONE,
        streaming=streaming,
        options=handled,
        operation=Operation("chat", model),
    )


def _previous(turn: Any, place: int) -> Any:
    if isinstance(turn, Completion):
        return turn.as_previous_message()
    if not isinstance(turn, Mapping):
        raise TypeError(f"{_PREVIOUS_FORM}; previous_messages[{place}] is {type(turn).__name__}")
    return turn  # pyright: ignore[reportUnknownVariableType]


def chat_call(
    method: str,
    previous_field: PreviousField,
    query: str,
    model: str | None,
    doc_ids: Sequence[str] | None,
    options: Mapping[str, Any],
    *,
    streaming: bool,
) -> Call:
    """text-generation if a model is named, which only that endpoint takes; else chat-completion."""
    if model is not None and doc_ids is not None:
        raise ValueError("doc_ids belong to chat-completion, which takes no model ([exaone §3])")
    endpoint = "chat-completion" if model is None else "text-generation"
    return query_call(
        method,
        previous_field,
        endpoint,
        query,
        options,
        streaming=streaming,
        model=model,
        doc_ids=doc_ids,
    )


def upload_call(files: Sequence[FileInput], upsert: bool | None, content_type: str | None) -> Call:
    """Files as multipart field `files`; one larger than 30 MB is refused here ([exaone §6])."""
    if not files:
        raise ValueError("nothing to upload")
    parts: Files = [
        ("files", read_file(file, content_type=content_type, limit=_MAX_FILE, rule=_FILE_RULE))
        for file in files
    ]
    data = None if upsert is None else {"upsert": "true" if upsert else "false"}
    return Call("POST", "/v1/files", files=parts, data=data)


def status_call(file_ids: Sequence[str]) -> Call:
    """Whether files are ready ([exaone §6])."""
    return Call("POST", "/v1/files/query", json={"file_ids": _ids(file_ids)})


def delete_call(file_ids: Sequence[str]) -> Call:
    """Deletion; the fields are not public, these are those of the status query."""
    return Call("DELETE", "/v1/files", json={"file_ids": _ids(file_ids)})


def _ids(file_ids: Sequence[str]) -> list[str]:
    ids = strings(file_ids, "file_ids") or []
    if not ids or not all(ids):
        raise ValueError("file_ids must be one or more non-empty strings")
    return ids


def pending(response: Response) -> bool:
    """Whether a status answer says to ask again; raises APIError where a file has failed."""
    listed = response.data.get("files") if is_object(response.data) else None
    files = [one for one in listed if is_object(one)] if is_list(listed) else []
    failed = [str(one.get("id")) for one in files if one.get("status") == "failed"]
    if failed:
        raise APIError(
            f"the service could not read: {', '.join(failed)}",
            status=response.status,
            body=response.text[:ERROR_BODY],
            request_id=response.request_id,
        )
    return any(one.get("status") != "ready" for one in files)


def request_call(
    method: str,
    path: str,
    *,
    json: Any,
    data: Mapping[str, Any] | None,
    files: Uploads | None,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    stream: bool,
    options: Mapping[str, Any],
) -> Call:
    """A request to any path of the service."""
    if json is not None and (data is not None or files is not None):
        raise ValueError("json excludes data and files: a body has one form")
    for name, value in (("data", data), ("params", params), ("headers", headers)):
        check_mapping(name, value, of_strings=name == "headers")
    parts: Files | None = None
    if files is not None:
        parts = [
            (name, read_file(one))
            for name, given in files.items()
            for one in (given if isinstance(given, list) else [given])
        ]
    call = Call(
        method.upper(),
        path,
        json=json,
        data=data,
        files=parts,
        params=params,
        headers={"accept": "*/*", **{name.lower(): value for name, value in (headers or {}).items()}},
        dialect=EXAONE,
        streaming=stream,
        decode="any",
        operation=Operation("chat") if stream else None,
    )
    return with_call_options(call, "request", options)


# --- files


@bare_names
class _FilesMethods(Generic[R]):
    """Files for Document QA ([exaone §6], from a public client: the guide has no paths).

    In `AsyncClient` the results are awaited.
    """

    def __init__(self, execute: Callable[[Call], R]) -> None:
        self._execute = execute

    def status(self, file_ids: Sequence[str], **options: Unpack[CallOptions]) -> R:
        """`response["files"]`: `id` and `status` (`processing`, `ready`, `failed`) of each."""
        return self._execute(with_call_options(status_call(file_ids), "files.status", options))

    def list(self, **options: Unpack[CallOptions]) -> R:
        """The files of the key."""
        return self._execute(with_call_options(Call("GET", "/v1/files"), "files.list", options))

    def delete(self, file_ids: Sequence[str], **options: Unpack[CallOptions]) -> R:
        """Delete files; NotFoundError if one does not exist."""
        return self._execute(with_call_options(delete_call(file_ids), "files.delete", options))


class FilesAPI(_FilesMethods[Response]):
    """Files for Document QA ([exaone §6], from a public client: the guide has no paths)."""

    def upload(
        self,
        *files: FileInput,
        upsert: bool | None = None,
        content_type: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Response:
        """Upload one or more files.

        Args:
            *files: paths, bytes, open binary files, or `(name, content[, content type])`.
            upsert: replace a file of the same name.
            content_type: for all of them; by default guessed from the name.

        Returns:
            `response["files"]`: `id` and `name` of each; a name may come back URL-encoded.

        Raises:
            PayloadTooLargeError: a file is larger than 30 MB; nothing was sent.
            UnsupportedMediaTypeError: the service does not take this type; it publishes no list.
        """
        call = upload_call(files, upsert, content_type)
        return self._execute(with_call_options(call, "files.upload", options))

    def wait(
        self,
        file_ids: Sequence[str],
        *,
        interval: float = 2.0,
        timeout: float = 180.0,
        **options: Unpack[StatusOptions],
    ) -> Response:
        """Ask for the status every `interval` seconds until all files are ready.

        `timeout` is for all of it; `total_timeout` and the other options are those of each question.

        Raises:
            APIError: the service could not read a file.
            APITimeoutError: not all were ready within `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while pending(response := self.status(file_ids, **options)):
            if time.monotonic() + interval > until:
                raise _not_ready(timeout)
            time.sleep(interval)
        return response


class AsyncFilesAPI(_FilesMethods[AwaitedResponse]):
    """The same as `FilesAPI`, awaited."""

    async def upload(
        self,
        *files: FileInput,
        upsert: bool | None = None,
        content_type: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Response:
        """As `FilesAPI.upload`; the files are read in a thread."""
        from anyio import to_thread

        call = await to_thread.run_sync(upload_call, files, upsert, content_type)
        return await self._execute(with_call_options(call, "files.upload", options))

    async def wait(
        self,
        file_ids: Sequence[str],
        *,
        interval: float = 2.0,
        timeout: float = 180.0,
        **options: Unpack[StatusOptions],
    ) -> Response:
        """As `FilesAPI.wait`."""
        from anyio import sleep

        until = time.monotonic() + timeout
        while pending(response := await self.status(file_ids, **options)):
            if time.monotonic() + interval > until:
                raise _not_ready(timeout)
            await sleep(interval)
        return response


def _not_ready(timeout: float) -> APITimeoutError:
    return APITimeoutError(f"the files were not ready within {timeout} seconds")


# --- the methods, once for both clients


@bare_names
class _Methods(Generic[S, C, R]):
    """The methods of both clients. In `AsyncClient` their results are awaited; streams need no await."""

    _run: Runner[S, C, R]
    _previous_field: PreviousField

    def stream(
        self,
        query: str,
        *,
        model: str | None = None,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> S:
        """Stream an answer: `Answer` events, whose `progress_state` ends at `answering`.

        EXAONE's format has no end marker ([exaone §5]). If the connection closes cleanly between two frames,
        the half of the answer that arrived looks like a whole one. Everything else that cuts it short raises.

        Args:
            query: the question; the service refuses an empty one (422).
            model: with one (`"32b"`) the question goes to text-generation, without to
                chat-completion.
            doc_ids: ids of uploaded files, for chat-completion.
            **options: see `QueryOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered, opened or iterated.

        Raises:
            TypeError: an argument of the wrong type, or an unknown option.
            APIError: on entering: what the service answered ([exaone §7]), by class.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        field = self._previous_field
        return self._run.stream(chat_call("stream", field, query, model, doc_ids, options, streaming=True))

    def chat(
        self,
        query: str,
        *,
        model: str | None = None,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> C:
        """A whole answer at once: a `Completion` with `text` and, from chat-completion, `references`.

        It can be half of one if the service sends it as a stream, which has no end marker: see `stream`.

        Args:
            query: the question; the service refuses an empty one (422).
            model: with one (`"32b"`) the question goes to text-generation, without to
                chat-completion.
            doc_ids: ids of uploaded files, for chat-completion.
            **options: see `QueryOptions`.

        Raises:
            TypeError, APIError, APIConnectionError, APITimeoutError: as `stream`.
        """
        field = self._previous_field
        return self._run.complete(chat_call("chat", field, query, model, doc_ids, options, streaming=False))

    def chat_completion(
        self,
        query: str,
        *,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> C:
        """A whole answer of chat-completion, whether the service sends it at once or streams it.

        `completion.references` are the sources, `completion.as_previous_message()` the next turn's
        history. Arguments and errors as `stream`.

        It can be half of one if the service sends it as a stream, which has no end marker: see `stream`.
        """
        call = query_call(
            "chat_completion",
            self._previous_field,
            "chat-completion",
            query,
            options,
            streaming=False,
            doc_ids=doc_ids,
        )
        return self._run.complete(call)

    def text_generation(self, query: str, *, model: str = "32b", **options: Unpack[QueryOptions]) -> C:
        """A whole answer of text-generation. Arguments and errors as `stream`.

        It can be half of one if the service sends it as a stream, which has no end marker: see `stream`.
        """
        call = query_call(
            "text_generation",
            self._previous_field,
            "text-generation",
            query,
            options,
            streaming=False,
            model=model,
        )
        return self._run.complete(call)

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Uploads | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: Literal[False] = False,
        **options: Unpack[CallOptions],
    ) -> R: ...

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Uploads | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: Literal[True],
        **options: Unpack[CallOptions],
    ) -> S: ...

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Uploads | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        **options: Unpack[CallOptions],
    ) -> R | S:
        """Reach any endpoint of the service, with its key, retries, errors and stream format.

        Args:
            method: `GET`, `POST`, `PATCH`, `DELETE`.
            path: from the root, e.g. `"/v1/..."`; never another host.
            json: a JSON body; or
            data: the text fields of a form.
            files: the files of a form, by field name.
            params: for the query string; never put a key there.
            headers: over the usual ones; `accept` is `*/*`.
            stream: read the answer as a stream of EXAONE frames, which has no end marker: see `stream`.
            **options: `timeout`, `stall_timeout`, `total_timeout`, `max_retries`, `record`.

        Returns:
            A `Response` (`data` is None if the answer is not JSON), or a `Stream`.

        Raises:
            ValueError: the path does not begin with `/`, or two forms of body.
            APIError: as `stream`.
        """
        call = request_call(
            method,
            path,
            json=json,
            data=data,
            files=files,
            params=params,
            headers=headers,
            stream=stream,
            options=options,
        )
        return self._run.stream(call) if stream else self._run.execute(call)


# --- the clients


class Client(_Methods[Stream[Event], Completion, Response], ClientBase):
    """EXAONE, blocking.

    Args:
        api_key: sent as `x-api-key`; by default `EXAONE_API_KEY` from the environment.
        previous_field: the name of the history in requests: `previous_messages`, as in all examples
            of the guide, or `previous_message`, as in its field table ([exaone §9]).
        **options: see `ConnectionOptions`; `base_url` defaults to `EXAONE_BASE_URL`, then to the
            documented address.

    Attributes:
        files: files for Document QA: `upload`, `status`, `wait`, `list`, `delete`.

    Raises:
        ValueError: no key, a key that cannot be one, or an address the key must not be sent to.
        ImportError: the extra `hangang[client]` is not installed.
    """

    files: FilesAPI

    def __init__(
        self,
        api_key: str | None = None,
        *,
        previous_field: PreviousField = "previous_messages",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", "EXAONE_API_KEY")
        self._previous_field = _checked_field(previous_field)
        self._bind(
            SyncTransport(
                _SERVICE,
                auth={"x-api-key": key},
                secrets=(key,),
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: SyncTransport) -> None:
        super()._bind(transport)
        self._run = blocking(transport)
        self.files = FilesAPI(transport.execute)


class AsyncClient(_Methods[AsyncStream[Event], AwaitedCompletion, AwaitedResponse], AsyncClientBase):
    """EXAONE, awaited. Arguments and attributes as `Client`; `http_client` is an async one."""

    files: AsyncFilesAPI

    def __init__(
        self,
        api_key: str | None = None,
        *,
        previous_field: PreviousField = "previous_messages",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", "EXAONE_API_KEY")
        self._previous_field = _checked_field(previous_field)
        self._bind(
            AsyncTransport(
                _SERVICE,
                auth={"x-api-key": key},
                secrets=(key,),
                default_base_url=os.environ.get(_SERVICE.base_variable),
                options=options,
            )
        )

    def _bind(self, transport: AsyncTransport) -> None:
        super()._bind(transport)
        self._run = awaiting(transport)
        self.files = AsyncFilesAPI(transport.execute)


def _checked_field(name: PreviousField) -> PreviousField:
    if name not in ("previous_messages", "previous_message"):
        raise ValueError(f"previous_field must be 'previous_messages' or 'previous_message', not {name!r}")
    return name
