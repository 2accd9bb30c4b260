"""An agent served by a2a-sdk itself, in a thread: 1.0 and 0.3 on one path ([a2a §8])."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from a2a.helpers import new_task_from_user_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Message, Part, Role
from starlette.applications import Starlette


class Agent(AgentExecutor):
    """`message` is answered with one message, anything else with a task and an artifact in two chunks."""

    async def execute(self, context: Any, event_queue: Any) -> None:
        if context.get_user_input() == "message":
            part = Part(text="직접")
            answer = Message(
                role=Role.ROLE_AGENT, message_id="m", parts=[part], context_id=context.context_id
            )
            await event_queue.enqueue_event(answer)
            return
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue=event_queue, task_id=task.id, context_id=task.context_id)
        await updater.start_work()
        await updater.add_artifact([Part(text="안녕하")], artifact_id="a", append=False, last_chunk=False)
        await updater.add_artifact([Part(text="세요")], artifact_id="a", append=True, last_chunk=True)
        await updater.complete()

    async def cancel(self, context: Any, event_queue: Any) -> None:
        raise NotImplementedError


def application() -> Starlette:
    card = AgentCard(
        name="agent",
        description="for tests",
        version="1",
        capabilities=AgentCapabilities(streaming=True),
        supported_interfaces=[
            AgentInterface(url="http://127.0.0.1/a2a", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
    )
    handler = DefaultRequestHandler(agent_executor=Agent(), task_store=InMemoryTaskStore(), agent_card=card)
    routes = create_agent_card_routes(agent_card=card)
    routes += create_jsonrpc_routes(request_handler=handler, rpc_url="/a2a", enable_v0_3_compat=True)
    return Starlette(routes=routes)


@contextlib.contextmanager
def serve_in_thread() -> Iterator[str]:
    """Serve on a free loopback port; gives the address without a path."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        config = uvicorn.Config(application(), log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(5)
