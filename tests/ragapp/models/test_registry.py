"""The registry knows each model's licence, source and pin."""

import re

from ragapp.models.registry import card, cards
from ragapp.settings import Settings


def test_every_profile_names_models_that_the_registry_knows() -> None:
    for profile in ("laptop", "gpu"):
        settings = Settings(profile=profile)
        chat, embedder = card(settings.chat.model), card(settings.embedder.model)
        assert chat and chat.role == "chat" and not chat.restricted
        assert embedder and embedder.role == "embedder" and not embedder.restricted
        assert settings.chat.context_tokens <= chat.context_tokens
        assert settings.ingest.chunk_tokens <= embedder.context_tokens


def test_hub_models_are_pinned_to_a_commit_and_packages_to_checksums() -> None:
    for known in cards():
        if known.folder:
            assert known.files
            assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for checksum in known.files.values())
        else:
            assert re.fullmatch(r"[0-9a-f]{40}", known.revision), known.name
        assert known.licence and known.source and known.size_gib > 0


def test_an_unknown_name_has_no_card() -> None:
    assert card("nobody/nothing") is None
