"""Refusing every connection of Python code that would leave this machine, and writing down who tried."""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

REPORT_VARIABLE = "_RAGAPP_REFUSE_NETWORK"
"""Names the report file to child processes: the engine's and the readers' refuse as well, before they do anything."""

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}


def refuse_outgoing(report: Path) -> None:
    """From now on, in this process, the engine's and the readers': loopback and Unix sockets only. Can't be undone.

    An audit hook (PEP 578) sees what goes through Python's sockets, and neither what native libraries do by themselves
    nor other programs; an empty network namespace holds those (ragapp.doctor.alone).
    """
    os.environ[REPORT_VARIABLE] = str(report)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and (target := _outside(event, arguments)):
            with report.open("a", encoding="utf-8") as sink:
                sink.write(f"{event} {target} by {Path(sys.argv[0]).name or 'python'} ({os.getpid()})\n")
            raise ConnectionRefusedError(f"offline: {event} to {target} was refused")

    sys.addaudithook(hook)


def refuse_if_told() -> None:
    """What a child process calls first: refuse where its parent does."""
    if report := os.environ.get(REPORT_VARIABLE):
        refuse_outgoing(Path(report))


def attempts(report: Path) -> list[str]:
    """The connections that were refused, in order."""
    return report.read_text(encoding="utf-8").splitlines() if report.exists() else []


def _outside(event: str, arguments: tuple[Any, ...]) -> str:
    """The target as text if it lies outside this machine, else nothing."""
    host: Any
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        address = arguments[1] if len(arguments) > 1 else None
        if not isinstance(address, tuple):
            return ""
        host = address[0]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not host or host in ("localhost", "localhost.localdomain"):
        return ""
    try:
        address_ = ip_address(str(host).split("%")[0])
    except ValueError:
        return str(host)
    return "" if address_.is_loopback or address_.is_unspecified else str(host)
