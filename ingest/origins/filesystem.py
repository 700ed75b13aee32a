"""Any other store that fsspec knows and that needs no more than a URL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ingest.origins.store import Thing, plain, unavailable
from ragapp.errors import PassingFault, SourceUnavailable

_PIECE = 1 << 20
_MARKS = ("ETag", "etag", "version_id", "generation", "checksum", "md5", "mtime", "modified", "LastModified", "created")
"""What the file systems of fsspec say of a file's state, the strongest first."""
_CONTENT = {"ETag", "etag", "checksum", "md5"}
_OF_THIS_MACHINE = frozenset(
    "asynclocal async_wrapper asyncwrapper blockcache cached dask dir dvc filecache generic git libarchive reference "
    "simplecache tar zip".split()
)
"""What fsspec puts before another of its file systems, this machine's too."""


class FileSystem:
    """The files below a folder of an fsspec file system; one folder's names in memory at a time."""

    here = False

    def __init__(self, scheme: str, url: str, fs: Any = None) -> None:
        self.url = url.partition("?")[0].rstrip("/")
        self._fs = fs or _known(scheme, self.url)
        if scheme in _OF_THIS_MACHINE or "file" in _protocols(self._fs):
            # it would read any path of this machine past what no job reads
            raise SourceUnavailable(
                f"{scheme}:// reads files of this machine by a way of its own; name the folder by its path."
            )
        self._root: str = self._fs._strip_protocol(url)
        try:
            if not self._fs.isdir(self._root):
                raise unavailable(self.url, "there is no such folder")
        except SourceUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
            raise unavailable(self.url, plain(error).rstrip(".")) from None

    def walk(self) -> Iterator[Thing]:
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            try:
                found = sorted(self._fs.ls(folder, detail=True), key=lambda info: str(info["name"]))
            except (PermissionError, FileNotFoundError) as error:
                if folder == self._root:
                    raise unavailable(self.url, plain(error).rstrip(".")) from None
                yield Thing(
                    self._below(folder), b"", left_out=f"the folder can't be read ({plain(error)})", failed=True
                )
                continue
            except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
                raise unavailable(self.url, plain(error).rstrip(".")) from None
            folders: list[str] = []
            for info in found:
                name = str(info["name"])
                if info["type"] != "directory":
                    yield self._thing(name, info)
                elif name.rstrip("/") != folder.rstrip("/"):
                    folders.append(name)
            waiting.extend(reversed(folders))

    def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
        name = locator.decode("utf-8", "surrogateescape")
        try:
            self._check(name, fingerprint)
            with self._fs.open(name, "rb") as file:
                file.seek(offset)
                while piece := file.read(_PIECE):
                    yield piece
            self._check(name, fingerprint)
        except (PassingFault, OSError, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
            raise OSError(plain(error)) from None

    def close(self) -> None:
        """What fsspec opened, it keeps for others of this process."""
        self._fs.invalidate_cache()

    def _check(self, name: str, fingerprint: str) -> None:
        self._fs.invalidate_cache()
        now = _fingerprint(name, self._fs.info(name), (fingerprint.partition(":")[0],))
        if now and now != fingerprint:
            raise PassingFault("The file changed while it was read; the next run takes it as it is then.")

    def _below(self, name: str) -> bytes:
        root = self._root.rstrip("/")
        below = name[len(root) + 1 :] if name.startswith(f"{root}/") else name
        return below.encode("utf-8", "surrogateescape")

    def _thing(self, name: str, info: dict[str, Any]) -> Thing:
        path, locator = self._below(name), name.encode("utf-8", "surrogateescape")
        if info["type"] != "file" or info.get("islink"):
            return Thing(path, locator, left_out="a link, or neither a file nor a folder")
        if info.get("size") is None:
            return Thing(path, locator, left_out="its source says no size, so that it can't be checked", failed=True)
        return Thing(path, locator, int(info["size"]), _time(info), _fingerprint(name, info))


def _protocols(fs: Any) -> tuple[str, ...]:
    named = getattr(fs, "protocol", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _known(scheme: str, url: str) -> Any:
    import fsspec

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=scheme != "memory")
    except ImportError as error:
        raise SourceUnavailable(f"{scheme}:// needs a package that is not installed: {plain(error)}.") from None
    except ValueError:
        raise SourceUnavailable(
            f"{scheme}:// is no source that is known here; use a folder, s3://bucket/folder or sftp://host/path."
        ) from None
    except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
        raise unavailable(url, f"{scheme}:// needs more than a URL ({plain(error)})".rstrip(".")) from None


def _fingerprint(name: str, info: dict[str, Any], marks: tuple[str, ...] = _MARKS) -> str:
    """Names the mark it was made of, since a listing and a look at one file don't always say the same things.

    A time is no mark of content: with the name in it, two files of one time never count as one that was moved.
    """
    mark = next((key for key in marks if info.get(key)), None)
    if mark is None:
        return ""
    value = info[mark].timestamp() if isinstance(info[mark], datetime) else info[mark]
    text = f"{value}" if mark in _CONTENT else f"{value} {name}"
    return f"{mark}:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}:{info.get('size')}"


def _time(info: dict[str, Any]) -> datetime | None:
    for key in ("mtime", "modified", "LastModified", "created"):
        value = info.get(key)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
    return None
