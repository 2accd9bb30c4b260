"""LangChain: an agent on CLOVA Studio that calls a tool until it has its answer.

Needs: hangang[langchain], langchain. Key: CLOVA_STUDIO_API_KEY. Run: python langchain_agent.py
"""

from langchain.agents import create_agent

from hangang.langchain import ChatClova


def get_water_level(station: str) -> str:
    """수위 관측소의 현재 수위를 알려 준다."""
    return f"{station}: 3.2 m"


model = ChatClova(model="HCX-005", temperature=0.1)
agent = create_agent(model, tools=[get_water_level], system_prompt="한 문장으로 답한다.")
state = agent.invoke({"messages": [("human", "잠수교 수위 알려 줘")]})

for message in state["messages"]:
    for call in getattr(message, "tool_calls", []):
        print(f"{call['name']}({call['args']})")
print(state["messages"][-1].text)
model.close()
