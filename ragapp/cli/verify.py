"""ragapp doctor --verify and --repair: catalog, index and files compared, and mended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ragapp.cli.ingest import watcher_for
from ragapp.cli.options import note, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from ragapp.doctor.repair import Repair
    from ragapp.doctor.verify import Findings


def compare(profile: str | None, data: Path | None, json: bool, quiet: bool, *, mend: bool) -> int:
    """Compare, mend where asked, and compare again; the command's exit code."""
    from ragapp.doctor.repair import repair
    from ragapp.doctor.verify import verify

    with open_app(profile, data, quiet) as app:
        scratch = app.settings.data / "scratch"
        say = (lambda _: None) if quiet else note
        index = app.index_as_it_is()
        found = verify(app.catalog, index, app.files, scratch, say)
        done: Repair | None = None
        if mend and not found.whole:
            with watcher_for(quiet) as watcher:
                done = repair(
                    found,
                    app.catalog,
                    index,
                    app.files,
                    lambda: app.intake.renew_stale(watcher),
                    app.settings.ingest.max_text_mib << 20,
                )
            found = verify(app.catalog, index, app.files, scratch, say)
    if json:
        out_json(_as_json(found, done))
    else:
        _print(found, done)
    return 0 if found.whole else 1


def _print(found: Findings, done: Repair | None) -> None:
    from ragapp.doctor.verify import KINDS

    if done:
        for line in done.mended:
            out(f"mended   {line}")
        for left in done.unmended:
            out(f"left     {left.name}: {left.reason}")
    for kind in KINDS:
        if count := len(found.of(kind)):
            out(f"{count} {kind}: {', '.join(found.examples(kind))}")
    counted = ", ".join(
        number_of(count, what)
        for count, what in ((found.documents, "document"), (found.chunks, "chunk"), (found.files, "file"))
    )
    if found.whole:
        out(f"{counted}: catalog, index and files agree")
    else:
        out(f"{counted}: {len(found.differences)} things differ; mend them: ragapp doctor --repair")


def _as_json(found: Findings, done: Repair | None) -> dict[str, object]:
    from ragapp.doctor.verify import KINDS

    return {
        "documents": found.documents,
        "chunks": found.chunks,
        "files": found.files,
        "differences": {
            kind: {"count": len(found.of(kind)), "examples": list(found.examples(kind))}
            for kind in KINDS
            if found.of(kind)
        },
        "mended": list(done.mended) if done else [],
        "left": [{"name": left.name, "reason": left.reason} for left in done.unmended] if done else [],
    }
