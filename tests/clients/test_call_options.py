"""Options of one call: wherever there is a call, and `thinking=` in every chat."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transports import KEY, Script, json_answer

from hangang import clova, exaone, gov, openai

MODES = ("sync", "async")
FILE = ("a.txt", b"x", "text/plain")

#: Every method that is not a chat.
CALLS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "clova.embedding": (clova, lambda client, **more: client.embedding("x", **more)),
    "clova.count_embedding_tokens": (
        clova,
        lambda client, **more: client.count_embedding_tokens("x", **more),
    ),
    "clova.count_chat_tokens": (
        clova,
        lambda client, **more: client.count_chat_tokens("HCX-005", "x", **more),
    ),
    "clova.openai.embeddings": (clova, lambda client, **more: client.openai.embeddings("x", **more)),
    "exaone.files.upload": (exaone, lambda client, **more: client.files.upload(FILE, **more)),
    "exaone.files.list": (exaone, lambda client, **more: client.files.list(**more)),
    "exaone.files.status": (exaone, lambda client, **more: client.files.status(["a"], **more)),
    "exaone.files.delete": (exaone, lambda client, **more: client.files.delete(["a"], **more)),
    "gov.rag.search": (gov, lambda client, **more: client.rag.search("x", **more)),
    "gov.rag.collections.create": (gov, lambda client, **more: client.rag.collections.create("x", **more)),
    "gov.rag.collections.list": (gov, lambda client, **more: client.rag.collections.list(**more)),
    "gov.rag.collections.get": (gov, lambda client, **more: client.rag.collections.get("x", **more)),
    "gov.rag.collections.update": (
        gov,
        lambda client, **more: client.rag.collections.update("x", name="y", **more),
    ),
    "gov.rag.collections.delete": (gov, lambda client, **more: client.rag.collections.delete("x", **more)),
    "gov.rag.documents.upload": (gov, lambda client, **more: client.rag.documents.upload("x", FILE, **more)),
    "gov.rag.documents.list": (gov, lambda client, **more: client.rag.documents.list("x", **more)),
    "gov.rag.documents.get": (gov, lambda client, **more: client.rag.documents.get("x", "y", **more)),
    "gov.rag.documents.update": (
        gov,
        lambda client, **more: client.rag.documents.update("x", "y", title="z", **more),
    ),
    "gov.rag.documents.delete": (gov, lambda client, **more: client.rag.documents.delete("x", "y", **more)),
    "gov.rag.chunks.list": (gov, lambda client, **more: client.rag.chunks.list("x", "y", **more)),
    "gov.rag.chunks.create": (
        gov,
        lambda client, **more: client.rag.chunks.create("x", "y", content="z", **more),
    ),
    "gov.rag.chunks.get": (gov, lambda client, **more: client.rag.chunks.get("x", "y", "z", **more)),
    "gov.rag.chunks.update": (
        gov,
        lambda client, **more: client.rag.chunks.update("x", "y", "z", content="a", **more),
    ),
    "gov.rag.chunks.delete": (gov, lambda client, **more: client.rag.chunks.delete("x", "y", "z", **more)),
    "gov.tools.pii_mask": (gov, lambda client, **more: client.tools.pii_mask("x", **more)),
    "gov.tools.embeddings": (gov, lambda client, **more: client.tools.embeddings("x", **more)),
    "gov.tools.parse_document": (gov, lambda client, **more: client.tools.parse_document(FILE, **more)),
    "gov.tools.transcribe": (gov, lambda client, **more: client.tools.transcribe(FILE, **more)),
    "gov.tools.speech": (gov, lambda client, **more: client.tools.speech("x", **more)),
    "gov.models": (gov, lambda client, **more: client.models(**more)),
    "openai.models": (openai, lambda client, **more: client.models(**more)),
    "clova.openai.models": (clova, lambda client, **more: client.openai.models(**more)),
    "exaone.request": (exaone, lambda client, **more: client.request("PUT", "/v1/x", json={}, **more)),
    "openai.embeddings": (openai, lambda client, **more: client.embeddings("x", model="m", **more)),
}


def run(mode: str, module: Any, script: Script, work: Callable[[Any], Any], **options: Any) -> Any:
    options = {"base_url": "https://service.example", **options}
    if mode == "sync":
        with script.client() as http, module.Client(KEY, http_client=http, **options) as client:
            return work(client)

    async def awaited() -> Any:
        async with (
            script.async_client() as http,
            module.AsyncClient(KEY, http_client=http, **options) as client,
        ):
            return await work(client)

    return asyncio.run(awaited())


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mode", MODES)
def test_a_call_that_is_not_a_chat_takes_options(mode: str, name: str, tmp_path: Path) -> None:
    module, call = CALLS[name]
    script = Script([json_answer({"answer": 1})])
    record = tmp_path / "answer"
    options: dict[str, Any] = {
        "timeout": 7.0,
        "total_timeout": 30.0,
        "max_retries": 0,
        "extra_headers": {"x-more": "header"},
        "extra_query": {"more": "query"},
        "extra_body": {"more": "body"},
        "record": record,
    }
    run(mode, module, script, lambda client: call(client, **options), max_retries=5)
    (request,) = script.requests
    assert request.extensions["timeout"]["connect"] == 7.0
    assert request.headers["x-more"] == "header"
    assert request.url.params["more"] == "query"
    content = request.content
    if "multipart" in request.headers["content-type"]:
        assert b'name="more"\r\n\r\nbody\r\n' in content
        assert b'filename="a.txt"' in content
    else:
        assert script.bodies[0]["more"] == "body"
    assert record.read_bytes() == b'{"answer": 1}'
    # What the method says itself is still there.
    plain = Script([json_answer({})])
    run(mode, module, plain, lambda client: call(client))
    if plain.bodies[0] is not None:
        assert {**plain.bodies[0], "more": "body"} == script.bodies[0]
    for header, value in plain.requests[0].headers.items():
        if header not in ("content-length", "content-type"):
            assert request.headers[header] == value


@pytest.mark.parametrize("name", [name for name in CALLS if not name.endswith(("update", "chunks.create"))])
@pytest.mark.parametrize("mode", MODES)
def test_an_unknown_option_is_refused_by_name(mode: str, name: str) -> None:
    module, call = CALLS[name]
    method = name.partition(".")[2]
    script = Script([json_answer({})])
    with pytest.raises(TypeError, match=rf"{method.rpartition('.')[2]}\(\) .*'?max_retry'?"):
        run(mode, module, script, lambda client: call(client, max_retry=1))
    assert script.requests == []


def test_no_method_is_forgotten() -> None:
    listed = {
        name.partition(".")[2] for name in CALLS if name.startswith(("gov.rag", "gov.tools", "exaone.files"))
    }
    rooms = {
        "rag": gov._client.RAG,
        "rag.collections": gov._rag.Collections,
        "rag.documents": gov._rag.Documents,
        "rag.chunks": gov._rag.Chunks,
        "tools": gov._client.Tools,
        "files": exaone._client.FilesAPI,
    }
    found = {
        f"{room}.{name}"
        for room, cls in rooms.items()
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and name != "wait"
    }
    assert found == listed


@pytest.mark.parametrize("mode", MODES)
def test_waiting_for_files_takes_options_of_each_question(mode: str) -> None:
    answers = [json_answer({"files": [{"id": "a", "status": state}]}) for state in ("processing", "ready")]
    script = Script(answers)
    run(
        mode,
        exaone,
        script,
        lambda client: client.files.wait(
            ["a"], interval=0.0, extra_headers={"x-more": "1"}, total_timeout=9.0
        ),
    )
    assert [request.headers["x-more"] for request in script.requests] == ["1", "1"]


CHAT = json_answer(
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
)
THINKING: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("gov", "HCX-GOV-THINK", True, {"chat_template_kwargs": {"force_reasoning": True}}),
    ("gov", "HCX-GOV-THINK", False, {"chat_template_kwargs": {"skip_reasoning": True}}),
    ("gov", "HCX-GOV-THINK", "none", {"chat_template_kwargs": {"skip_reasoning": True}}),
    ("gov", "K-Exaone-236B", True, {"chat_template_kwargs": {"enable_thinking": True}}),
    ("gov", "K-Exaone-236B", False, {"chat_template_kwargs": {"enable_thinking": False}}),
    ("openai", "LGAI-EXAONE/EXAONE-4.0-32B", True, {"chat_template_kwargs": {"enable_thinking": True}}),
    ("openai", "LGAI-EXAONE/EXAONE-4.0-32B", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
    ("openai", "naver/HyperCLOVAX-SEED-Think-14B", True, {"chat_template_kwargs": {"force_reasoning": True}}),
    ("openai", "gpt-oss-120b", "low", {"reasoning_effort": "low"}),
    ("openai", "gpt-oss-120b", "high", {"reasoning_effort": "high"}),
    ("clova.openai", "HCX-007", True, {"reasoning_effort": "low"}),
    ("clova.openai", "HCX-007", False, {"reasoning_effort": "none"}),
    ("clova.openai", "HCX-007", "medium", {"reasoning_effort": "medium"}),
]


def ask(mode: str, service: str, script: Script, model: str, **options: Any) -> Any:
    module = {"gov": gov, "openai": openai, "clova.openai": clova}[service]

    def work(client: Any) -> Any:
        return (client.openai if service == "clova.openai" else client).chat(model, "질문", **options)

    return run(mode, module, script, work)


@pytest.mark.parametrize(("service", "model", "thinking", "fields"), THINKING)
@pytest.mark.parametrize("mode", MODES)
def test_thinking_is_sent_as_the_service_documents_it(
    mode: str, service: str, model: str, thinking: Any, fields: dict[str, Any]
) -> None:
    script = Script([CHAT])
    assert ask(mode, service, script, model, thinking=thinking).text == "x"
    plain = Script([CHAT])
    ask(mode, service, plain, model, thinking=None)
    assert script.bodies[0] == {**plain.bodies[0], **fields}


def test_thinking_and_the_fields_that_it_becomes() -> None:
    script = Script([CHAT])
    ask("sync", "openai", script, "m", thinking=True, chat_template_kwargs={"a": 1})
    ask("sync", "openai", script, "m", thinking=True, chat_template_kwargs={"enable_thinking": "auto"})
    assert [body["chat_template_kwargs"] for body in script.bodies] == [
        {"enable_thinking": True, "a": 1},
        {"enable_thinking": "auto"},
    ]
    with pytest.raises(ValueError, match="pass thinking or reasoning_effort, not both"):
        ask("sync", "openai", script, "m", thinking="low", reasoning_effort="high")


@pytest.mark.parametrize("service", ["gov", "openai", "clova.openai"])
@pytest.mark.parametrize("value", [{"effort": "low"}, "deep", 1, 0.5, ["low"]])
def test_a_wrong_thinking_says_what_to_pass(service: str, value: Any) -> None:
    with pytest.raises(
        ValueError if isinstance(value, str) else TypeError,
        match="thinking must be True, False, 'none', 'low', 'medium' or 'high', not",
    ):
        ask("sync", service, Script([CHAT]), "m", thinking=value)


@pytest.mark.parametrize("value", ["low", "medium", "high"])
def test_gov_documents_no_depth(value: str) -> None:
    with pytest.raises(
        ValueError, match=f"documents no depth of reasoning: pass thinking=True or False, not '{value}'"
    ):
        ask("sync", "gov", Script([CHAT]), "HCX-GOV-THINK", thinking=value)


def test_the_message_of_an_unknown_option_is_a_sentence() -> None:
    with pytest.raises(TypeError) as near:
        ask("sync", "openai", Script([CHAT]), "m", max_token=1)
    assert str(near.value) == (
        "chat() has no option 'max_token'; did you mean max_tokens? "
        "A field that is not known here goes into extra_body"
    )
    with pytest.raises(TypeError) as far:
        ask("sync", "openai", Script([CHAT]), "m", zzz=1)
    assert str(far.value) == "chat() has no option 'zzz'; a field that is not known here goes into extra_body"
    with pytest.raises(TypeError) as plain:
        run("sync", clova, Script([CHAT]), lambda client: client.chat("HCX-005", "x", temprature=1))
    assert str(plain.value) == "chat() has no option 'temprature'; did you mean temperature?"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_headers": "x"}, "extra_headers must be a dict of strings, not str"),
        ({"extra_headers": {"a": 1}}, "extra_headers must be a dict of strings; 'a' is int"),
        ({"extra_query": [("a", 1)]}, "extra_query must be a dict, not list"),
        ({"extra_body": {1: 2}}, "extra_body must be a dict with names that are strings, not int"),
        ({"record": 3}, "record must be a path, not int"),
        ({"record": b"x"}, "record must be a path, not bytes"),
        ({"timeout": True}, "timeout must be seconds or a Timeout of httpx, not True"),
        ({"stall_timeout": "9"}, "stall_timeout must be seconds above 0, or None, not '9'"),
        ({"total_timeout": False}, "total_timeout must be seconds above 0, or None, not False"),
        ({"max_retries": 1.0}, "max_retries must be an int of 0 or more, not 1.0"),
    ],
)
@pytest.mark.parametrize("service", ["clova", "exaone", "gov", "openai"])
def test_a_wrong_type_is_named(service: str, options: dict[str, Any], message: str) -> None:
    module = {"clova": clova, "exaone": exaone, "gov": gov, "openai": openai}[service]
    arguments = ("x",) if service == "exaone" else ("HCX-005", "x")
    with module.Client(KEY, base_url="http://127.0.0.1:9") as client, pytest.raises(TypeError) as error:
        client.chat(*arguments, **options)
    assert str(error.value) == message


OPTIONS_OF_CHAT: dict[str, tuple[Any, Any]] = {
    "clova": (clova, clova.ChatOptions),
    "exaone": (exaone, exaone.QueryOptions),
    "gov": (gov, gov.ChatOptions),
    "openai": (openai, openai.ChatOptions),
    "clova.openai": (clova, clova.CompatibleOptions),
}
WRONG = {
    "temperature must be a number, not str": {"temperature": "0.5"},
    "top_p must be a number, not bool": {"top_p": True},
    "max_tokens must be an int, not str": {"max_tokens": "5"},
    "seed must be an int, not float": {"seed": 1.5},
    "response_format must be a dict, not str": {"response_format": "json"},
    "tool_choice must be a str or a dict, not int": {"tool_choice": 5},
    "stop must be a list of strings, not int": {"stop": 5},
    "include_ai_filters must be True or False, not str": {"include_ai_filters": "yes"},
    "request_id must be a str, not int": {"request_id": 5},
    "reasoning_effort must be a str, not int": {"reasoning_effort": 1},
    "parallel_tool_calls must be True or False, not int": {"parallel_tool_calls": 1},
    "chat_template_kwargs must be a dict, not str": {"chat_template_kwargs": "x", "thinking": True},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_type_of_an_option_of_a_chat_is_named(message: str) -> None:
    options, tried = WRONG[message], 0
    for service, (module, known) in OPTIONS_OF_CHAT.items():
        if not set(options) <= set(known.__annotations__):
            continue
        arguments = ("x",) if service == "exaone" else ("m", "x")
        with module.Client(KEY, base_url="http://127.0.0.1:9") as client, pytest.raises(TypeError) as error:
            (client.openai if service == "clova.openai" else client).chat(*arguments, **options)
        assert str(error.value) == message
        tried += 1
    assert tried


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tools": {"type": "function"}}, "tools must be a list of dicts, not dict"),
        ({"tool_choice": 5}, "tool_choice must be a str or a dict, not int"),
        ({"response_format": "json"}, "response_format must be a dict, not str"),
    ],
)
def test_a_wrong_type_of_what_is_counted_is_named(options: dict[str, Any], message: str) -> None:
    with clova.Client(KEY, base_url="http://127.0.0.1:9") as client, pytest.raises(TypeError) as error:
        client.count_chat_tokens("HCX-005", "x", **options)
    assert str(error.value) == message


#: The message of the error, and a call of Gov's tools, documents or agents.
WRONG_AT_GOV: dict[str, Callable[[Any], Any]] = {
    "text must be a str, not int": lambda client: client.tools.pii_mask(5),
    "text must be a str, not bytes": lambda client: client.tools.speech(b"x"),
    "model must be a str, not int": lambda client: client.tools.embeddings("x", model=5),
    "timestamps must be a list of strings, not int": lambda client: client.tools.transcribe(
        FILE, timestamps=5
    ),
    "extra must be a dict, not str": lambda client: client.tools.parse_document(FILE, extra="x"),
    "extra must be a dict, not list": lambda client: client.rag.search("x", extra=["x"]),
    "query must be a str, not int": lambda client: client.rag.search(5),
    "name must be a str, not int": lambda client: client.rag.collections.create(5),
    "content must be a str, not int": lambda client: client.rag.chunks.create("x", "y", content=5),
    "metadata must be a dict, not str": lambda client: client.rag.documents.upload("x", FILE, metadata="x"),
    "metadata must be a dict, not int": lambda client: client.agents.send("a", "x", metadata=5),
    "configuration must be a dict, not str": lambda client: client.agents.send("a", "x", configuration="x"),
    "previous must be a Completion, not str": lambda client: client.agents.send("a", "x", previous="y"),
}


@pytest.mark.parametrize("message", WRONG_AT_GOV)
def test_a_wrong_type_is_named_by_gov(message: str) -> None:
    with (
        gov.Client(KEY, base_url="http://127.0.0.1:9", max_retries=0, team_id=1) as client,
        pytest.raises(TypeError) as error,
    ):
        WRONG_AT_GOV[message](client)
    assert str(error.value) == message


@pytest.mark.parametrize("service", ["clova", "gov", "openai"])
def test_a_model_is_a_str(service: str) -> None:
    module = {"clova": clova, "gov": gov, "openai": openai}[service]
    with module.Client(KEY, base_url="http://127.0.0.1:9") as client, pytest.raises(TypeError) as error:
        client.chat(3, "x")
    assert str(error.value) == "model must be a str, not int"


def test_options_of_with_options_are_checked() -> None:
    with clova.Client(KEY) as client:
        with pytest.raises(TypeError) as near:
            client.with_options(timout=1)
        assert str(near.value) == "with_options() has no option 'timout'; did you mean timeout?"
        with pytest.raises(TypeError, match=r"^with_options\(\) has no option 'zzz'$"):
            client.with_options(zzz=1)
        with pytest.raises(TypeError, match=r"^headers must be a dict of strings; 'a' is int$"):
            client.with_options(headers={"a": 1})


def test_extra_body_needs_an_object() -> None:
    with exaone.Client(KEY) as client, pytest.raises(TypeError, match="to a body that is an object"):
        client.request("POST", "/v1/x", json=[1], extra_body={"a": 1})


@pytest.mark.parametrize(
    ("module", "call", "message"),
    [
        (clova, lambda c: c.embedding(["a"]), "text must be a str, not list"),
        (clova, lambda c: c.count_embedding_tokens(3), "text must be a str, not int"),
        (clova, lambda c: c.count_chat_tokens(3, "x"), "model must be a str, not int"),
        (clova, lambda c: c.openai.embeddings(3), "input must be a list of strings, not int"),
        (exaone, lambda c: c.chat("q", model=3), "model must be a str, not int"),
        (exaone, lambda c: c.files.delete(3), "file_ids must be a list of strings, not int"),
        (
            exaone,
            lambda c: c.request("GET", "/x", headers={"a": 1}),
            "headers must be a dict of strings; 'a' is int",
        ),
        (exaone, lambda c: c.request("GET", "/x", params="q"), "params must be a dict, not str"),
        (
            gov,
            lambda c: c.agents.send(1, 3),
            "message must be a str or a list of parts such as {'text': '...'}, not int",
        ),
        (
            gov,
            lambda c: c.agents.send(1, ["x"]),
            "message must be a str or a list of parts such as {'text': '...'}; message[0] is str",
        ),
    ],
)
def test_a_wrong_argument_is_named(module: Any, call: Callable[[Any], Any], message: str) -> None:
    more = {"team_id": 1} if module is gov else {}
    with (
        module.Client(KEY, base_url="http://127.0.0.1:9", **more) as client,
        pytest.raises(TypeError) as error,
    ):
        call(client)
    assert str(error.value) == message
