"""Connections out of this machine are refused and written down; loopback works."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.fence.fence import Fence, FenceLimits
from ragapp.network import REPORT_VARIABLE, attempts

PROGRAM = """
import socket, sys
from pathlib import Path
from ragapp.network import refuse_outgoing, attempts
report = Path(sys.argv[1])
refuse_outgoing(report)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
left, right = socket.socketpair()
for attempt in sys.argv[2:]:
    try:
        exec(attempt)
        print("went out:", attempt)
    except ConnectionRefusedError:
        pass
print(len(attempts(report)))
"""


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('203.0.113.1', 443), timeout=1)",
        "socket.getaddrinfo('hub.example', 443)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.1', 53))",
        "socket.create_connection(('::ffff:203.0.113.1', 443), timeout=1)",
        "__import__('urllib.request').request.urlopen('http://hub.example/', timeout=1)",
    ],
)
def test_every_way_out_is_refused_and_told(tmp_path: Path, attempt: str) -> None:
    caught = f"try:\n    {attempt}\nexcept OSError as error:\n    raise ConnectionRefusedError from error"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "report"), caught], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "1", ran.stdout


def test_a_child_of_the_engine_refuses_as_well(tmp_path: Path) -> None:
    program = (
        "from ragapp.network import refuse_if_told\nrefuse_if_told()\nimport socket\nsocket.getaddrinfo('x.example', 1)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"_RAGAPP_REFUSE_NETWORK": str(tmp_path / "report"), "PATH": "/usr/bin"},
        check=False,
    )
    assert "ConnectionRefusedError" in ran.stderr
    assert "x.example" in (tmp_path / "report").read_text()


def test_a_reader_behind_the_fence_refuses_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REPORT_VARIABLE, str(tmp_path / "report"))
    with Fence(FenceLimits()) as fence, pytest.raises(ConnectionRefusedError):
        fence.call(socket.getaddrinfo, "reader.example", 443)
    assert "reader.example" in attempts(tmp_path / "report")[0]
