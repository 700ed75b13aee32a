"""ragapp models: which models are known, and what their licences say."""

from __future__ import annotations

from typing import Any

from ragapp.cli.options import Data, Json, Profile, Quiet, out, out_json, settings
from ragapp.settings import Settings


def models(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show the models that ragapp knows, with licence, source and size; those of the profile are marked.

    A model whose licence restricts use loads only after its licence is named in `accepted_licences`.

    [dim]Example: ragapp models --profile gpu[/dim]
    """
    from ragapp.models.registry import cards

    chosen = settings(profile, data)
    used = {chosen.chat.model, chosen.embedder.model}
    rows = list(cards())
    others = _others(chosen)
    if json:
        out_json(
            [
                {
                    "name": known.name,
                    "role": known.role,
                    "licence": known.licence,
                    "restricted": known.restricted,
                    "accepted": not known.restricted or known.licence in chosen.accepted_licences,
                    "source": known.source,
                    "context_tokens": known.context_tokens,
                    "size_gib": known.size_gib,
                    "used": known.name in used,
                }
                for known in rows
            ]
            + others
        )
        return
    for known in rows:
        mark = "*" if known.name in used else " "
        terms = f"{known.licence}, restricts use" if known.restricted else known.licence
        out(f"{mark} {known.name}  ({known.role}, {terms}, {known.size_gib:g} GiB)  {known.source}")
    for other in others:
        out(_line(other))
    out(f"* used by the profile {chosen.profile}")


def _others(chosen: Settings) -> list[dict[str, Any]]:
    """The profile's models that are not in the registry; those that came from a hub, with what the hub said of them."""
    from ragapp.models.registry import card
    from ragapp.models.weights import terms

    rows: list[dict[str, Any]] = []
    for role, part in (("chat", chosen.chat), ("embedder", chosen.embedder)):
        if card(part.model):
            continue
        row: dict[str, Any] = {"name": part.model, "role": role, "licence": "unknown", "used": True}
        if found := terms(part.model, models_dir=chosen.data / "models", revision=part.revision):
            row |= {
                "licence": found.licence,
                "restricted": found.restricted,
                "accepted": not found.restricted or found.licence in chosen.accepted_licences,
                "source": found.source,
                "revision": found.revision,
            }
        rows.append(row)
    return rows


def _line(other: dict[str, Any]) -> str:
    if "source" not in other:
        return f"* {other['name']}  (licence not known to ragapp: read it before you use it)"
    bound = ", restricts use" if other["restricted"] else ""
    commit = other["revision"][:12]
    return f"* {other['name']}  ({other['role']}, {other['licence']}{bound}, commit {commit})  {other['source']}"
