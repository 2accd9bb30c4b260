"""The pytest plugin, in a scratch project outside the repository and in a pytest process of its own.

pytest finds the plugin as it does after an installation: by the entry point that pyproject.toml declares.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from scratch import installed
from support import REPO

CODE = '''
from hangang import clova, exaone, gov, openai


def ask(question):
    """Code under test: it knows nothing of the emulator."""
    with clova.Client() as client:
        return client.chat("HCX-005", question).text


def ask_all(question):
    with exaone.Client() as client:
        yield client.chat(question).text
    with gov.Client() as client:
        yield client.chat("HCX-GOV", question).text
    with openai.Client() as client:
        yield client.chat("LGAI-EXAONE/K-EXAONE", question).text


async def ask_async(question):
    async with clova.AsyncClient() as client, client.stream("HCX-007", question) as stream:
        return "".join([text async for text in stream.text_stream])
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the code under test, and what an installation would bring."""
    (tmp_path / "mycode.py").write_text(CODE, encoding="utf-8")
    unset = 'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset'
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\naddopts = --strict-markers\nfilterwarnings =\n    error\n    {unset}\n"
    )
    installed(tmp_path)
    return tmp_path


def run(
    project: Path, tests: str, *options: str, before: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """pytest in the project; `before` is Python that runs before it."""
    (project / "test_it.py").write_text(tests, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CLOVA"))}
    paths = [project / "installed", REPO / "python", project, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    start = f"{before}\nimport sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", start, "-q", "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=project,
        env={**kept, **(environment or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def assert_passed(done: subprocess.CompletedProcess[str], count: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout
    assert "warning" not in done.stdout


def test_one_emulator_a_test(project: Path) -> None:
    done = run(
        project,
        """
import os
import pytest
import hangang
from hangang.emulator import Reply
from mycode import ask, ask_all

urls = set()


def test_all_services(hangang_emulator):
    urls.add(hangang_emulator.url)
    hangang_emulator.answers = [Reply("가"), Reply("나"), Reply("다"), Reply("라")]
    assert [ask("?"), *ask_all("?")] == ["가", "나", "다", "라"]
    assert [r.service for r in hangang_emulator.requests] == ["clova", "exaone", "gov", "openai"]
    assert hangang_emulator.requests[0].body["messages"] == [{"role": "user", "content": "?"}]


def test_nothing_is_left_of_the_test_before(hangang_emulator):
    assert hangang_emulator.url not in urls
    assert hangang_emulator.requests == []
    assert "질문" in ask("질문")


def test_the_variables_are_as_before():
    assert os.environ["EXAONE_API_KEY"] == "mine"
    assert "CLOVA_STUDIO_API_KEY" not in os.environ
    assert os.environ["no_proxy"] == "example.com"


@pytest.mark.hangang(answers=lambda request: Reply(request.path))
class TestMarkers:
    def test_a_marker_of_the_class(self, hangang_emulator):
        assert ask("?") == "/v3/chat-completions/HCX-005"

    @pytest.mark.hangang(answers=[Reply(error=(400, "no"))])
    def test_a_marker_of_the_test(self, hangang_emulator):
        with pytest.raises(hangang.BadRequestError):
            ask("?")
""",
        environment={"EXAONE_API_KEY": "mine", "no_proxy": "example.com", "HTTP_PROXY": "http://127.0.0.1:9"},
    )
    assert_passed(done, 5)


def test_a_marker_without_names_is_refused(project: Path) -> None:
    """Its answers would be ignored, and the test would get made-up ones."""
    done = run(
        project,
        """
import pytest
from hangang.emulator import Reply


@pytest.mark.hangang([Reply("가")])
def test_it(hangang_emulator):
    pass
""",
    )
    assert "1 error" in done.stdout
    assert "TypeError: pytest.mark.hangang takes keyword arguments only" in done.stdout


def test_one_server_a_session(project: Path) -> None:
    done = run(
        project,
        """
import os
import pytest
from hangang.emulator import Reply
from mycode import ask

urls = []


@pytest.fixture(scope="module")
def answer(hangang_server):
    return ask("모듈")


def test_first(answer, hangang_server):
    urls.append(hangang_server.url)
    assert "모듈" in answer and "하나" in ask("하나")


def test_between():
    assert "CLOVA_STUDIO_BASE_URL" not in os.environ
    os.environ["EXAONE_API_KEY"] = "mine"


def test_second(hangang_server):
    assert hangang_server.url == urls[0] == os.environ["CLOVA_STUDIO_BASE_URL"]
    assert len(hangang_server.requests) == 2


def test_both(hangang_server, hangang_emulator):
    hangang_emulator.answers = [Reply("가")]
    assert ask("?") == "가"
    assert len(hangang_server.requests) == 2


def test_last():
    assert "CLOVA_STUDIO_BASE_URL" not in os.environ
    assert os.environ["EXAONE_API_KEY"] == "mine"
""",
    )
    assert_passed(done, 5)


def test_with_pytest_asyncio(project: Path) -> None:
    pytest.importorskip("pytest_asyncio", reason="pytest-asyncio (in the extra dev) is not installed")
    done = run(
        project,
        """
import asyncio
import pytest
from hangang.emulator import Reply
from mycode import ask_async


@pytest.mark.asyncio
async def test_async(hangang_emulator):
    hangang_emulator.answers = lambda request: Reply(request.body["messages"][0]["content"])
    assert await asyncio.gather(*map(ask_async, "가나다라")) == list("가나다라")


@pytest.mark.asyncio
async def test_server(hangang_server):
    assert "물음" in await ask_async("물음")
""",
    )
    assert_passed(done, 2)


def test_with_xdist(project: Path) -> None:
    done = run(
        project,
        """
import pytest
from hangang.emulator import Reply
from mycode import ask


@pytest.mark.parametrize("number", range(8))
def test_many(number, hangang_emulator, hangang_server):
    hangang_emulator.answers = [Reply(str(number))]
    assert ask("?") == str(number)
    assert len(hangang_emulator.requests) == 1
    assert hangang_server.url != hangang_emulator.url
""",
        "-n2",
    )
    assert_passed(done, 8)


MISSING = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("starlette", "uvicorn", "python_multipart", "httpx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def test_silent_without_the_extra(project: Path) -> None:
    tests = "def test_other():\n    pass\n"
    assert_passed(run(project, tests, before=MISSING), 1)
    tests += "def test_mine(hangang_emulator):\n    pass\ndef test_server(hangang_server):\n    pass\n"
    done = run(project, tests, before=MISSING)
    assert "1 passed, 2 errors" in done.stdout
    assert (
        done.stdout.count("ImportError: the emulator needs 'starlette': pip install 'hangang[emulator]'") >= 2
    )


def test_loading_the_plugin_imports_no_server(project: Path) -> None:
    done = run(
        project,
        """
import sys


def test_modules(request):
    assert request.config.pluginmanager.has_plugin("hangang")
    assert not {"starlette", "uvicorn", "httpx"} & sys.modules.keys()
""",
        *("-p", "no:langsmith_plugin"),  # installed with LangChain; it imports httpx
    )
    assert_passed(done, 1)


def test_the_fixtures_are_listed(project: Path) -> None:
    done = run(project, "", "--fixtures", "--markers")
    assert "hangang(**options): the arguments of" in done.stdout
    done = run(project, "", "--fixtures")
    assert "hangang_emulator -- " in done.stdout
    assert "hangang_server [session scope] -- " in done.stdout
