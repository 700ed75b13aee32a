"""Ask ragapp through OpenAI's client: RAGAPP_TOKEN=rag_... python examples/openai_client.py "your question" """

import os
import sys

from openai import OpenAI

url = os.environ.get("RAGAPP_URL", "http://127.0.0.1:8400")
client = OpenAI(base_url=f"{url}/openai/v1", api_key=os.environ.get("RAGAPP_TOKEN", "none"))
question = sys.argv[1] if len(sys.argv) > 1 else "How many days of leave do I have?"

with client.chat.completions.create(
    model="ragapp", messages=[{"role": "user", "content": question}], stream=True
) as stream:
    for chunk in stream:
        for choice in chunk.choices:
            print(choice.delta.content or "", end="", flush=True)
print()
