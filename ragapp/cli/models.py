"""ragapp models: which models are known, and what their licences say."""

from __future__ import annotations

from ragapp.cli.options import Data, Json, Profile, Quiet, out, out_json, settings


def models(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show the models that ragapp knows, with licence, source and size; those of the profile are marked.

    A model whose licence restricts use loads only after its licence is named in `accepted_licences`.

    [dim]Example: ragapp models --profile gpu[/dim]
    """
    from ragapp.models.registry import card, cards

    chosen = settings(profile, data)
    used = {chosen.chat.model, chosen.embedder.model}
    rows = list(cards())
    unknown = [model for model in sorted(used) if card(model) is None]
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
            + [{"name": model, "licence": "unknown", "used": True} for model in unknown]
        )
        return
    for known in rows:
        mark = "*" if known.name in used else " "
        terms = f"{known.licence}, restricts use" if known.restricted else known.licence
        out(f"{mark} {known.name}  ({known.role}, {terms}, {known.size_gib:g} GiB)  {known.source}")
    for model in unknown:
        out(f"* {model}  (licence not known to ragapp: read it before you use it)")
    out(f"* used by the profile {chosen.profile}")
