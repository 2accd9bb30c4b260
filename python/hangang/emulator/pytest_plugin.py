"""The pytest plugin: a server of chosen answers for a test, and the variables that lead clients to it.

`hangang_emulator` is an emulator of its own for each test, `hangang_server` is one for the session (with
pytest-xdist: one in each worker). While a test uses either, the base-URL and key variables of all services
name it, so that code which reads its settings from the environment runs unchanged:

    def test_answer(hangang_emulator):
        hangang_emulator.answers = [Reply("한강입니다.")]
        assert my_code("서울의 강은?") == "한강입니다."
        assert hangang_emulator.requests[0].body["messages"][-1]["content"] == "서울의 강은?"

    @pytest.mark.hangang(answers=[Reply("반쯤")], cut="2e")     # any argument of `run_in_thread`
    def test_truncation(hangang_emulator): ...

pytest loads this module in every run, so it imports nothing but pytest until a fixture is used. Without the
extra `hangang[emulator]` only the fixtures fail, with an ImportError that names it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ._server import Emulator

__all__ = ["KEY", "hangang_emulator", "hangang_server", "variables"]

KEY = "nv-emulator"
"""The key in every key variable; the emulator accepts it for all services."""

_MARKER = "hangang(**options): the arguments of `hangang.emulator.run_in_thread` for `hangang_emulator`"
_SESSION = pytest.StashKey["_Variables"]()


def variables(url: str) -> dict[str, str]:
    """The environment variables that lead clients to an emulator, of ours and of other packages."""
    found = {
        "CLOVA_STUDIO_BASE_URL": url,
        "EXAONE_BASE_URL": url,
        "CLOVA_STUDIO_GOV_BASE_URL": url,
        "OPENAI_BASE_URL": f"{url}/openai/v1",
        "CLOVASTUDIO_API_BASE_URL": f"{url}/v1/openai",  # langchain-naver
        "CLOVA_STUDIO_API_KEY": KEY,
        "CLOVASTUDIO_API_KEY": KEY,
        "EXAONE_API_KEY": KEY,
        "CLOVA_STUDIO_GOV_API_KEY": KEY,
        "OPENAI_API_KEY": KEY,
    }
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the machine's settings does not reach it
        found[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))
    return found


class _Variables:
    """Sets environment variables, and puts the old ones back."""

    def __init__(self, url: str) -> None:
        self._names = variables(url)
        self._patch = pytest.MonkeyPatch()

    def set(self) -> None:
        for name, value in self._names.items():
            self._patch.setenv(name, value)

    def undo(self) -> None:
        self._patch.undo()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(hookwrapper=True)  # not `wrapper`: pytest 7 stops at that
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None]:
    """Set the variables of a running `hangang_server` for the tests that use it, and for no other."""
    if _SESSION in item.config.stash and "hangang_server" in getattr(item, "fixturenames", ()):
        item.config.stash[_SESSION].set()
    yield
    if _SESSION in item.config.stash:
        item.config.stash[_SESSION].undo()


@pytest.fixture(scope="session")
def hangang_server(request: pytest.FixtureRequest) -> Generator[Emulator]:
    """One emulator for the session; its answers and requests are shared by all its tests."""
    from . import run_in_thread

    with run_in_thread() as emulator:
        found = request.config.stash[_SESSION] = _Variables(emulator.url)
        found.set()  # for the rest of this test; the hook above sets them for later ones
        yield emulator
        found.undo()
        del request.config.stash[_SESSION]


@pytest.fixture
def hangang_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[Emulator]:
    """An emulator of this test alone."""
    from . import run_in_thread

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("hangang"):
        options = {**marker.kwargs, **options}  # the marker nearest to the test wins
    with run_in_thread(**options) as emulator:
        for name, value in variables(emulator.url).items():
            monkeypatch.setenv(name, value)
        yield emulator
