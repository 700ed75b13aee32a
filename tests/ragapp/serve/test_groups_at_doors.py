"""Who may see what is taken in over HTTP, by jobs and by commands that a service does: nothing widens by leaving
something out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from ragapp import RagApp, Settings
from ragapp.cli.commands import app
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import NobodyChosen
from ragapp.serve.run import note_examples, told
from ragapp.types import document_id

from .conftest import Service, running, wait_until

NOBODY_CHOSE = "Nobody has chosen who may see"


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    path = tmp_path / "memo.md"
    path.write_text("# Memo\n\nThe kiln is sold in May.\n")
    return path


@pytest.fixture
def root(office: Service) -> Iterator[httpx.Client]:
    with office.signed_in("root") as client:
        yield client


def ended(client: httpx.Client, begun: httpx.Response) -> dict[str, Any]:
    assert begun.status_code == 202, begun.text
    job = begun.json()["id"]
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] not in ("waiting", "running"))
    done: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
    assert done["state"] == "finished", done
    return done


def sent(client: httpx.Client, text: str, collection: str = "default") -> dict[str, Any]:
    files = [("files", ("memo.md", text.encode()))]
    return ended(client, client.post("/v1/documents", data={"collection": collection}, files=files))


def seen_by(client: httpx.Client, source: object, collection: str = "default") -> list[str]:
    found: list[str] = client.get(f"/v1/documents/{document_id(collection, str(source))}").json()["groups"]
    return found


class TestASentFile:
    def test_that_was_narrowed_by_hand_stays_narrow_when_it_is_sent_again(self, root: httpx.Client) -> None:
        sent(root, "The kiln is sold.")
        assert seen_by(root, "memo.md") == ["everyone"]
        shown = root.put(f"/v1/documents/{document_id('default', 'memo.md')}/groups", json={"groups": ["board"]})
        assert shown.status_code == 200
        for text in ("The kiln is sold for 900 euro.", "The kiln is sold for 900 euro.", "It is kept."):
            assert sent(root, text)["kept"] == 0, "nothing was said with it"
            assert seen_by(root, "memo.md") == ["board"]

    def test_keeps_what_a_run_said_before_though_its_collection_is_everyone_s(
        self, root: httpx.Client, memo: Path
    ) -> None:
        ended(root, root.post("/v1/jobs", json={"paths": [str(memo)], "groups": ["board"]}))
        ended(root, root.post("/v1/jobs", json={"paths": [str(memo)]}))
        assert seen_by(root, memo) == ["board"]

    def test_goes_by_the_rule_as_it_is_when_the_job_is_done(
        self, office: Service, root: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[httpx.Response] = []
        monkeypatch.setattr(office.house.work, "add", lambda *_, **__: None)
        files = [("files", ("memo.md", b"The kiln is sold."))]
        begun.append(root.post("/v1/documents", data={"collection": "default"}, files=files))
        root.put("/v1/collections/default", json={"groups": ["board"]})
        office.house.rag.intake.do(begun[0].json()["id"])
        assert seen_by(root, "memo.md") == ["board"]


class TestAJob:
    def test_that_says_nothing_goes_by_the_rule_of_its_collection(self, root: httpx.Client, memo: Path) -> None:
        ended(root, root.post("/v1/jobs", json={"paths": [str(memo)], "collection": "board"}))
        assert seen_by(root, memo, "board") == ["board"]

    def test_is_refused_where_nobody_chose(self, root: httpx.Client, memo: Path) -> None:
        before = len(root.get("/v1/jobs").json())
        refused = root.post("/v1/jobs", json={"paths": [str(memo)], "collection": "fresh"})
        assert refused.status_code == 409 and NOBODY_CHOSE in refused.json()["detail"]
        assert len(root.get("/v1/jobs").json()) == before
        ended(root, root.post("/v1/jobs", json={"paths": [str(memo)], "collection": "fresh", "groups": ["everyone"]}))
        assert seen_by(root, memo, "fresh") == ["everyone"]

    @pytest.mark.parametrize("said", [[], [""], [" "], "board", ["conversation/1"]])
    def test_is_refused_where_it_names_nobody(self, root: httpx.Client, memo: Path, said: Any) -> None:
        assert root.post("/v1/jobs", json={"paths": [str(memo)], "groups": said}).status_code == 422

    def test_does_not_show_what_was_narrowed_by_hand_to_more_and_says_so(self, root: httpx.Client, memo: Path) -> None:
        ended(root, root.post("/v1/jobs", json={"paths": [str(memo)]}))
        root.put(f"/v1/documents/{document_id('default', str(memo))}/groups", json={"groups": ["board"]})
        done = ended(root, root.post("/v1/jobs", json={"paths": [str(memo)], "groups": ["everyone"]}))
        assert (done["kept"], done["unchanged"]) == (1, 1)
        (file,) = root.get(f"/v1/jobs/{done['id']}/files").json()
        assert "board, as was chosen by hand" in file["reason"]
        assert seen_by(root, memo) == ["board"]


class TestASource:
    def test_that_says_nothing_goes_by_the_rule_of_its_collection(self, root: httpx.Client, memo: Path) -> None:
        made = root.post("/v1/sources", json={"name": "share", "url": str(memo.parent), "collection": "board"})
        assert made.json()["groups"] == ["board"]

    def test_is_refused_where_nobody_chose_or_nobody_is_named(self, root: httpx.Client, memo: Path) -> None:
        asked = {"name": "share", "url": str(memo.parent)}
        assert root.post("/v1/sources", json={**asked, "collection": "fresh"}).status_code == 409
        assert root.post("/v1/sources", json={**asked, "groups": []}).status_code == 422
        assert root.get("/v1/sources").json() == []


class TestCommands:
    """`ragapp …` while the service has the data folder open."""

    @pytest.fixture
    def run(self, office: Service) -> Iterator[Any]:
        def call(*arguments: object) -> Result:
            return CliRunner().invoke(app, [*map(str, arguments), "--data", str(office.house.data)])

        with told(office.house.data, office.url, office.house.handover_secret):
            yield call

    def test_ingest_goes_by_the_rule_of_the_collection(self, run: Any, root: httpx.Client, memo: Path) -> None:
        assert run("ingest", memo, "--collection", "board").exit_code == 0
        assert seen_by(root, memo, "board") == ["board"]

    def test_ingest_is_refused_where_nobody_chose(self, run: Any, root: httpx.Client, memo: Path) -> None:
        done = run("ingest", memo, "--collection", "fresh")
        assert done.exit_code != 0 and NOBODY_CHOSE in str(done.exception)
        assert run("ingest", memo, "--collection", "fresh", "--everyone").exit_code == 0
        assert seen_by(root, memo, "fresh") == ["everyone"]

    def test_ingest_names_what_it_did_not_show_to_more(self, run: Any, root: httpx.Client, memo: Path) -> None:
        run("ingest", memo)
        assert run("access", "set", memo, "--groups", "board").exit_code == 0
        done = run("ingest", memo, "--everyone", "--json")
        assert json.loads(done.stdout)["kept"] == [str(memo)]
        assert "ragapp access set" in run("ingest", memo, "--everyone").stderr
        assert seen_by(root, memo) == ["board"]


@pytest.mark.parametrize("single_user", [True, False])
def test_where_people_sign_in_nothing_is_everyone_s_for_want_of_a_choice_as_long_as_the_service_runs(
    tmp_path: Path, models_dir: Path, resting_engine: VllmEngine, memo: Path, *, single_user: bool
) -> None:
    """Also before the first of them has an account."""
    settings = Settings(data=tmp_path / "data", serve={"single_user": single_user})
    with (
        RagApp(settings, models_dir=models_dir, engine=resting_engine) as rag,
        running(rag, engine=False) as service,
        httpx.Client(base_url=service.url, timeout=60) as owner,
    ):
        owner.headers["authorization"] = f"Bearer {service.house.handover_secret}"
        begun = owner.post("/v1/jobs", json={"paths": [str(memo)]})
        if single_user:
            ended(owner, begun)
            assert seen_by(owner, memo) == ["everyone"]
            return
        assert begun.status_code == 409 and NOBODY_CHOSE in begun.json()["detail"]
        with pytest.raises(NobodyChosen):
            rag.ingest(memo)
    with RagApp(settings, models_dir=models_dir, engine=resting_engine) as rag:
        assert rag.ingest(memo).added == 1, "it is a machine of one's own again"


def test_the_examples_are_said_to_be_everyone_s_unless_somebody_chose(fresh: RagApp, memo: Path) -> None:
    fresh.catalog.people.add("ada")
    fresh.intake.do(note_examples(fresh, memo))
    fresh.catalog.collection_rules.put("default", ["board"])
    other = memo.rename(memo.with_name("other.md"))
    fresh.intake.do(note_examples(fresh, other))
    shown = {row.source: set(row.groups) for row in fresh.catalog.documents()}
    assert shown == {str(memo): {"everyone"}, str(other): {"board"}}
