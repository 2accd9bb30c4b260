"""The Starlette application: every service at the root of one host, and `/_emulator`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Collection
from typing import Unpack

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import agents, clova, clova_compatible, clova_tools, exaone, gov, rag, tools
from ._controls import ControlOptions, Controls
from ._state import State


def build(
    *,
    keys: Collection[str] | None = None,
    requests_per_minute: int | None = None,
    controls: Controls | None = None,
    **options: Unpack[ControlOptions],
) -> Starlette:
    """See `hangang.emulator.create_app`."""
    state = State(
        controls=(controls or Controls()).changed(options.items()),
        keys=keys,
        requests_per_minute=requests_per_minute,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await state.close()

    app = Starlette(
        routes=[
            Route("/_emulator", _report, methods=["GET"]),
            *clova.routes(),
            *clova_compatible.routes(),
            *clova_tools.routes(),
            *exaone.routes(),
            *gov.routes(),
            *agents.routes(),
            *rag.routes(),
            *tools.routes(),
        ],
        lifespan=lifespan,
    )
    app.state.emulator = state
    return app


async def _report(request: Request) -> Response:
    state: State = request.app.state.emulator
    report = state.report()
    if state.connections is not None:
        report["connections"] = state.connections - 1  # without the one that asks
    return JSONResponse(report)
