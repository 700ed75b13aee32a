"""Runs that are handed to the service which has the data folder open: it does them, and is watched from here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragapp.cli.options import note
from ragapp.errors import BadQuestion, RagappError

if TYPE_CHECKING:
    import httpx

    from ingest.care.redaction import Redaction
    from ingest.care.removal import Removal
    from ingest.pipeline.report import IngestReport
    from ragapp.cli.progress import SilentWatcher

_LOOK_S = 0.5
_LIMIT_S = 30.0
_RUNNING = ("waiting", "running")
_NOT_ASKED = (400, 413, 422)
"""What the service says of a question that can't be asked."""


@dataclass(frozen=True, slots=True)
class Handover:
    """The running service, as the owner of its data folder speaks to it."""

    url: str
    secret: str

    def ingest(
        self, paths: Iterable[Path], collection: str, groups: frozenset[str] | None, watcher: SilentWatcher
    ) -> IngestReport:
        """Files and folders of this machine, which is the service's."""
        asked = {
            # names may be no text at all; the service would not find them then, and says so
            "paths": [os.fsencode(os.path.abspath(path)).decode("utf-8", "replace") for path in paths],  # noqa: PTH100
            "collection": collection,
            "groups": None if groups is None else sorted(groups),
        }
        return self._followed(self._call("POST", "/v1/jobs", asked)["id"], watcher)

    def renew_stale(self, watcher: SilentWatcher) -> IngestReport:
        """What an older parser read, read anew."""
        from ingest.pipeline.report import merged

        return merged([self._followed(job["id"], watcher) for job in self._call("POST", "/v1/jobs/stale")])

    def sync(self, name: str, watcher: SilentWatcher, *, remove_gone: bool) -> IngestReport:
        """One run of a synced source."""
        job = self._call("POST", f"/v1/sources/{name}/run", {"remove_gone": remove_gone})
        return self._followed(job["id"], watcher)

    def resume(self, job_id: int, watcher: SilentWatcher) -> IngestReport:
        """Go on with a job."""
        return self._followed(self._call("POST", f"/v1/jobs/{job_id}/resume")["id"], watcher)

    def retry(self, job_id: int, watcher: SilentWatcher, *, failed: bool) -> IngestReport:
        """Try again what failed in a job."""
        return self._followed(self._call("POST", f"/v1/jobs/{job_id}/retry", {"failed": failed})["id"], watcher)

    def backup(self, file: Path) -> dict[str, Any]:
        """Everything into one file of this machine; what `ragapp backup --json` says of it."""
        return dict(self._call("POST", "/v1/backups", {"file": os.path.abspath(file)}, limit_s=None))  # noqa: PTH100

    def remove(self, removal: Removal) -> None:
        """Documents with all that lies in them."""
        going = {row.id for row in removal.documents}
        for row in removal.documents:
            if row.container not in going:
                self._call("DELETE", f"/v1/documents/{row.id}")

    def redact(self, redaction: Redaction) -> None:
        """The old text of documents."""
        for document in redaction.named:
            self._call("POST", f"/v1/documents/{document}/redaction", limit_s=None)

    def _followed(self, job_id: int, watcher: SilentWatcher) -> IngestReport:
        from ingest.pipeline.report import IngestReport
        from ingest.unpack.opened import Failure

        try:
            while (job := self._call("GET", f"/v1/jobs/{job_id}"))["state"] in _RUNNING:
                if (now := job["progress"]) and now["files_total"] is not None:
                    watcher.counted(
                        files=now["files_done"],
                        total=now["files_total"],
                        pages=now["pages"],
                        chunks=now["chunks"],
                        failed=now["failed"],
                        bytes=now["bytes_done"],
                        total_bytes=now["bytes_total"],
                        reading=now["now"],
                    )
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            raise RagappError(f"Job {job_id} goes on in the service; `ragapp jobs cancel {job_id}` stops it.") from None
        if job["state"] != "finished":
            why = job["reason"] or f"It was {job['state']}."
            raise RagappError(f"{why} (job {job_id}; ragapp jobs resume {job_id} goes on with it)")
        failed = self._call("GET", f"/v1/jobs/{job_id}/files?state=failed&limit=10000") if job["failed"] else []
        done = self._call("GET", f"/v1/jobs/{job_id}/files?state=done&limit=10000") if job["kept"] else []
        return IngestReport(
            added=job["added"],
            changed=job["changed"],
            unchanged=job["unchanged"],
            removed=job["removed"],
            failed=tuple(Failure(file["source"], file["reason"]) for file in failed),
            chunks=job["chunks"],
            seconds=job["seconds"],
            withheld=job["reason"],
            job=job_id,
            kept=tuple(file["source"] for file in done if file["action"] != "gone" and file["reason"]),
        )

    def get(self, path: str, wanted: Mapping[str, Any]) -> Any:
        """What the service says of an address, with what is wanted of it as its query."""
        return self._call("GET", path, wanted=wanted, limit_s=None)

    def lines(self, method: str, path: str, body: Any) -> Iterator[str]:
        """The lines of an answer that comes bit by bit. Raises BadQuestion where the service takes none of it."""
        import httpx

        try:
            with httpx.stream(method, self.url + path, json=body, timeout=None, **self._as_owner()) as answer:  # noqa: S113 a model may load for minutes
                if answer.is_error:
                    answer.read()
                    raise self._refused(answer)
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise self._gone(error) from None

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        limit_s: float | None = _LIMIT_S,
        wanted: Mapping[str, Any] | None = None,
    ) -> Any:
        import httpx

        try:
            answer = httpx.request(
                method, self.url + path, json=body, params=wanted, timeout=limit_s, **self._as_owner()
            )
        except httpx.HTTPError as error:
            raise self._gone(error) from None
        if answer.is_error:
            raise self._refused(answer)
        return answer.json() if answer.content else None

    def _as_owner(self) -> dict[str, Any]:
        # loopback only: a proxy of the environment must not see the secret
        return {"headers": {"authorization": f"Bearer {self.secret}"}, "trust_env": False}

    def _gone(self, error: Exception) -> RagappError:
        return RagappError(
            f"The service at {self.url} has this data folder open and doesn't answer ({error}); start it again "
            "(ragapp serve), or end it."
        )

    def _refused(self, answer: httpx.Response) -> RagappError:
        try:
            said = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            said = f"The service at {self.url} answered {answer.status_code}."
        return BadQuestion(said) if answer.status_code in _NOT_ASKED else RagappError(said)


def handover(data: Path) -> Handover | None:
    """The service that has this data folder open; None where this process may open it itself."""
    from ragapp.serve.run import running

    found = running(data)
    return Handover(*found) if found else None


def note_handover(service: Handover, quiet: bool) -> None:
    """Say who does the work."""
    if not quiet:
        note(f"The service at {service.url} has this data folder open and does it.")
