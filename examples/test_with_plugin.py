"""Tests of your own code with answers that you choose, without a key: the pytest plugin of Hangang.

Needs: pytest, hangang[client,emulator]. Run: pytest test_with_plugin.py
"""

import pytest

import hangang
from hangang.emulator import Reply

# --- the code under test: nothing in it is there for the tests


def summary(text):
    with hangang.clova.Client(max_retries=0) as client:
        return client.chat("HCX-005", f"한 문장으로 요약해 줘: {text}", temperature=0.2).text


def shown(question):
    try:
        with hangang.clova.Client() as client, client.stream("HCX-005", question) as stream:
            return stream.read().text
    except hangang.TruncatedStreamError as error:
        return f"{error.completion.text} (답변이 끊겼습니다)"


# --- the tests


def test_a_chosen_answer(hangang_emulator):
    hangang_emulator.answers = [Reply("한강은 길다.")]
    assert summary("한강은 494 km를 흐른다.") == "한강은 길다."
    (request,) = hangang_emulator.requests
    assert request.body["temperature"] == 0.2
    assert "494 km" in request.body["messages"][0]["content"]


def test_a_refusal_of_the_service(hangang_emulator):
    hangang_emulator.answers = [Reply(error=("42901", "Too many requests - rate exceeded"))]
    with pytest.raises(hangang.RateLimitError):
        summary("한강")


@pytest.mark.hangang(answers=[Reply("한강은 서울을 지나 서해로 흐른다.")], truncate="2e")
def test_a_stream_that_is_cut(hangang_emulator):
    assert shown("한강은?").endswith(" (답변이 끊겼습니다)")
