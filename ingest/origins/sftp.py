"""Folders over SFTP, with the host keys, names and identities that ssh itself uses.

paramiko is asked directly: fsspec's own SFTP trusts unknown hosts and loses names that are no UTF-8.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest.origins.store import Thing, plain, shown, unavailable
from ingest.origins.walk import hidden
from ragapp.errors import PassingFault, SourceUnavailable

if TYPE_CHECKING:
    import paramiko

_PIECE = 1 << 18
_CONNECT_S = 10
_READ_S = 60
_ALIVE_S = 30
"""Between two signs of life, so that no firewall takes the connection for forgotten while files are read."""
_READAHEAD = 32
"""Requests of 32 KiB on their way at once: enough for 100 MB/s at 10 ms."""


class Sftp:
    """The files below a folder of an SSH server. `sftp://[user@]host[:port]/path`; `/~/path` starts at the home."""

    def __init__(self, url: str) -> None:
        try:
            asked = urlsplit(url)
            host, port, user = asked.hostname or "", asked.port, asked.username
        except ValueError as error:
            raise SourceUnavailable(f"The address of the source is no URL ({error}).") from None
        if not host:
            raise SourceUnavailable("The address names no host; write it as sftp://host/path.")
        path = url.partition("://")[2].partition("/")[2]
        place = f"{host}:{port}" if port else host
        self.url = f"sftp://{place}/{path.strip('/')}".rstrip("/")
        self._place = host, port, user
        self._lock = threading.Lock()
        self._closed = False
        self._client = _connected(host, port, user, self.url)
        try:
            with self._channel() as channel:
                start = path.removeprefix("~/") if path.startswith("~/") else f"/{path}"
                self._root = os.fsencode(channel.normalize(start or "."))
                # a folder that can't be opened is said at once
                next(_names(channel, self._root), None)
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
            self.close()
            raise _no_folder(error, self.url) from None

    def walk(self) -> Iterator[Thing]:
        try:
            with self._channel() as channel:
                waiting = [b""]
                while waiting:
                    yield from self._folder(channel, waiting.pop(), waiting)
        except (SourceUnavailable, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
            raise _no_folder(error, self.url) from None

    def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
        import paramiko

        try:
            with self._channel() as channel, channel.open(locator, "rb") as file:
                _check(locator, file.stat(), fingerprint)
                if not offset:
                    file.prefetch(file.stat().st_size or 0, max_concurrent_requests=_READAHEAD)
                file.seek(offset)
                while piece := file.read(_PIECE):
                    yield piece
                _check(locator, channel.stat(locator), fingerprint)
        except (paramiko.SSHException, EOFError, SourceUnavailable) as error:
            raise OSError(plain(error)) from None

    @property
    def here(self) -> bool:
        """Whether both ends of the connection are this machine, by whatever name it was called."""
        transport = self._client.get_transport()
        try:
            return bool(transport) and transport.sock.getpeername()[0] == transport.sock.getsockname()[0]
        except (OSError, AttributeError, IndexError):
            # over a proxy command there is no address to compare
            return False

    def close(self) -> None:
        self._closed = True
        self._client.close()

    def _channel(self) -> paramiko.SFTPClient:
        """A channel of its own for each walk and file; where the connection is gone, over a new one."""
        with self._lock:
            transport = self._client.get_transport()
            if not self._closed and not (transport and transport.is_active()):
                self._client.close()
                self._client = _connected(*self._place, self.url)
            client = self._client
        channel = client.open_sftp()
        if (socket := channel.get_channel()) is not None:
            socket.settimeout(_READ_S)
        return channel

    def _folder(self, channel: paramiko.SFTPClient, folder: bytes, waiting: list[bytes]) -> Iterator[Thing]:
        """One folder's files, in order; the folders in it are kept for later."""
        here = b"/".join(filter(None, (self._root.rstrip(b"/"), folder))) or b"/"
        try:
            found = sorted(_names(channel, here), key=lambda pair: pair[0])
        except (PermissionError, FileNotFoundError) as error:
            if not folder:
                raise
            yield Thing(folder, here, left_out=f"the folder can't be read ({plain(error)})", failed=True)
            return
        folders: list[bytes] = []
        for name, status in found:
            path = b"/".join(filter(None, (folder, name)))
            if stat.S_ISDIR(status.st_mode or 0) and not hidden(os.fsdecode(name)):
                folders.append(path)
            else:
                yield _thing(path, here.rstrip(b"/") + b"/" + name, status)
        waiting.extend(reversed(folders))


def _names(channel: paramiko.SFTPClient, folder: bytes) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
    """What a folder holds, names as the bytes they are. paramiko's own listing takes a lost connection for the end
    of the folder and stops at a name that is no UTF-8."""
    from paramiko.sftp import CMD_CLOSE, CMD_OPENDIR, CMD_READDIR
    from paramiko.sftp_attr import SFTPAttributes

    _, answer = channel._request(CMD_OPENDIR, folder)
    handle = answer.get_binary()
    try:
        while True:
            try:
                _, answer = channel._request(CMD_READDIR, handle)
            except EOFError:
                return
            for _ in range(answer.get_int()):
                name = answer.get_binary()
                answer.get_binary()
                status = SFTPAttributes._from_msg(answer)
                if name not in (b".", b".."):
                    yield name, status
    finally:
        if not channel.get_channel().closed:
            channel._request(CMD_CLOSE, handle)


def _thing(path: bytes, locator: bytes, status: Any) -> Thing:
    mode = status.st_mode or 0
    if stat.S_ISLNK(mode):
        return Thing(path, locator, left_out="a link, which is not followed on another machine")
    if not stat.S_ISREG(mode):
        return Thing(path, locator, left_out="neither a file nor a folder")
    modified = datetime.fromtimestamp(status.st_mtime, UTC) if status.st_mtime is not None else None
    return Thing(path, locator, status.st_size or 0, modified, _fingerprint(locator, status))


def _fingerprint(locator: bytes, status: Any) -> str:
    """With the path in it: two files of one size and second must not count as one that was moved."""
    return f"{status.st_size}:{status.st_mtime}:{hashlib.sha256(locator).hexdigest()[:16]}"


def _check(locator: bytes, status: Any, fingerprint: str) -> None:
    if _fingerprint(locator, status) != fingerprint:
        raise PassingFault("The file changed while it was read; the next run takes it as it is then.")


def _connected(host: str, port: int | None, user: str | None, url: str) -> paramiko.SSHClient:
    try:
        import paramiko
    except ImportError:
        raise SourceUnavailable("sftp:// needs a package that is not installed: pip install 'ragapp[sftp]'") from None
    # its threads would print the traces of what is said below in one sentence
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    name, there = host, port or 22
    client = paramiko.SSHClient()
    try:
        settings = _ssh_config(host)
        name = settings.get("hostname", host)
        there = port or int(settings.get("port", 22))
        user = user or settings.get("user")
        _load_known(client, settings)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            name,
            there,
            username=user,
            key_filename=[str(Path(path).expanduser()) for path in settings.get("identityfile", [])] or None,
            sock=_proxy(settings, name, there),
            timeout=_CONNECT_S,
            banner_timeout=_CONNECT_S,
            auth_timeout=2 * _CONNECT_S,
            channel_timeout=_CONNECT_S,
        )
        if transport := client.get_transport():
            transport.set_keepalive(_ALIVE_S)
    except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
        client.close()
        raise _not_connected(error, url, name, there) from None
    return client


def _ssh_config(host: str) -> Any:
    import paramiko

    path = Path("~/.ssh/config").expanduser()
    return paramiko.SSHConfig.from_path(str(path)).lookup(host) if path.is_file() else {}


def _load_known(client: paramiko.SSHClient, settings: Any) -> None:
    client.load_system_host_keys()
    files = ["/etc/ssh/ssh_known_hosts", *settings.get("userknownhostsfile", "").split()]
    for path in (Path(file).expanduser() for file in files):
        if path.is_file():
            client.load_system_host_keys(str(path))


def _proxy(settings: Any, host: str, port: int) -> Any:
    import paramiko

    command = settings.get("proxycommand")
    if not command and (jump := settings.get("proxyjump")) and jump != "none":
        command = f"ssh -W {host}:{port} {jump}"
    return paramiko.ProxyCommand(command) if command and command != "none" else None


def _not_connected(error: Exception, url: str, host: str, port: int) -> SourceUnavailable:
    import socket

    import paramiko

    port_option = f"-p {port} " if port != 22 else ""
    if isinstance(error, paramiko.BadHostKeyException):
        return unavailable(url, f"{host} shows another host key than the known one; ask its admin before you trust it")
    if isinstance(error, paramiko.AuthenticationException) or "authentication" in str(error).lower():
        return unavailable(
            url, "the server refuses this user; put a key in ssh-agent or name user and key in ~/.ssh/config"
        )
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return unavailable(
            url,
            f"the host key of {host} is not known; compare and add it: "
            f"ssh-keyscan {port_option}{host} >> ~/.ssh/known_hosts",
        )
    if isinstance(error, socket.gaierror):
        return unavailable(url, f"there is no host {shown(host)}; check the name")
    if isinstance(error, (OSError, EOFError)) or "banner" in str(error):
        return unavailable(url, f"{shown(host)}, port {port} can't be reached; check the network and the port")
    return unavailable(url, plain(error).rstrip("."))


def _no_folder(error: Exception, url: str) -> SourceUnavailable:
    if isinstance(error, FileNotFoundError):
        return unavailable(url, "there is no such folder on the server")
    if isinstance(error, PermissionError):
        return unavailable(url, "this user may not list the folder")
    return unavailable(url, plain(error).rstrip("."))
