"""ragapp doctor: is everything as it must be, and how to mend what isn't."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.options import Data, Json, Profile, Quiet, note, out, out_json, settings
from ragapp.settings import Settings

if TYPE_CHECKING:
    from ragapp.doctor.offline import OfflineProof


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Run the main job shut off from the network.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare catalog, index and kept files; exit 1 where anything differs.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Like --verify, and mend what differs, with no loss; then compare again.")
    ] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check packages, weights, index, disk, memory and GPU, say how to mend each, and where each setting came from.

    With --offline the job runs in an empty network namespace where the machine allows one, so that
    no program of any kind reaches out; elsewhere only Python code is watched, and it says so.

    With --verify every original is read and every chunk looked at, which takes as long as reading the data folder.

    With --repair text and chunks are made anew from originals, what nobody needs is deleted, and what can't be mended
    is named.

    [dim]Example: ragapp doctor --verify[/dim]
    """
    if verify or repair:
        from ragapp.cli.verify import compare

        raise typer.Exit(compare(profile, data, json, quiet, mend=repair))
    chosen = settings(profile, data)
    given = {name: value for name, value in (("profile", profile), ("data", data)) if value is not None}
    raise typer.Exit(_offline(chosen, json, quiet) if offline else _checks(chosen, given, json, quiet))


def _checks(chosen: Settings, given: dict[str, Any], json: bool, quiet: bool) -> int:
    from ragapp.doctor.checks import run_checks
    from ragapp.logs import log_path
    from ragapp.privacy import keep_in_the_house

    keep_in_the_house(chosen)
    checks = []
    for check in run_checks(chosen):
        checks.append(check)
        if not json:
            out(f"{check.state:<8} {check.name}: {check.found}")
            if check.remedy:
                out(f"         → {check.remedy}")
    origins = chosen.origins(given)
    if json:
        rows = [{"key": key, "value": str(value), "from": origin} for key, value, origin in origins]
        out_json({"checks": [asdict(check) for check in checks], "settings": rows, "log": str(log_path(chosen))})
    elif not quiet:
        out("\nsettings, and where each came from")
        for key, value, origin in origins:
            out(f"  {key} = {value}  ({origin})")
        out(f"\nlog: {log_path(chosen)}")
    return 2 if any(check.state == "fault" for check in checks) else 0


def _offline(chosen: Settings, json: bool, quiet: bool) -> int:
    from ragapp.doctor.offline import prove_offline

    proof = prove_offline(chosen, (lambda _: None) if quiet else note)
    if json:
        out_json(asdict(proof))
    else:
        for line in proof.refused:
            out(f"refused: {line}")
        out(f"answer: {proof.answer}")
        out(_verdict(proof))
    return 0 if proof.answered and not proof.refused else 2


def _verdict(proof: OfflineProof) -> str:
    """What was found, and of whom: no more is said than was watched."""
    if proof.refused:
        found = "What is listed above was tried and refused; please report this."
    else:
        found = f"Nothing tried to leave this machine, by {proof.watched}."
    if proof.watched == "any program":
        return found
    return f"{found} Native libraries and other programs could not be watched here: no network namespace is allowed."
