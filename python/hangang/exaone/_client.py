"""Clients of LG AI Research's EXAONE platform: the two documented APIs, files, and any other path.

Facts and their sources: docs/protocol/exaone.md. Five of the seven APIs are named but their paths are not
public: `request` reaches them for users who know the path.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack, overload

from hangang._call import EXAONE, Call, Files, Response, Service, body_of, required_key
from hangang._errors import APIError, APITimeoutError
from hangang._files import FileInput, read_file
from hangang._http import (
    AsyncClientBase,
    AsyncStream,
    AsyncTransport,
    ClientBase,
    ConnectionOptions,
    Stream,
    SyncTransport,
)
from hangang._values import is_list, is_object
from hangang.streams import Completion

__all__ = ["AsyncClient", "AsyncStream", "Client", "QueryOptions", "Response", "Stream"]

_SERVICE = Service(base_url="https://api.lgresearch.ai", base_variable="EXAONE_BASE_URL")
_MAX_FILE = 30 * 2**20
_FILE_RULE = "EXAONE takes files of up to 30 MB (it answers 413)"

PreviousMessages = Sequence[Mapping[str, Any] | Completion]
PreviousField = Literal["previous_messages", "previous_message"]
Uploads = Mapping[str, FileInput | list[FileInput]]


class QueryOptions(TypedDict, total=False):
    """Keyword arguments of every question; all optional. None leaves a field out.

    - `previous_messages`: past turns, oldest first: `{query, intent, answer}`, or completions.
    - `temperature`: 0 to 1.0, by default 0.8 at the service.
    - `extra_body`, `extra_headers`: fields and headers of this request, over all others.
    """

    previous_messages: PreviousMessages | None
    temperature: float | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


# --- requests


def query_call(
    previous_field: PreviousField,
    endpoint: str,
    query: str,
    *,
    streaming: bool,
    model: str | None = None,
    doc_ids: Sequence[str] | None = None,
    previous_messages: PreviousMessages | None = None,
    temperature: float | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Call:
    """A question to one of the ChatEXAONE endpoints ([exaone §3])."""
    if isinstance(doc_ids, str):
        raise TypeError("doc_ids must be a list of file ids")
    body = body_of(
        None,
        query=query,
        model=model,
        doc_ids=None if doc_ids is None else list(doc_ids),
        temperature=temperature,
    )
    if previous_messages:
        body[previous_field] = [
            turn.as_previous_message() if isinstance(turn, Completion) else turn for turn in previous_messages
        ]
    # The documented streams are asked for with */*, and nothing documents how to ask for one answer.
    headers = {"accept": "*/*" if streaming else "application/json", **(extra_headers or {})}
    return Call(
        "POST",
        f"/v1/chatexaone/{endpoint}",
        json={**body, **(extra_body or {})},
        headers=headers,
        dialect=EXAONE,
        streaming=streaming,
    )


def stream_call(
    previous_field: PreviousField,
    query: str,
    model: str | None,
    doc_ids: Sequence[str] | None,
    options: QueryOptions,
) -> Call:
    """text-generation where a model is named, which only that endpoint takes; else chat-completion."""
    if model is not None and doc_ids is not None:
        raise ValueError("doc_ids belong to chat-completion, which takes no model ([exaone §3])")
    endpoint = "chat-completion" if model is None else "text-generation"
    return query_call(
        previous_field, endpoint, query, streaming=True, model=model, doc_ids=doc_ids, **options
    )


def upload_call(files: Sequence[FileInput], upsert: bool | None, content_type: str | None) -> Call:
    """Files as multipart field `files`; what is larger than 30 MB is refused here ([exaone §6])."""
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
    ids = [file_ids] if isinstance(file_ids, str) else list(file_ids)
    if not ids or not all(type(one) is str and one for one in ids):
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
            body=response.text,
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
) -> Call:
    """A request to any path of the service."""
    if json is not None and (data is not None or files is not None):
        raise ValueError("json excludes data and files: a body has one form")
    parts: Files | None = None
    if files is not None:
        parts = [
            (name, read_file(one))
            for name, given in files.items()
            for one in (given if isinstance(given, list) else [given])
        ]
    return Call(
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
    )


# --- files


class FilesAPI:
    """Files for Document QA ([exaone §6], from a public client: paths are not in the guide)."""

    def __init__(self, transport: SyncTransport) -> None:
        self._transport = transport

    def upload(
        self, *files: FileInput, upsert: bool | None = None, content_type: str | None = None
    ) -> Response:
        """Upload one or more files.

        Args:
            *files: paths, bytes, open binary files, or `(name, content[, content type])`.
            upsert: replace a file of the same name.
            content_type: for all of them; by default guessed from the name.

        Returns:
            `response["files"]`: `id` and `name` of each; a name may come back URL-encoded.

        Raises:
            ValueError: a file is larger than 30 MB; nothing was sent.
            UnsupportedMediaTypeError: the service does not take this type; it publishes no list.
        """
        return self._transport.execute(upload_call(files, upsert, content_type))

    def status(self, file_ids: Sequence[str]) -> Response:
        """`response["files"]`: `id` and `status` (`processing`, `ready`, `failed`) of each."""
        return self._transport.execute(status_call(file_ids))

    def wait(self, file_ids: Sequence[str], *, interval: float = 2.0, timeout: float = 180.0) -> Response:
        """Ask for the status every `interval` seconds until all files are ready.

        Raises:
            APIError: the service could not read a file.
            APITimeoutError: not all were ready within `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while pending(response := self.status(file_ids)):
            if time.monotonic() + interval > until:
                raise _not_ready(timeout)
            time.sleep(interval)
        return response

    def list(self) -> Response:
        """The files of the key."""
        return self._transport.execute(Call("GET", "/v1/files"))

    def delete(self, file_ids: Sequence[str]) -> Response:
        """Delete files; NotFoundError where one is not there."""
        return self._transport.execute(delete_call(file_ids))


class AsyncFilesAPI:
    """The same as `FilesAPI`, awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def upload(
        self, *files: FileInput, upsert: bool | None = None, content_type: str | None = None
    ) -> Response:
        """As `FilesAPI.upload`; the files are read in a thread."""
        from anyio import to_thread

        call = await to_thread.run_sync(upload_call, files, upsert, content_type)
        return await self._transport.execute(call)

    async def status(self, file_ids: Sequence[str]) -> Response:
        """As `FilesAPI.status`."""
        return await self._transport.execute(status_call(file_ids))

    async def wait(
        self, file_ids: Sequence[str], *, interval: float = 2.0, timeout: float = 180.0
    ) -> Response:
        """As `FilesAPI.wait`."""
        from anyio import sleep

        until = time.monotonic() + timeout
        while pending(response := await self.status(file_ids)):
            if time.monotonic() + interval > until:
                raise _not_ready(timeout)
            await sleep(interval)
        return response

    async def list(self) -> Response:
        """As `FilesAPI.list`."""
        return await self._transport.execute(Call("GET", "/v1/files"))

    async def delete(self, file_ids: Sequence[str]) -> Response:
        """As `FilesAPI.delete`."""
        return await self._transport.execute(delete_call(file_ids))


def _not_ready(timeout: float) -> APITimeoutError:
    return APITimeoutError(f"the files were not ready within {timeout} seconds")


# --- the clients


class Client(ClientBase):
    """EXAONE, blocking.

    Args:
        api_key: sent as `x-api-key`; by default `EXAONE_API_KEY` from the environment.
        previous_field: the name of the history in requests: `previous_messages`, as in all examples
            of the guide, or `previous_message`, as in its field table ([exaone §9]).
        **options: see `ConnectionOptions`; `base_url` defaults to `EXAONE_BASE_URL`, then to the
            documented address.

    Raises:
        ValueError: no key, a key that cannot be one, or an address the key must not be sent to.
        ImportError: the extra `hangang[client]` is not installed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        previous_field: PreviousField = "previous_messages",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", "EXAONE_API_KEY")
        self._previous_field: PreviousField = _checked_field(previous_field)
        self._transport = SyncTransport(_SERVICE, auth={"x-api-key": key}, secrets=(key,), **options)
        self.files = FilesAPI(self._transport)

    def stream(
        self,
        query: str,
        *,
        model: str | None = None,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> Stream:
        """Stream an answer: `Answer` events, whose `progress_state` ends at `answering`.

        Args:
            query: the question; an empty one is refused by the service (422).
            model: with one (`"32b"`) the question goes to text-generation, without to
                chat-completion.
            doc_ids: ids of uploaded files, for chat-completion.
            **options: see `QueryOptions`.

        Returns:
            A `Stream`; nothing is sent before it is entered or iterated.

        Raises:
            APIError: on entering: what the service answered ([exaone §7]), by class.
            APIConnectionError, APITimeoutError: no answer, after the retries.
        """
        return self._transport.stream(stream_call(self._previous_field, query, model, doc_ids, options))

    def chat_completion(
        self,
        query: str,
        *,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> Completion:
        """A whole answer of chat-completion, whether the service sends it at once or streams it.

        `completion.references` are the sources, `completion.as_previous_message()` the next turn's
        history. Arguments and errors as `stream`.
        """
        return self._transport.complete(
            query_call(
                self._previous_field, "chat-completion", query, streaming=False, doc_ids=doc_ids, **options
            )
        )

    def text_generation(
        self, query: str, *, model: str = "32b", **options: Unpack[QueryOptions]
    ) -> Completion:
        """A whole answer of text-generation. Arguments and errors as `stream`."""
        return self._transport.complete(
            query_call(
                self._previous_field, "text-generation", query, streaming=False, model=model, **options
            )
        )

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
    ) -> Response: ...

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
    ) -> Stream: ...

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
    ) -> Response | Stream:
        """Reach any endpoint of the service, with its key, retries, errors and stream format.

        Args:
            method: `GET`, `POST`, `PATCH`, `DELETE`.
            path: from the root, e.g. `"/v1/..."`; never another host.
            json: a JSON body; or
            data, files: a multipart body: text fields, and files by field name.
            params: for the query string; never put a key there.
            headers: over the usual ones; `accept` is `*/*`.
            stream: read the answer as a stream of EXAONE frames.

        Returns:
            A `Response` (`data` is None where the answer is not JSON), or a `Stream`.

        Raises:
            ValueError: the path does not begin with `/`, or two forms of body.
            APIError: as `stream`.
        """
        call = request_call(
            method, path, json=json, data=data, files=files, params=params, headers=headers, stream=stream
        )
        return self._transport.stream(call) if stream else self._transport.execute(call)


class AsyncClient(AsyncClientBase):
    """EXAONE, awaited. Arguments as `Client`; `http_client` is an async one."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        previous_field: PreviousField = "previous_messages",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        key = required_key(api_key, "api_key", "EXAONE_API_KEY")
        self._previous_field: PreviousField = _checked_field(previous_field)
        self._transport = AsyncTransport(_SERVICE, auth={"x-api-key": key}, secrets=(key,), **options)
        self.files = AsyncFilesAPI(self._transport)

    def stream(
        self,
        query: str,
        *,
        model: str | None = None,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> AsyncStream:
        """As `Client.stream`; use it with `async with` and `async for`."""
        return self._transport.stream(stream_call(self._previous_field, query, model, doc_ids, options))

    async def chat_completion(
        self,
        query: str,
        *,
        doc_ids: Sequence[str] | None = None,
        **options: Unpack[QueryOptions],
    ) -> Completion:
        """As `Client.chat_completion`."""
        return await self._transport.complete(
            query_call(
                self._previous_field, "chat-completion", query, streaming=False, doc_ids=doc_ids, **options
            )
        )

    async def text_generation(
        self, query: str, *, model: str = "32b", **options: Unpack[QueryOptions]
    ) -> Completion:
        """As `Client.text_generation`."""
        return await self._transport.complete(
            query_call(
                self._previous_field, "text-generation", query, streaming=False, model=model, **options
            )
        )

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
    ) -> Awaitable[Response]: ...

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
    ) -> AsyncStream: ...

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
    ) -> Awaitable[Response] | AsyncStream:
        """As `Client.request`: `await` it, or with `stream=True` use the `AsyncStream` it returns."""
        call = request_call(
            method, path, json=json, data=data, files=files, params=params, headers=headers, stream=stream
        )
        return self._transport.stream(call) if stream else self._transport.execute(call)


def _checked_field(name: PreviousField) -> PreviousField:
    if name not in ("previous_messages", "previous_message"):
        raise ValueError(f"previous_field must be 'previous_messages' or 'previous_message', not {name!r}")
    return name
