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
_URL = pytest.StashKey[str]()  # of the session's server
_PATCH = pytest.StashKey[pytest.MonkeyPatch]()  # of the test that runs


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


def _set(patch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in variables(url).items():
        patch.setenv(name, value)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(hookwrapper=True)  # not `wrapper`: pytest 7 stops at that
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None]:
    """Set the variables of a running `hangang_server` for the tests that use it, and for no other."""
    stash = item.config.stash
    with pytest.MonkeyPatch.context() as patch:
        stash[_PATCH] = patch
        if _URL in stash and "hangang_server" in getattr(item, "fixturenames", ()):
            _set(patch, stash[_URL])
        yield


@pytest.fixture(scope="session")
def hangang_server(request: pytest.FixtureRequest) -> Generator[Emulator]:
    """One emulator for the session; its answers and requests are shared by all its tests."""
    from . import run_in_thread

    stash = request.config.stash
    with run_in_thread() as emulator:
        stash[_URL] = emulator.url
        _set(stash[_PATCH], emulator.url)  # for the rest of this test; the hook sets them for later ones
        yield emulator
        del stash[_URL]


@pytest.fixture
def hangang_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[Emulator]:
    """An emulator of this test alone."""
    from . import run_in_thread

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("hangang"):
        if marker.args:
            raise TypeError("pytest.mark.hangang takes keyword arguments only, such as answers=[Reply(...)]")
        options = {**marker.kwargs, **options}  # the marker nearest to the test wins
    with run_in_thread(**options) as emulator:
        _set(monkeypatch, emulator.url)
        yield emulator
