"""CLOVA Studio Gov: a chat, and an agent over two turns of one session.

Key: CLOVA_STUDIO_GOV_API_KEY. Run: python gov.py TEAM_ID AGENT_ID
"""

import sys

import hangang

team_id, agent_id = sys.argv[1:]

with hangang.gov.Client(team_id=team_id) as client:
    print(client.chat("HCX-GOV", "주민등록등본은 어디서 떼?").text)

    answer = None
    for question in ("연차는 며칠이야?", "그럼 신청은 어떻게 해?"):
        with client.agents.stream(agent_id, question, previous=answer) as stream:
            answer = stream.read()
        print(f"{answer.state}: {answer.text}")
