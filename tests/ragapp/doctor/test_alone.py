"""In an empty network namespace nothing gets out, in whatever language it asks, and the kernel's counts tell of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, os, socket, subprocess, sys, threading
from ragapp.doctor.alone import enter_empty_network, tries_to_leave

def native():
    "Connects without Python's sockets: an IPv4 address and port, as C has them."
    libc, address = ctypes.CDLL(None, use_errno=True), bytes([2, 0, 0, 80, 203, 0, 113, 1] + [0] * 8)
    assert libc.connect(libc.socket(2, 1, 0), address, 16) == -1
    print(os.strerror(ctypes.get_errno()))

def program():
    subprocess.run(["bash", "-c", "echo > /dev/tcp/203.0.113.1/80"], stderr=subprocess.DEVNULL)

def lookup():
    subprocess.run([sys.executable, "-c", "import socket; socket.getaddrinfo('hub.example', 443)"],
                   stderr=subprocess.DEVNULL)

def loopback():
    server = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(server.getsockname()).close()
    subprocess.run(["bash", "-c", f"echo > /dev/tcp/127.0.0.1/{server.getsockname()[1]}"], check=True)

def own_files():
    open(sys.argv[1], "w").close()
    print(os.stat(sys.argv[1]).st_uid == os.geteuid())
"""
ENTERED = "if not enter_empty_network(): sys.exit('not allowed')\n"


def inside(*lines: str, around: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> str:
    """What a process of its own prints, which stays in its namespace."""
    program = PROGRAM + "\n".join(lines)
    ran = subprocess.run(
        [*around, sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    if "not allowed" in ran.stderr or (around and "Operation not permitted" in ran.stderr):
        pytest.skip("no network namespace is allowed here")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("attempt", ["native", "program", "lookup"])
def test_nobody_gets_out_and_everybody_is_counted(attempt: str) -> None:
    counted = inside(ENTERED, "before = tries_to_leave()", f"{attempt}()", "print(before, tries_to_leave() > before)")
    assert counted.splitlines()[-1] == "0 True"
    assert attempt != "native" or counted.splitlines()[0] == "Network is unreachable"


def test_loopback_works_and_counts_for_nothing() -> None:
    assert inside(ENTERED, "loopback()", "print(tries_to_leave())") == "0"


def test_without_rights_over_the_system_it_is_entered_as_the_root_of_users_of_its_own(tmp_path: Path) -> None:
    without = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
    said = inside(
        ENTERED,
        "loopback()",
        "own_files()",
        "print(tries_to_leave())",
        around=without,
        arguments=(str(tmp_path / "a"),),
    )
    assert said == "True\n0"


SAME = "before = os.readlink('/proc/self/ns/net'), os.readlink('/proc/self/ns/user')\n"
STILL = "print((os.readlink('/proc/self/ns/net'), os.readlink('/proc/self/ns/user')) == before)"


def test_where_it_is_not_allowed_nothing_changes() -> None:
    forbidden = ("unshare", "-r", "sh", "-c", 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"', "sh")
    assert inside(SAME, "print(enter_empty_network())", STILL, "loopback()", around=forbidden) == "False\nTrue"


def test_a_process_with_threads_does_not_leave_them_outside() -> None:
    waiting = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    assert inside(SAME, waiting, "print(enter_empty_network())", STILL) == "False\nTrue"
