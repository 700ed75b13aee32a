"""Jobs of the service: one after the other, followed as they go, and taken up again whatever happened."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine
from ragapp.serve.house import House
from ragapp.serve.work import Work

from .conftest import Service, running, wait_until


def ended(client: httpx.Client, job_id: int) -> dict[str, Any]:
    wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] not in ("waiting", "running"))
    return client.get(f"/v1/jobs/{job_id}").json()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    (share / "closed").mkdir(parents=True)
    for number in range(3):
        (share / f"{number}.md").write_text(f"# Note {number}\n\nThe kiln number {number} is lit at dawn.")
    (share / "closed" / "pay.md").write_text("# Pay\n\nThe kiln master earns 5100 euro.")
    return share


def test_a_folder_of_the_services_own_machine(office: Service, folder: Path) -> None:
    with office.signed_in("root") as root, office.signed_in("ada") as ada:
        begun = root.post("/v1/jobs", json={"paths": [str(folder)], "groups": ["everyone"]})
        assert begun.status_code == 202 and begun.json()["state"] in ("waiting", "running", "finished")
        done = ended(root, begun.json()["id"])
        assert (done["state"], done["added"], done["progress"]) == ("finished", 4, None)
        assert ada.get(f"/v1/jobs/{done['id']}").status_code == 404, "a curator of another collection"
        assert ada.post("/v1/jobs", json={"paths": [str(folder)]}).status_code == 403
        missing = root.post("/v1/jobs", json={"paths": [str(folder / "none")]})
        assert missing.status_code == 422 and "no file or folder" in missing.json()["detail"]


def test_a_job_is_followed_to_its_end(office: Service, folder: Path) -> None:
    with office.signed_in("root") as root:
        job = root.post("/v1/jobs", json={"paths": [str(folder)]}).json()
        told: list[tuple[str, dict[str, Any]]] = []
        with root.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    told.append((name, json.loads(line.removeprefix("data: "))))
        assert [name for name, _ in told][-1] == "done"
        assert told[-1][1]["state"] == "finished" and told[-1][1]["added"] == 4
        assert all(job["id"] == each["id"] for _, each in told)


def lock_out(house: House, person_id: str) -> None:
    house.catalog.people.set_active(person_id, False)


def take_the_collection(house: House, person_id: str) -> None:
    house.catalog.people.curate(person_id, ["default"])


def sign_out(house: House, person_id: str) -> None:
    house.catalog.credentials.close_sessions(person_id)


@pytest.mark.parametrize("lose", [lock_out, take_the_collection, sign_out])
def test_whoever_loses_the_right_to_a_job_reads_no_more_of_it(
    office: Service, lose: Callable[[House, str], None]
) -> None:
    jobs, person = office.house.catalog.jobs, office.house.catalog.people.find(name="ada")
    assert person
    job = jobs.start("ingest", "ingest pay.md", {"collection": "board"}, waiting=True)
    with office.signed_in("ada") as ada, ada.stream("GET", f"/v1/jobs/{job}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: progress"
        assert "pay.md" in next(lines)
        lose(office.house, person.id)
        jobs.cancel(job)
        assert not any(lines), "the end of the job is somebody else's to know"


def test_a_source_is_looked_at_before_it_is_run(office: Service, folder: Path) -> None:
    with office.signed_in("root") as root:
        rules = [{"pattern": "closed/", "groups": ["board"]}]
        made = root.post("/v1/sources", json={"name": "share", "url": str(folder), "rules": rules})
        assert made.status_code == 201 and made.json()["groups"] == ["everyone"]
        preview = root.post("/v1/sources/share/preview").json()
        assert preview["counts"]["new"] == 4 and len(preview["files"]) == 4
        assert root.get("/v1/documents", params={"origin": "share"}).json()["total"] == 0, "nothing was done"
        done = ended(root, root.post("/v1/sources/share/run", json={}).json()["id"])
        assert (done["state"], done["added"], done["collection"]) == ("finished", 4, "default")
        with office.signed_in("bob") as bob:
            seen = bob.get("/v1/documents", params={"origin": "share"}).json()
            assert sorted(row["title"] for row in seen["documents"]) == ["Note 0", "Note 1", "Note 2"]
        (folder / "1.md").unlink()
        assert ended(root, root.post("/v1/sources/share/run", json={}).json()["id"])["removed"] == 1
        (shown,) = root.get("/v1/sources").json()
        assert shown["running_job"] is None and shown["last_job"]["removed"] == 1
        assert root.delete("/v1/sources/share").status_code == 204
        assert root.get("/v1/sources").json() == []
        assert root.get("/v1/documents", params={"find": "kiln"}).status_code == 200


def test_a_source_that_is_not_there_is_said_at_once(office: Service, folder: Path) -> None:
    with office.signed_in("root") as root, office.signed_in("ada") as ada:
        refused = root.post("/v1/sources", json={"name": "gone", "url": str(folder / "gone")})
        assert refused.status_code == 422
        assert root.post("/v1/sources/gone/run", json={}).status_code == 404
        assert ada.post("/v1/sources", json={"name": "mine", "url": str(folder)}).status_code == 403
        root.post("/v1/sources", json={"name": "share", "url": str(folder)})
        assert ada.get("/v1/sources").json() == []
        assert ada.post("/v1/sources/share/run", json={}).status_code == 404


def test_a_curators_list_holds_their_jobs_however_far_back(office: Service) -> None:
    jobs = office.house.catalog.jobs
    mine = [jobs.start("ingest", f"ingest {n}", {"collection": "board"}) for n in range(3)]
    others = [jobs.start("ingest", "ingest", {"collection": "default"}) for _ in range(60)]
    private = jobs.start("ingest", "upload pay.md", {"collection": "conversation/1"})
    with office.signed_in("ada") as ada, office.signed_in("root") as root:
        page = ada.get("/v1/jobs", params={"limit": 2}).json()
        assert [job["id"] for job in page] == [mine[2], mine[1]]
        rest = ada.get("/v1/jobs", params={"limit": 50, "before": mine[1]}).json()
        assert rest[0]["id"] == mine[0] and {job["collection"] for job in rest} == {"board"}
        newest = root.get("/v1/jobs", params={"limit": 1}).json()
        assert [job["id"] for job in newest] == [others[-1]], f"{private} is the asker's own"


def test_a_waiting_job_is_cancelled_before_it_begins(
    office: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    real = Work._give_way
    monkeypatch.setattr(Work, "_give_way", lambda work: (free.wait(30), real(work))[1])
    with office.signed_in("root") as root:
        first = root.post("/v1/jobs", json={"paths": [str(folder)]}).json()["id"]
        second = root.post("/v1/jobs", json={"paths": [str(folder)], "collection": "board"}).json()["id"]
        wait_until(lambda: root.get(f"/v1/jobs/{first}").json()["state"] == "running")
        assert root.get(f"/v1/jobs/{first}").json()["progress"]["files_total"] in (None, 4)
        assert root.get(f"/v1/jobs/{second}").json()["state"] == "waiting"
        assert root.post(f"/v1/jobs/{second}/cancel").json()["state"] == "cancelled"
        assert root.post(f"/v1/jobs/{first}/resume").status_code == 409, "it runs"
        free.set()
        assert ended(root, first)["state"] == "finished"
        assert root.get(f"/v1/jobs/{second}").json()["state"] == "cancelled"
        assert root.post(f"/v1/jobs/{second}/resume").status_code == 202
        assert ended(root, second)["added"] == 4


def test_questions_go_first(office: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragapp.serve.work._LONGEST_WAIT_S", 60.0)
    asked = threading.Event()
    asked.set()
    office.house.work._busy = asked.is_set
    built: list[object] = []
    monkeypatch.setattr(office.house.rag.index, "optimize", lambda give_way, _: built.append(give_way))
    with office.signed_in("root") as root:
        job = root.post("/v1/jobs", json={"paths": [str(folder)]}).json()["id"]
        wait_until(lambda: (root.get(f"/v1/jobs/{job}").json()["progress"] or {}).get("files_total") == 4)
        assert root.get(f"/v1/jobs/{job}").json()["progress"]["chunks"] == 0, "nothing is embedded meanwhile"
        asked.clear()
        assert ended(root, job)["added"] == 4
    assert built == [office.house.work._give_way], "the search graph gives way too, while it is built"


def test_what_a_service_left_undone_the_next_one_does(
    tmp_path: Path, models_dir: Path, resting_engine: VllmEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path / "data", serve={"single_user": True})
    with monkeypatch.context() as patched:
        patched.setattr("ragapp.serve.work._LONGEST_WAIT_S", 60.0)
        with RagApp(settings, models_dir=models_dir, engine=resting_engine) as rag, running(rag, engine=False) as first:
            first.house.work._busy = lambda: True
            with first.client() as client:
                job = client.post("/v1/jobs", json={"paths": [str(folder)]}).json()["id"]
                later = client.post("/v1/jobs", json={"paths": [str(folder)], "collection": "later"}).json()["id"]
                wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running")
    with closing(sqlite3.connect(tmp_path / "data" / "catalog.db")) as catalog, catalog:
        states = dict(catalog.execute("SELECT id, state FROM jobs").fetchall())
        assert states == {job: "waiting", later: "waiting"}
        # both services are this one process, which goes on
        catalog.execute("UPDATE jobs SET process = 'gone'")
    with (
        RagApp(settings, models_dir=models_dir, engine=resting_engine) as rag,
        running(rag, engine=False) as second,
        second.client() as client,
    ):
        done = ended(client, job)
        assert (done["state"], done["added"] + done["unchanged"]) == ("finished", 4)
        assert ended(client, later)["added"] == 4
        assert client.get("/v1/documents").json()["total"] == 8


def test_a_job_that_fails_says_why(office: Service, folder: Path) -> None:
    with office.signed_in("root") as root:
        root.post("/v1/sources", json={"name": "share", "url": str(folder)})
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
        done = ended(root, root.post("/v1/sources/share/run", json={}).json()["id"])
        assert done["state"] == "failed" and "share" in done["reason"]
        assert root.get("/health/live").status_code == 200
        folder.mkdir()
        (folder / "1.md").write_text("# Back")
        assert root.post(f"/v1/jobs/{done['id']}/resume").status_code == 202
        assert ended(root, done["id"])["state"] == "finished"
        assert ended(root, done["id"])["reason"] == ""


@pytest.fixture
def of_the_board(office: Service, folder: Path) -> int:
    """A job of the board's source `share`, which was taken away since; another collection's source has its name."""
    (folder / "closed" / "broken.pdf").write_bytes(b"%PDF-1.4")
    other = folder.parent / "other"
    other.mkdir()
    (other / "lunch.md").write_text("# Lunch\n\nSoup is at noon.")
    people = office.house.catalog.people
    bob = people.find(name="bob")
    assert bob
    people.curate(bob.id, ["default"])
    with office.signed_in("root") as root:
        root.post("/v1/sources", json={"name": "share", "url": str(folder), "collection": "board"})
        job = ended(root, root.post("/v1/sources/share/run", json={}).json()["id"])
        assert job["failed"] == 1
        assert root.delete("/v1/sources/share").status_code == 204
        root.post("/v1/sources", json={"name": "share", "url": str(other), "collection": "default"})
        return int(job["id"])


def test_a_jobs_report_stays_with_its_collection_when_the_sources_name_is_used_again(
    office: Service, of_the_board: int
) -> None:
    with office.signed_in("bob") as bob, office.signed_in("ada") as ada:
        for part in ("", "/files", "/events"):
            assert bob.get(f"/v1/jobs/{of_the_board}{part}").status_code == 404, part
            assert "pay.md" in ada.get(f"/v1/jobs/{of_the_board}/files").text
        for part, body in (("cancel", None), ("resume", None), ("retry", {"failed": True})):
            assert bob.post(f"/v1/jobs/{of_the_board}/{part}", json=body).status_code == 404, part
        assert of_the_board not in [job["id"] for job in bob.get("/v1/jobs").json()]
        assert of_the_board in [job["id"] for job in ada.get("/v1/jobs").json()]
        (shown,) = bob.get("/v1/sources").json()
        assert shown["last_job"] is None, "what the earlier source brought is not this one's"


def test_a_job_is_not_gone_on_with_by_another_source_of_that_name(office: Service, of_the_board: int) -> None:
    with office.signed_in("ada") as ada, office.signed_in("root") as root:
        assert ada.post(f"/v1/jobs/{of_the_board}/retry", json={"failed": True}).status_code == 202
        done = ended(root, of_the_board)
        assert done["state"] == "failed" and "earlier source share" in done["reason"]
        assert root.get("/v1/documents", params={"find": "lunch"}).json()["total"] == 0


def test_a_job_that_an_older_version_noted_by_name_alone(office: Service, of_the_board: int) -> None:
    with closing(sqlite3.connect(office.house.data / "catalog.db")) as catalog, catalog:
        catalog.execute("UPDATE jobs SET request = '{\"remove_gone\": false}' WHERE id = ?", (of_the_board,))
    with office.signed_in("bob") as bob, office.signed_in("root") as root:
        assert bob.get(f"/v1/jobs/{of_the_board}").status_code == 404
        assert of_the_board not in [job["id"] for job in bob.get("/v1/jobs").json()]
        assert root.get(f"/v1/jobs/{of_the_board}").json()["collection"] is None
        new = root.post("/v1/sources/share/run", json={}).json()["id"]
        ended(root, new)
        with closing(sqlite3.connect(office.house.data / "catalog.db")) as catalog, catalog:
            catalog.execute("UPDATE jobs SET request = '{\"remove_gone\": false}' WHERE id = ?", (new,))
        assert bob.get(f"/v1/jobs/{new}").json()["collection"] == "default"
        assert new in [job["id"] for job in bob.get("/v1/jobs").json()]
