"""A gateway that speaks OpenAI's API and answers with EXAONE and CLOVA Studio, tools included.

Keys: EXAONE_API_KEY, CLOVA_STUDIO_API_KEY. Start: uvicorn gateway:app
Use: openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="-"), model="exaone" or "HCX-007", ...
"""

import json
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

import hangang


@asynccontextmanager
async def lifespan(app):
    async with hangang.clova.AsyncClient() as clova, hangang.exaone.AsyncClient() as exaone:
        yield {"clova": clova, "exaone": exaone}


app = FastAPI(lifespan=lifespan)


def upstream(body, clients):
    if body["model"] == "exaone":
        *past, last = [m["content"] for m in body["messages"] if m["role"] in ("user", "assistant")]
        turns = [{"query": q, "intent": "", "answer": a} for q, a in zip(past[::2], past[1::2], strict=True)]
        return clients.exaone.stream(last, previous_messages=turns)
    options = {"tools": body["tools"], "max_tokens": 1024} if body.get("tools") else {}
    if options and body["model"] == "HCX-007":
        options["thinking"] = "none"  # the service refuses tools while it thinks
    return clients.clova.stream(body["model"], body["messages"], **options)


@app.post("/v1/chat/completions")
async def chat(request: Request):
    body = await request.json()
    stream = await upstream(body, request.state).open()  # raises what `refused` makes a status of
    if not body.get("stream"):
        return (await stream.read()).to_openai(body["model"])
    return StreamingResponse(server_sent_events(stream, body), media_type="text/event-stream")


async def server_sent_events(stream, body):
    usage = (body.get("stream_options") or {}).get("include_usage", False)
    async with stream:
        try:
            async for chunk in hangang.openai.to_chunks(stream, model=body["model"], include_usage=usage):
                yield f"data: {json.dumps(chunk)}\n\n"
            yield "data: [DONE]\n\n"
        except hangang.HangangError as error:
            yield f"data: {json.dumps({'error': {'message': str(error)}})}\n\n"


@app.exception_handler(hangang.APIError)
async def refused(request: Request, error: hangang.APIError):
    detail = {"message": error.message, "type": type(error).__name__, "param": None, "code": error.code}
    return JSONResponse({"error": detail}, status_code=error.status or 502)
