#!/usr/bin/env bash
# uvicorn 0.54.0 on asyncio, Linux: a listening socket that is handed in (`serve(sockets=…)`) serves without TCP_NODELAY.
#
# asyncio sets it only where the socket says that its protocol is TCP, which one from socket.create_server does not; with
# host and port asyncio makes the socket itself, and it is set. A response's head and body are two writes, so each small
# reply on a kept connection waits about 40 ms for the other end's delayed acknowledgement, and so does each small piece
# of a stream. Upstream knows of it for --workers (uvicorn issue 3149). Seen in November 2026:
#   uvicorn 0.54.0: with host and port TCP_NODELAY is set; with a socket handed in it is not
# ragapp, which hands its own in, sets it on each connection (ragapp/serve/wire.py).
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 h11
"$room/venv/bin/python" - <<'PYTHON'
import asyncio
import socket
import sys
from importlib.metadata import version

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


seen = []


class Looking(H11Protocol):
    def connection_made(self, transport):
        own = transport.get_extra_info("socket")
        seen.append(bool(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        super().connection_made(transport)


async def tried(sockets, port):
    config = uvicorn.Config(app, host="127.0.0.1", port=port, http=Looking, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started:
        await asyncio.sleep(0.02)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.2)
    writer.close()
    server.should_exit = True
    await task
    return seen.pop()


def free():
    with socket.create_server(("127.0.0.1", 0)) as made:
        return made.getsockname()[1]


own = asyncio.run(tried(None, free()))
given_socket = socket.create_server(("127.0.0.1", 0))
given = asyncio.run(tried([given_socket], given_socket.getsockname()[1]))
said = {True: "is set", False: "is not"}
print(f"uvicorn {version('uvicorn')}: with host and port TCP_NODELAY {said[own]}; with a socket handed in it {said[given]}")
sys.exit(0 if own and not given else "it has changed")
PYTHON
