"""The public surface: `__all__`, stubs and documents say the same, and importing it brings nothing along."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from types import ModuleType
from typing import Any

import pytest
import support
from fields import FIELDS

import hangang

CLIENTS = "Client AsyncClient Stream AsyncStream Response ConnectionOptions CallOptions RateLimit Metrics"
PUBLIC = {
    "hangang": """BACKEND AIFilter APIConnectionError APIError APITimeoutError AuthenticationError BadRequestError
        Completion HangangError InterruptedStreamError InvalidJSONError InvalidUTF8Error JSONStreamParser
        LimitExceededError Malformed NotFoundError ParseError PayloadTooLargeError PermissionDeniedError RateLimitError SSEParser ServerError
        ServerSentEvent StalledStreamError StreamError ToolCall ToolCallDelta ToolCalls TruncatedStreamError
        UnprocessableEntityError UnrecognizedStreamError UnsupportedMediaTypeError Usage __version__ a2a
        aiter_events clova detect exaone gov iter_events openai""",
    "hangang.clova": f"StreamParser Event Token Result Signal Error Unknown Malformed {CLIENTS} ChatOptions CompatibleOptions",
    "hangang.exaone": f"StreamParser Event Answer Error Unknown Malformed {CLIENTS} QueryOptions StatusOptions",
    "hangang.openai": f"StreamParser Event Chunk Choice Done Error Unknown Malformed to_chunks {CLIENTS} ChatOptions",
    "hangang.a2a": "StreamParser Event Task Message StatusUpdate ArtifactUpdate Error Unknown Malformed",
    "hangang.gov": f"""StreamParser Event Chunk Choice Done Error Unknown Malformed {CLIENTS}
        AgentProfile PROFILES AgentOptions ChatOptions""",
    "hangang.otel": "instrument uninstrument",
    "hangang.langchain": "ChatClova ChatExaone ChatGov ChatOpenAICompatible ClovaEmbeddings",
}
ADAPTERS = ("hangang.otel",)
#: Everything of this kind must stay away from `import hangang`: HTTP libraries, and what only extras bring.
FOREIGN = [
    "httpx",
    "httpx2",
    "httpcore",
    "h11",
    "h2",
    "requests",
    "urllib3",
    "aiohttp",
    "anyio",
    "orjson",
    "click",
    "starlette",
    "uvicorn",
    "tenacity",
    "http.client",
    "urllib.request",
    "multipart",
    "opentelemetry",
    "langchain_core",
    "langsmith",
    "pydantic",
    "pyarrow",
    "fsspec",
    "dask",
    "distributed",
]


def names(text: str) -> set[str]:
    return set(text.split())


def run(code: str, *arguments: str, **environ: str) -> Any:
    """What the code prints, in a fresh interpreter, as JSON."""
    result = subprocess.run(
        [sys.executable, *arguments, "-c", code],
        env={**os.environ, "PYTHONPATH": str(support.REPO / "python"), **environ},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def fails(code: str, *arguments: str, **environ: str) -> str:
    result = subprocess.run(
        [sys.executable, *arguments, "-c", code],
        env={**os.environ, "PYTHONPATH": str(support.REPO / "python"), **environ},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    return result.stderr


@pytest.mark.parametrize("module", PUBLIC)
def test_all(module: str) -> None:
    imported = importlib.import_module(module)
    assert len(set(imported.__all__)) == len(imported.__all__)
    assert set(imported.__all__) == names(PUBLIC[module])
    assert names(PUBLIC[module]) <= set(dir(imported))


@pytest.mark.parametrize("module", PUBLIC)
def test_nothing_public_beside_all(module: str) -> None:
    """What is no submodule and has no underscore is in `__all__`."""
    imported = importlib.import_module(module)
    beside = {
        name
        for name, value in vars(imported).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name not in imported.__all__
    }
    if module in ADAPTERS:  # written in the module itself, so that what it imports is beside its names
        beside = {name for name in beside if getattr(vars(imported)[name], "__module__", module) == module}
    assert beside <= {"annotations", "Any", "TYPE_CHECKING", "TypeAlias"}


@pytest.mark.parametrize("module", PUBLIC)
def test_everything_public_is_documented(module: str) -> None:
    imported = importlib.import_module(module)
    assert imported.__doc__
    for name in imported.__all__:
        if name in ("Client", "AsyncClient", "__version__", "BACKEND", "Event"):
            continue
        value = getattr(imported, name)
        if isinstance(value, ModuleType) or not callable(value):
            continue
        assert value.__doc__, name
        for member, method in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and callable(method):
                assert getattr(value, member).__doc__, f"{name}.{member}"


def test_events_are_the_union_of_the_classes() -> None:
    for module in support.DIALECTS:
        face = importlib.import_module(f"hangang.{module}")
        assert {cls.__name__ for cls in face.Event.__args__} == {*support.EVENTS[module], "Malformed"}


def test_backend_and_version() -> None:
    assert hangang.BACKEND in ("native", "pure")
    cargo = tomllib.loads((support.REPO / "Cargo.toml").read_text(encoding="utf-8"))
    version = cargo["workspace"]["package"]["version"]
    assert hangang.__version__ == version
    for impl in support.implementations():
        if impl.name == "native":
            assert impl.module.__version__ == version


def members(cls: Any) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def classes() -> list[tuple[str, str]]:
    parsers = [(dialect, "StreamParser") for dialect in support.DIALECTS]
    return [
        *FIELDS,
        *parsers,
        ("", "SSEParser"),
        ("", "JSONStreamParser"),
        ("", "Malformed"),
        ("", "ServerSentEvent"),
    ]


@pytest.mark.parametrize("key", classes(), ids=[".".join(key) for key in classes()])
def test_both_implementations_have_the_same_surface(
    key: tuple[str, str], native: support.Implementation, pure: support.Implementation
) -> None:
    one, two = native.cls(*key), pure.cls(*key)
    assert members(one) == members(two)
    assert (one.__name__, one.__module__) == (two.__name__, two.__module__)
    assert parameters(one) == parameters(two)
    for name in members(one):
        if callable(getattr(one, name)):
            assert parameters(getattr(one, name)) == parameters(getattr(two, name)), name
    assert inspect.getdoc(one) == inspect.getdoc(two)
    for name in members(one):
        described = inspect.getdoc(getattr(two, name))
        assert described, name
        if not isinstance(getattr(one, name), str):  # natively, a field that is always `""` is a constant
            assert inspect.getdoc(getattr(one, name)) == described, name


def parameters(function: Any) -> list[tuple[str, Any, bool]]:
    """Name, kind, and whether there is a default: what it is, is tested by test_objects and test_parsers."""
    described = inspect.signature(function).parameters.values()
    return [(p.name, p.kind if p.name != "self" else None, p.default is not p.empty) for p in described]


def test_stub_names_every_native_class(native: support.Implementation) -> None:
    """The stubs (generated, and checked by stubtest in `make lint`) have every class with its members."""
    stubs = support.REPO / "rust" / "hangang-python" / "stubs" / "hangang" / "_native"
    for key in classes():
        text = (stubs / f"{key[0] or '__init__'}.pyi").read_text(encoding="utf-8")
        cls = native.cls(*key)
        assert re.search(rf"\bclass \w*{key[1]}\b", text), key
        for name in members(cls):
            assert re.search(rf"\b{name}\b", text), f"{key}: {name}"


LOADED = """
import sys, json, hangang
from hangang import a2a, cli, clova, emulator, exaone, gov, openai, otel, streams
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("backend", ["native", "pure"])
def test_import_brings_no_http_library(backend: str) -> None:
    if backend == "native" and support.native_absence() and not support.native_required():
        pytest.skip(str(support.native_absence()))
    loaded = set(run(LOADED, HANGANG_BACKEND=backend))
    assert "hangang" in loaded
    assert not loaded & set(FOREIGN)
    assert not {name for name in loaded if name.split(".")[0] in FOREIGN}
    other = "hangang._pure" if backend == "native" else "hangang._native"
    assert other not in loaded


def test_importing_the_archives_brings_no_http_library() -> None:
    pytest.importorskip("pyarrow")
    code = "import sys, json, hangang.archive\nprint(json.dumps(sorted(sys.modules)))"
    loaded = set(run(code))
    assert "hangang.archive" in loaded
    assert not loaded & {
        "httpx",
        "httpx2",
        "httpcore",
        "requests",
        "urllib3",
        "aiohttp",
        "dask",
        "distributed",
    }


def test_import_is_lean(native: support.Implementation) -> None:
    """What only `hangang.streams` needs comes with it: half of an import's time, two megabytes."""
    code = (
        "import json, sys\n"
        "import hangang\n"
        "before = 'hangang.streams' in sys.modules\n"
        "hangang.Completion, hangang.iter_events, hangang.aiter_events\n"
        "print(json.dumps([before, 'hangang.streams' in sys.modules, 'Completion' in dir(hangang)]))"
    )
    assert run(code) == [False, True, True]
    bare = "import sys, hangang; sys.stdout.write(str(int(bool({'dataclasses', 'json', 'logging'} & {*sys.modules}))))"
    assert run(bare, HANGANG_BACKEND="native") == 0


@pytest.mark.parametrize(
    "name", ["hangang", "hangang.clova", "hangang.exaone", "hangang.gov", "hangang.openai"]
)
def test_completion_of_names_offers_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    shown = {one for one in dir(module) if not one.startswith("_")}
    submodules = {one for one in shown if isinstance(getattr(module, one), ModuleType)}
    assert shown - submodules == {*module.__all__} - submodules - {"__version__"}


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("archive", "pyarrow"),
        ("emulator", None),
        ("langchain", "langchain_core"),
        ("otel", None),
        ("streams", None),
    ],
)
def test_a_submodule_is_an_attribute_of_the_package(name: str, needs: str | None) -> None:
    """`import hangang; hangang.emulator` works, without the module being imported before."""
    if needs is not None:
        pytest.importorskip(needs)
    code = (
        "import json, sys, hangang\n"
        f"before = 'hangang.{name}' in sys.modules\n"
        f"print(json.dumps([before, hangang.{name} is sys.modules['hangang.{name}']]))"
    )
    assert run(code) == [False, True]


def test_import_needs_nothing_installed() -> None:
    """Without site-packages the parsers work: there is no dependency."""
    project = tomllib.loads((support.REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == []
    code = (
        "import json, hangang\n"
        "parser = hangang.clova.StreamParser()\n"
        'chunk = b\'data: {"message":{"content":"a","toolCalls":[{"function":{}}]},"finishReason":"stop"}\\n\\n\'\n'
        "print(json.dumps([hangang.BACKEND, hangang.Completion.of(parser.feed(chunk) + parser.close()).text]))"
    )
    backend, text = run(code, "-S")
    assert backend in ("native", "pure")
    assert text == "a"


def test_clients_say_what_they_need() -> None:
    """Constructing what needs an extra raises an ImportError that names the extra; importing it does not."""
    for module in ("clova", "exaone", "gov"):
        for name in ("Client", "AsyncClient"):
            code = f"from hangang.{module} import {name}\n{name}(api_key='k')"
            error = fails(code, "-S")
            assert "ImportError" in error
            assert "hangang[client]" in error


def test_archives_say_what_they_need() -> None:
    error = fails("import hangang.archive", "-S")
    assert "ImportError: hangang.archive needs pyarrow; pip install 'hangang[archive]'" in error


def test_backend_can_be_demanded() -> None:
    code = "import json, hangang; print(json.dumps(hangang.BACKEND))"
    assert run(code, HANGANG_BACKEND="pure") == "pure"
    error = fails(code, HANGANG_BACKEND="fast")
    assert "ImportError: HANGANG_BACKEND must be 'native', 'pure' or unset, not 'fast'" in error


HIDE = """
import importlib.abc, sys, json
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "hangang._native":
            raise {error}
        return None
sys.meta_path.insert(0, Hide())
import hangang
print(json.dumps(hangang.BACKEND))
"""
ABSENT = "ModuleNotFoundError(\"No module named 'hangang._native'\", name='hangang._native')"


def test_only_absence_falls_back() -> None:
    """An error inside the native module is shown, never hidden by falling back to pure."""
    assert run(HIDE.format(error=ABSENT), HANGANG_BACKEND="") == "pure"
    error = fails(HIDE.format(error=ABSENT), HANGANG_BACKEND="native")
    assert "ImportError: HANGANG_BACKEND=native, but" in error
    for broken in (
        "ImportError('undefined symbol: x')",
        "ModuleNotFoundError('no y', name='y')",
        "OSError('z')",
    ):
        for backend in ("", "native"):
            assert broken.partition("(")[0] in fails(HIDE.format(error=broken), HANGANG_BACKEND=backend)


@pytest.mark.parametrize("document", ["README.md", "README.ko.md"])
def test_documents_name_what_is_there(document: str) -> None:
    """Every dotted name `hangang.…` in the README exists."""
    text = (support.REPO / document).read_text(encoding="utf-8")
    seen = set(re.findall(r"\bhangang((?:\.[A-Za-z_]\w*)+)", text))
    assert seen
    for dotted in seen:
        place: Any = hangang
        for name in dotted[1:].split("."):
            if name in ("dev", "py", "whl", "git", "md", "sse"):
                break  # an address or a file, not a name
            if isinstance(place, ModuleType) and not hasattr(place, name):
                place = importlib.import_module(f"{place.__name__}.{name}")
            else:
                assert hasattr(place, name), dotted
                place = getattr(place, name)


def test_every_event_class_is_in_the_usage_file() -> None:
    """tests/support/typing_usage.py leaves no event class and no shared class out."""
    text = (support.REPO / "tests" / "support" / "typing_usage.py").read_text(encoding="utf-8")
    for module, name in FIELDS:
        assert f"{module or 'hangang'}.{name}" in text
