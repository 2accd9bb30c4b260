"""Fixtures of all test files. `impl` runs a test once on each implementation, in one process."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parent.parent / "benches")]

import support  # noqa: E402 - found by the line above

# A run in the background may be set to ignore Ctrl-C, and its children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A fixed seed where the result must be the same twice; elsewhere each run looks at new cases.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=150, **COMMON)  # type: ignore[arg-type]
settings.register_profile("ci", max_examples=150, derandomize=True, **COMMON)  # type: ignore[arg-type]
settings.register_profile("long", max_examples=5000, **COMMON)  # type: ignore[arg-type]
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "dev")
)


def load(name: str) -> support.Implementation:
    if name == "native":
        absent = support.native_absence()
        if absent and support.native_required():
            pytest.fail(f"{absent}, and this run requires it")
        if absent:
            pytest.skip(absent)
    return support.implementation(name)


@pytest.fixture(params=("native", "pure"))
def impl(request: pytest.FixtureRequest) -> support.Implementation:
    return load(request.param)


@pytest.fixture(params=("on", "off"))
def predict(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Runs a test with prediction and without: parsers read HANGANG_PREDICT when they are made."""
    on: bool = request.param == "on"
    if on:
        monkeypatch.delenv("HANGANG_PREDICT", raising=False)
    else:
        monkeypatch.setenv("HANGANG_PREDICT", "0")
    return on


@pytest.fixture
def native() -> support.Implementation:
    return load("native")


@pytest.fixture
def pure() -> support.Implementation:
    return load("pure")
