"""Commands while a service has the data folder open: it does the work, and they show what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ragapp.cli.commands import app
from ragapp.serve.run import told

from ...holding import holding
from .conftest import Service, wait_until

MAIL = b"""\
From: ada@firm.example
To: bob@firm.example
Subject: Offer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=part

--part
Content-Type: text/plain

The offer is attached.
--part
Content-Type: text/plain; name=offer.txt
Content-Disposition: attachment; filename=offer.txt

The crane costs 12,000 euro.
--part--
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    share.mkdir()
    for number in range(3):
        (share / f"{number}.md").write_text(f"# Note {number}\n\nThe kiln number {number} is lit at dawn.")
    (share / "broken.pdf").write_bytes(b"%PDF-1.4")
    return share


@pytest.fixture
def open_office(office: Service) -> Iterator[Service]:
    """The service, found by this machine's commands."""
    with told(office.house.data, office.url, office.house.handover_secret):
        yield office


def run(service: Service, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(service.house.data)])


def test_ingest(open_office: Service, folder: Path) -> None:
    done = run(open_office, "ingest", str(folder), "--json")
    assert done.exit_code == 1, done.output
    report = json.loads(done.stdout)
    assert (report["added"], [Path(failed["source"]).name for failed in report["failed"]]) == (3, ["broken.pdf"])
    assert "has this data folder open and does it" in done.stderr
    assert open_office.house.catalog.totals().documents == 6


def test_its_progress_as_lines_for_machines(open_office: Service, folder: Path) -> None:
    done = run(open_office, "ingest", str(folder), "--json-progress", "--quiet")
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines[-1]["event"] == "done" and lines[-1]["ok"] is True


def test_sync_and_what_it_keeps_back(open_office: Service, folder: Path) -> None:
    (folder / "broken.pdf").unlink()
    for number in range(3, 15):
        (folder / f"{number}.md").write_text(f"# Note {number}")
    assert run(open_office, "sync", "add", "share", str(folder), "--everyone").exit_code == 0
    assert json.loads(run(open_office, "sync", "run", "share", "--json").stdout)["share"]["added"] == 15
    for path in folder.iterdir():
        path.unlink()
    kept = run(open_office, "sync", "run", "share")
    assert kept.exit_code == 1 and "nothing was removed" in kept.stderr.lower()
    gone = run(open_office, "sync", "run", "share", "--remove-gone", "--json")
    assert json.loads(gone.stdout)["share"]["removed"] == 15


def test_jobs_again(open_office: Service, folder: Path) -> None:
    first = json.loads(run(open_office, "ingest", str(folder), "--json").stdout)
    (folder / "broken.pdf").unlink()
    (folder / "broken.pdf").write_bytes((folder / "0.md").read_bytes())
    again = run(open_office, "jobs", "retry", str(first["job"]), "--failed", "--json")
    assert json.loads(again.stdout)["job"] == first["job"]


def test_a_path_that_is_not_there(open_office: Service, folder: Path) -> None:
    done = run(open_office, "ingest", str(folder / "none"))
    assert done.exit_code != 0 and "no file or folder" in str(done.exception or done.output)


def test_a_service_that_does_not_answer(office: Service, folder: Path) -> None:
    with told(office.house.data, "http://127.0.0.1:9", "secret"):
        done = run(office, "ingest", str(folder))
    assert done.exit_code != 0 and "doesn't answer" in str(done.exception or done.output)


def test_a_backup_while_the_service_answers(open_office: Service, tmp_path: Path) -> None:
    file = tmp_path / "all.tar.gz"
    done = run(open_office, "backup", str(file), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["documents"] == open_office.house.catalog.totals().documents
    back = CliRunner().invoke(app, ["restore", str(file), "--data", str(tmp_path / "back")])
    assert back.exit_code == 0, back.output


def test_a_backup_is_the_machines_owners_to_write(open_office: Service, tmp_path: Path) -> None:
    with open_office.signed_in("root") as admin, open_office.client(open_office.token("root")) as program:
        for client in (admin, program):
            assert client.post("/v1/backups", json={"file": str(tmp_path / "stolen")}).status_code == 403
    assert not (tmp_path / "stolen").exists()


def test_remove(open_office: Service, folder: Path) -> None:
    mail = folder / "offer.eml"
    mail.write_bytes(MAIL)
    run(open_office, "ingest", str(folder), "--quiet")
    before = open_office.house.catalog.totals().documents
    done = run(open_office, "remove", str(mail), str(folder / "0.md"), "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["documents"] == 3, "the mail, what is attached to it, and the note"
    assert open_office.house.catalog.totals().documents == before - 3


def test_redact(open_office: Service, folder: Path) -> None:
    note = folder / "0.md"
    run(open_office, "ingest", str(folder), "--quiet")
    note.write_text("# Note 0\n\nIt is not lit any more.")
    run(open_office, "ingest", str(folder), "--quiet")
    done = run(open_office, "redact", str(note), "--yes")
    assert done.exit_code == 0, done.output
    assert "1 earlier version" in done.stdout and "has this data folder open and does it" in done.stderr
    wait_until(lambda: not holding(open_office.house.data, b"number 0 is lit"))
