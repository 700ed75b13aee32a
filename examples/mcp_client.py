"""Ask ragapp as an agent would: RAGAPP_TOKEN=rag_... python examples/mcp_client.py "your question" """

import asyncio
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("RAGAPP_URL", "http://127.0.0.1:8400")
HEADERS = {"authorization": f"Bearer {os.environ['RAGAPP_TOKEN']}"} if "RAGAPP_TOKEN" in os.environ else {}


async def main(question: str) -> None:
    async with (
        httpx2.AsyncClient(headers=HEADERS, timeout=120) as http,
        Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as client,
    ):
        answer = await client.call_tool("ask", {"question": question})
        print(answer.content[0].text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "How many days of leave do I have?"))
