"""A network namespace that holds loopback alone: what runs in it reaches no other machine, in whatever language it is
written. Linux only, and only where the machine allows it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

# linux/sched.h, linux/sockios.h, linux/if.h
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1

_WENT_NOWHERE = ("Ip.OutNoRoutes", "Ip6OutNoRoutes", "Udp.NoPorts")
"""The kernel's counts of what was to leave: no way to its address, and (a name looked up at 127.0.0.53) no server."""


def enter_empty_network() -> bool:
    """Move this process, and all that it starts from now on, into a new network namespace. Can't be undone.

    False, and nothing has changed, where that is not allowed, as in many containers, and where threads run already:
    they would stay outside.
    """
    if sys.platform != "linux" or len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - a count, no paths
        return False
    # root may as it is; others only as the root of users of their own, which some systems allow and then hinder
    for kinds in (_NEW_NETWORK, _NEW_NETWORK | _NEW_USERS):
        if _can_enter(kinds):
            _enter(kinds)
            return True
    return False


def tries_to_leave() -> int:
    """How often something in this network namespace, in whatever language, tried to reach beyond it."""
    counts: dict[str, int] = {}
    here = Path("/proc/self/net")
    lines = [line.split() for line in (here / "snmp").read_text().splitlines()]
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        section = names[0].rstrip(":")
        counts |= {f"{section}.{name}": int(value) for name, value in zip(names[1:], values[1:], strict=True)}
    if (newer := here / "snmp6").exists():
        counts |= {name: int(value) for name, value in map(str.split, newer.read_text().splitlines())}
    return sum(counts.get(name, 0) for name in _WENT_NOWHERE)


def _can_enter(kinds: int) -> bool:
    """Whether it works to the end, tried by a child: half of it would leave a process with neither network nor name."""
    child = os.fork()
    if child == 0:
        try:
            _enter(kinds)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _enter(kinds: int) -> None:
    user, group = os.geteuid(), os.getegid()
    # os.unshare is there from Python 3.12 on
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(kinds):
        raise OSError(ctypes.get_errno(), "unshare")
    if kinds & _NEW_USERS:
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")  # else the kernel lets nobody but root say which groups are which
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    # a new namespace's loopback is down, and vLLM's processes talk over it
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH22x", b"lo", _UP))
