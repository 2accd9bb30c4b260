"""Many streams at a time in one task group, and how fast they went.

Key: CLOVA_STUDIO_API_KEY. Run: python many_streams.py
"""

import asyncio

import hangang

QUESTIONS = [f"{n}의 제곱은?" for n in range(50)]
AT_A_TIME = 20


async def answer(client, question, free):
    async with free, client.stream("HCX-DASH-002", question) as stream:
        await stream.read()
    return stream


async def main():
    free = asyncio.Semaphore(AT_A_TIME)
    async with hangang.clova.AsyncClient(max_retries=4) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(answer(client, question, free)) for question in QUESTIONS]
    streams = [task.result() for task in tasks]
    first = sorted(stream.metrics.first_text for stream in streams)
    events = sum(stream.metrics.events for stream in streams)
    print(
        f"{len(streams)} answers, {events} events, first text after {first[len(first) // 2]:.3f} s (median)"
    )


asyncio.run(main())
