"""Narrowing a search, as a developer writes it: fewer documents, and never more than whoever asks may see."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragapp import Principal, RagApp, narrow
from ragapp.access import LOCAL, Scope, within

OLD = datetime(2020, 5, 1, tzinfo=UTC)
QUERY = "Which lift is out of order?"
SECRET = Scope(frozenset({"board"}), frozenset({"board"}))
"""What a developer may build by hand, groups and all."""


@pytest.fixture
def app(fresh: RagApp, tmp_path: Path) -> RagApp:
    folder = tmp_path / "lifts"
    folder.mkdir()
    (folder / "north.md").write_text("The north lift is out of order.\n")
    (folder / "south.txt").write_text("The south lift is out of order.\n")
    os.utime(folder / "south.txt", (OLD.timestamp(), OLD.timestamp()))
    secret = tmp_path / "board.md"
    secret.write_text("The lift of the board is out of order.\n")
    fresh.ingest(folder)
    fresh.ingest(secret, collection="board", groups=["board"])
    return fresh


def found(app: RagApp, narrowed: Scope | None, principal: Principal = LOCAL) -> set[str]:
    return {Path(each.source).name for each in app.search(QUERY, narrowed=narrowed, principal=principal)}


def test_each_way_to_narrow_leaves_what_it_names(app: RagApp, tmp_path: Path) -> None:
    south = str(tmp_path / "lifts" / "south.txt")
    assert found(app, None) == found(app, narrow()) == {"north.md", "south.txt"}
    assert found(app, narrow(sources=south)) == found(app, narrow(sources=[south])) == {"south.txt"}
    assert found(app, narrow(file_types=".MD")) == found(app, narrow(file_types={"md", "pdf"})) == {"north.md"}
    assert found(app, narrow(since=datetime(2021, 1, 1))) == {"north.md"}
    assert found(app, narrow(until=OLD)) == {"south.txt"}
    assert found(app, narrow(collections="default", until=OLD, file_types="md")) == set()


def test_a_narrowing_can_not_widen_what_somebody_sees(app: RagApp) -> None:
    board = Principal("chair", frozenset({"board"}))
    assert found(app, narrow(collections="board"), board) == found(app, SECRET, board) == {"board.md"}
    assert found(app, narrow(collections="board")) == found(app, SECRET) == set()
    assert app.vectorstore().similarity_search(QUERY, narrowed=SECRET) == []
    assert app.retriever(narrowed=SECRET).invoke(QUERY) == []


def test_a_narrowing_has_no_groups_until_somebody_asks() -> None:
    assert narrow(collections=["a", "b"]).groups == frozenset()
    assert within(Principal("bob", frozenset({"hr"})), SECRET).groups == {"everyone", "hr"}
