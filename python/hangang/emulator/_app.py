"""The Starlette application: every service at the root of one host, and `/_emulator`."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import (
    agents,
    clova,
    clova_compatible,
    clova_tools,
    exaone,
    gov,
    gov_agents,
    gov_rag,
    gov_tools,
    openai_server,
)
from ._call import Refusal, Service, receive
from ._faults import Faults
from ._guard import HostGuard
from ._state import State

_CHATS = (clova, clova_compatible, exaone, gov, openai_server)
_OTHERS = (clova_tools, agents, gov_agents, gov_rag, gov_tools)


def build(state: State) -> Starlette:
    """The application with this memory."""
    app = Starlette(
        routes=[
            Route("/_emulator", _report, methods=["GET"]),
            Route("/_emulator/requests", _requests, methods=["GET"]),
            *(route for module in (*_CHATS, *_OTHERS) for route in module.ROUTES),
        ],
        exception_handlers={404: _no_such_path, 405: _no_such_path, ClientDisconnect: _left},
    )
    app.state.emulator = state
    app.add_middleware(Faults)
    app.add_middleware(HostGuard)
    return app


async def _report(request: Request) -> Response:
    state: State = request.app.state.emulator
    report = state.report()
    if state.connections is not None:
        report["connections"] = state.connections - 1  # without the one that asks
    return JSONResponse(report)


async def _requests(request: Request) -> Response:
    state: State = request.app.state.emulator
    # Escaped: a request may hold lone surrogates, which UTF-8 cannot.
    found = json.dumps([kept.to_dict() for kept in state.requests])
    return Response(found, media_type="application/json")


async def _no_such_path(request: Request, error: Exception) -> Response:
    """An unknown path, or another method, in the words of the service that it looks like."""
    call = await receive(request, _service_of(request.url.path))
    status = error.status_code if isinstance(error, HTTPException) else 404
    refused = call.service.complete(Refusal(404))
    return call.refuse(Refusal(status, refused.code, refused.message))


async def _left(_: Request, __: Exception) -> Response:
    """The client left before its request was whole; nobody reads this."""
    return Response(status_code=400)


def _service_of(path: str) -> Service:
    for prefixes, service in (
        (("/v1/chatexaone", "/v1/files", "/v1/code-cli"), exaone.SERVICE),
        (("/openai/",), openai_server.SERVICE),
        (("/v1/openai",), clova_compatible.SERVICE),
        (("/api/", "/v1/rag42", "/rag42", "/v1/text", "/tools", "/v1/tools", "/v1/audio"), gov.TOOLS),
    ):
        if path.startswith(prefixes):
            return service
    return clova.SERVICE
