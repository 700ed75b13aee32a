"""A folder of this machine as a source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.origins.origin import Entry, NotListed, Stop, Wanted, never
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import Selection
from ingest.origins.protected import Protected
from ingest.origins.walk import fingerprint, listing, printable
from ragapp.catalog.files import sha256_of
from ragapp.errors import KeptOut, PassingFault, SourceUnavailable, Unreadable


class Folder:
    """The files below a folder; they are read where they lie."""

    def __init__(self, root: Path, selection: Selection, rules: PathRules, protected: Protected | None = None) -> None:
        self._root = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100 - resolve() would rename a linked root
        self._selection = selection
        self._rules = rules
        self._protected = protected
        self._look()

    @property
    def url(self) -> str:
        return printable(self._root)

    def list(self) -> Iterator[Entry | NotListed]:
        self._look()
        below = f"{self.url.rstrip('/')}/"
        try:
            for found in listing([self._root], self._protected):
                name = found.url if isinstance(found, Entry) else found.source
                path = name.removeprefix(below)
                if isinstance(found, NotListed):
                    if name == self.url and found.failed:
                        raise SourceUnavailable(f"The source {self.url} can't be listed: {found.reason}.")
                    if not self._selection.leaves_out(path):
                        yield found
                elif self._selection.takes(path):
                    yield replace(found, groups=self._rules.groups(path))
        except Unreadable as error:
            raise SourceUnavailable(str(error)) from None

    @contextmanager
    def fetch(self, wanted: Wanted, stop: Stop = never) -> Iterator[Path]:
        path = Path(os.fsdecode(wanted.locator))
        with self._opened(path) as held:
            self._unchanged(held, path, wanted)
            yield held
        # what was read between is that file's only if it is the same still
        self._unchanged(path, path, wanted)

    def digest(self, wanted: Wanted) -> str | None:
        try:
            with self._opened(Path(os.fsdecode(wanted.locator))) as held:
                return sha256_of(held)
        except (OSError, Unreadable):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Path]:
        if self._protected is None:
            yield path
            return
        with ExitStack() as stack:
            try:
                held = stack.enter_context(self._protected.opened(path))
            except PermissionError as error:
                raise KeptOut(f"can't be opened ({error.strerror})") from None
            except OSError as error:
                raise PassingFault(f"{printable(path)} was listed and can't be opened now: {error.strerror}.") from None
            yield held

    def _look(self) -> None:
        if self._protected and (reason := self._protected.of_path(self._root)):
            raise SourceUnavailable(f"{self.url} is no source: {reason}; name another folder.")
        try:
            with os.scandir(self._root):
                return
        except FileNotFoundError:
            reason = f"There is no folder {self.url}; check the path, or whether its disk is mounted."
        except NotADirectoryError:
            reason = f"{self.url} is not a folder; name the folder it lies in, with --include for the file."
        except OSError as error:
            reason = f"The folder {self.url} can't be listed ({error.strerror}); give this user the right to read it."
        raise SourceUnavailable(reason)

    def _unchanged(self, held: Path, path: Path, wanted: Wanted) -> None:
        try:
            now = fingerprint(held.stat())
        except OSError as error:
            raise PassingFault(f"{printable(path)} was listed and can't be opened now: {error.strerror}.") from None
        if wanted.fingerprint and now != wanted.fingerprint:
            raise PassingFault(f"{printable(path)} changed while it was read; the next run takes it as it is then.")
