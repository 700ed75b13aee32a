"""What no job reads, by whatever name: the data folder, the service's secrets and settings, the kernel's own files.

A file has many names (links to it or to a folder above it, `..`, hard links, other mounts, other letters where a file
system doesn't tell them apart) and is one: what counts is the device and the inode of each folder that is walked, and
of the file that was opened, which nobody can exchange any more.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from ragapp.bundled import configs_folder
from ragapp.errors import Unreadable
from ragapp.profiles import profile_path
from ragapp.settings import Settings

OF_DATA = "it lies in ragapp's own data folder, which no job reads"
OF_SECRETS = "it holds a secret or a setting of the service, which no job reads"
OF_KERNEL = "it is no file of a disk, but the kernel's own, which no job reads"

Inode = tuple[int, int]
"""Device and number: the same for all names of a file or folder."""

_STORES = ("originals", "extracted")
"""Folders of the data folder that may hold millions of files, in folders of one depth."""
_KERNEL = frozenset(
    "binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl mqueue nsfs proc pstore securityfs sysfs "
    "tracefs".split()
)
_SECRET_FOLDERS = ("~/.ssh", "~/.aws", "/run/secrets")
"""Where keys for SFTP and S3 lie, and what a container runtime hands in."""
_NAMES_A_FILE = re.compile(r"_FILE$|^GOOGLE_APPLICATION_CREDENTIALS$")
_IDENTITY = re.compile(r"^\s*IdentityFile[\s=]+\"?([^\"\n]+?)\"?\s*$", re.IGNORECASE | re.MULTILINE)
_FRESH_S = 2.0
"""How long what lies in the data folder is taken to be as it was seen."""
_STORED_FRESH_S = 60.0
"""The same for originals and texts, which may be millions."""
_MOST_SECRETS = 1000
"""Files that are looked at in one folder of secrets."""


@dataclass(slots=True)
class Protected:
    """What no job of one data folder reads. Safe to share between threads."""

    data: Path
    secrets: tuple[Path, ...] = ()
    """Files and folders that hold secrets or settings; those that are not there are passed over."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _seen: _Seen | None = field(default=None, repr=False)
    _kept: tuple[float, frozenset[Inode]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str] = os.environ) -> Protected:
        """The data folder of these settings, and every file that settings or environment name as one with a secret."""
        return cls(settings.data, tuple(secret_places(settings, environment)))

    def of_folder(self, status: os.stat_result) -> str:
        """Why a folder is not walked; empty where it may be."""
        return self._now().of_folder(status) and self._now(0.0).of_folder(status)

    def of_file(self, status: os.stat_result) -> str:
        """Why a file is not read, as far as its inode tells; empty where it may be."""
        if status.st_nlink < 2:
            # looked at anew before it is refused: a file that is new may have the number of one of ours that went
            return self._now().of_file(status) and self._now(0.0).of_file(status)
        # a second name of one of our own files, which may be a new one; of an original or a text, which may be one of
        # millions, only where there is a second name at all
        seen = self._now(0.0)
        stored = _inode(status) in self._stored() and _inode(status) in self._stored(0.0)
        return seen.of_file(status) or (OF_DATA if stored else "")

    def of_path(self, path: Path) -> str:
        """Why nothing below or at a path is read: by what it leads to, and by the folders that this lies in."""
        try:
            real = path.resolve(strict=True)
            status = real.stat()
        except (OSError, RuntimeError):
            # whoever opens it says what is wrong with it
            return ""
        own = self.of_folder(status) if stat.S_ISDIR(status.st_mode) else self.of_file(status)
        return own or self._above(real)

    def refuse(self, paths: Iterable[Path]) -> None:
        """Raises Unreadable for the first path that no job reads."""
        for path in paths:
            if reason := self.of_path(path):
                name = os.fsencode(path).decode("utf-8", "backslashreplace")
                raise Unreadable(f"{name} can't be taken in: {reason}.")

    @contextmanager
    def opened(self, path: Path) -> Iterator[Path]:
        """A file held open, under a name that leads to these bytes whatever becomes of its own name.

        Raises Unreadable for what no job reads, found by the file that was opened: a link that was exchanged since the
        listing gains nothing. Raises OSError where it can't be opened.
        """
        # a pipe that nobody writes to must not hold the reader up
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is neither a file nor a folder.")
            held = Path(f"/proc/self/fd/{descriptor}")
            if reason := self.of_file(status) or self._above(held.readlink()):
                raise Unreadable(reason)
            yield held
        finally:
            os.close(descriptor)

    def _above(self, real: Path) -> str:
        return self._now().above(real) and self._now(0.0).above(real)

    def _now(self, fresh_s: float = _FRESH_S) -> _Seen:
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen.at > fresh_s:
                self._seen = _look(self.data, self.secrets)
            return self._seen

    def _stored(self, fresh_s: float = _STORED_FRESH_S) -> frozenset[Inode]:
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > fresh_s:
                places = [folder for store in _STORES for folder in _folders(self.data / store, 1)]
                self._kept = time.monotonic(), frozenset(inode for folder in places for inode in _inodes(folder))
            return self._kept[1]


@dataclass(slots=True)
class _Seen:
    """Inodes of what is protected, as they were at one moment."""

    at: float
    folders: dict[Inode, str]
    files: dict[Inode, str]
    kernel: frozenset[int]

    def of_folder(self, status: os.stat_result) -> str:
        return self.folders.get(_inode(status), "") or (OF_KERNEL if status.st_dev in self.kernel else "")

    def of_file(self, status: os.stat_result) -> str:
        return self.files.get(_inode(status), "") or (OF_KERNEL if status.st_dev in self.kernel else "")

    def above(self, real: Path) -> str:
        """Why nothing in the folders above a path without links is read."""
        for folder in real.parents:
            with suppress(OSError):
                if reason := self.of_folder(folder.stat()):
                    return reason
        return ""


def secret_places(settings: Settings, environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Files that settings and environment name as holding secrets, the settings' own file, and where keys lie."""
    yield from _named_files(settings)
    profile = profile_path(settings.profile)
    if profile.parent.resolve() != configs_folder().resolve():
        yield profile
    for name, value in environment.items():
        if _NAMES_A_FILE.search(name) and value.startswith(("/", "~")):
            yield Path(value)
    yield from map(Path, _SECRET_FOLDERS)
    with suppress(OSError, RuntimeError):
        config = Path("~/.ssh/config").expanduser().read_text(errors="replace")
        yield from (Path(found) for found in _IDENTITY.findall(config))


def _named_files(part: BaseModel) -> Iterator[Path]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _named_files(value)
        elif isinstance(value, Path) and name.endswith("_file"):
            yield value


def _look(data: Path, secrets: Iterable[Path]) -> _Seen:
    folders: dict[Inode, str] = {}
    files: dict[Inode, str] = {}
    for given in secrets:
        with suppress(OSError, RuntimeError):
            path = given.expanduser()
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                files[_inode(status)] = OF_SECRETS
                continue
            for folder in _folders(path, 2):
                folders[_inode(folder.stat())] = OF_SECRETS
                files |= dict.fromkeys(list(_inodes(folder))[:_MOST_SECRETS], OF_SECRETS)
    for folder in _own_folders(data):
        with suppress(OSError):
            folders[_inode(folder.stat())] = OF_DATA
            if folder.parent.name not in _STORES:
                files |= dict.fromkeys(_inodes(folder), OF_DATA)
    return _Seen(time.monotonic(), folders, files, _kernel_devices())


def _own_folders(data: Path) -> Iterator[Path]:
    """The data folder with what lies in it. Weights are many and no secret: their folder alone."""
    yield data
    with suppress(OSError), os.scandir(data) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                depth = {"models": 0} | dict.fromkeys(_STORES, 1)
                yield from _folders(Path(entry.path), depth.get(entry.name, 3))


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """A folder and those below it, down to a depth."""
    yield folder
    if depth:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folders(Path(entry.path), depth - 1)


def _inodes(folder: Path) -> Iterator[Inode]:
    """Of the files in a folder, without a look at each: they are on the folder's device."""
    with suppress(OSError), os.scandir(folder) as entries:
        device = folder.stat().st_dev
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield device, entry.inode()


def _inode(status: os.stat_result) -> Inode:
    return status.st_dev, status.st_ino


def _kernel_devices() -> frozenset[int]:
    """Devices of what only looks like files: processes with their environment, the kernel's settings."""
    found: set[int] = set()
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            own, _, kind = line.partition(" - ")
            if kind.split()[0] in _KERNEL:
                major, _, minor = own.split()[2].partition(":")
                found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
