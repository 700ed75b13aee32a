"""ragapp access, remove, backup, restore and doctor --verify, as an admin types them."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.private import private_file

from ...holding import holding
from .conftest import Run

WORDS = "caretaker"


def found(run: Run, words: str = WORDS) -> list[str]:
    return [Path(p["source"]).name for p in run("search", words, "--json", "--quiet").json["passages"]]


def of(run: Run, what: object) -> dict[str, list[str]]:
    shown = run("access", "show", what, "--json").json
    return {Path(d["source"]).name: d["groups"] for part in shown for d in part["documents"]}


class TestAccess:
    def test_one_document_is_hidden_and_shown_again(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        ran = run("access", "set", documents / "office.md", "--groups", "hr", "--new-group")
        assert (ran.code, ran.out) == (0, "1 document changed; seen by hr\n")
        assert "office.md" not in found(run)
        assert of(run, documents)["office.md"] == ["hr"]
        run("access", "set", documents / "office.md", "--groups", "everyone")
        assert "office.md" in found(run)

    def test_a_folder_changes_with_all_below_it(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        run("access", "set", documents / "more", "--groups", "sales", "--new-group")
        assert of(run, documents) == {"office.md": ["everyone"], "travel.txt": ["everyone"], "prices.csv": ["sales"]}

    @pytest.mark.parametrize("said", [[], ["--groups", ","], ["--groups", "hr", "--everyone"]])
    def test_whom_it_is_shown_to_is_said_in_one_way_or_refused(
        self, run: Run, documents: Path, said: list[str]
    ) -> None:
        run("ingest", documents, "--groups", "hr")
        assert run("access", "set", documents, *said).code == 2
        assert set(map(tuple, of(run, documents).values())) == {("hr",)}

    def test_a_group_that_nothing_had_is_refused_with_the_nearest(self, run: Run, documents: Path) -> None:
        run("ingest", documents, "--groups", "accounting")
        ran = run("access", "set", documents, "--groups", "acounting")
        assert ran.code == 2
        assert "did you mean accounting?" in ran.err
        assert set(map(tuple, of(run, documents).values())) == {("accounting",)}

    def test_ingesting_for_a_new_group_says_so_and_goes_on(self, run: Run, documents: Path) -> None:
        ran = run("ingest", documents, "--groups", "board")
        assert ran.code == 0
        assert "board before; it is new" in ran.err

    def test_what_is_not_in_is_named_with_what_may_be_meant(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        ran = run("access", "show", "office")
        assert ran.code == 2
        assert f"did you mean {documents / 'office.md'}?" in ran.err

    def test_a_source_its_folders_and_its_documents(self, run: Run, documents: Path) -> None:
        run("sync", "add", "house", documents, "--groups", "staff")
        run("sync", "run", "house")
        run("access", "set", "house", "--path", "more/", "--groups", "sales", "--new-group")
        run("access", "set", documents / "travel.txt", "--groups", "everyone")
        changed = run("access", "set", "house", "--groups", "hr", "--new-group", "--json").json
        assert (changed["documents"], changed["ruled"]) == (1, 2)
        expected = {"office.md": ["hr"], "travel.txt": ["everyone"], "prices.csv": ["sales"]}
        assert of(run, "house") == expected
        # the next sync finds nothing to undo
        assert run("sync", "run", "house", "--json").json["house"]["unchanged"] == 3
        assert of(run, "house") == expected
        assert "more/: sales" in run("access", "show", "house").out

    def test_killed_between_the_commit_and_the_index_shows_nobody_too_much(self, run: Run, documents: Path) -> None:
        run("ingest", documents, "--groups", "everyone")
        data = Path(os.environ["RAGAPP_DATA"])
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from ingest.care.access import Access\n"
            "from ragapp.catalog.catalog import Catalog\n"
            "die = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
            "Access(Catalog.open(Path(sys.argv[1])), die).set(sys.argv[2], frozenset({'hr'}), new_group=True)\n"
        )
        killed = subprocess.run([sys.executable, "-c", script, data, documents / "office.md"], timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL
        catalog = Catalog.open(data)
        assert [groups for _, groups in catalog.access.due()] == [frozenset({"hr"})]
        assert "office.md" not in found(run)
        assert not list(catalog.access.due())
        catalog.close()
        assert run("doctor", "--verify").code == 0


class TestRemove:
    def test_nothing_of_its_words_stays(self, run: Run, documents: Path) -> None:
        (documents / "secret.md").write_text("# Secret\n\nThe quetzalcoatl project starts in May.\n")
        run("ingest", documents)
        ran = run("remove", documents / "secret.md", "--yes")
        assert ran.code == 0
        assert "1 document, 1 chunk" in ran.out
        assert "secret.md" not in found(run, "quetzalcoatl project")
        data = Path(os.environ["RAGAPP_DATA"])
        kept = [p for folder in ("originals", "extracted", "logs") for p in (data / folder).rglob("*") if p.is_file()]
        for path in [*kept, *data.glob("catalog.db*")]:
            content = path.read_bytes()
            assert b"quetzalcoatl" not in (gzip.decompress(content) if path.suffix == ".gz" else content).lower()
        assert run("doctor", "--verify").code == 0
        assert (documents / "secret.md").exists()

    def test_what_older_versions_of_it_said_goes_too(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        (documents / "office.md").write_text("# Office rules\n\nNothing is said here any more.\n")
        run("ingest", documents)
        run("remove", documents / "office.md", "--yes")
        originals = Path(os.environ["RAGAPP_DATA"]) / "originals"
        assert not [path for path in originals.rglob("*") if path.is_file() and b"caretaker" in path.read_bytes()]

    def test_killed_after_the_commit_the_next_command_finishes_it(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        data = Path(os.environ["RAGAPP_DATA"])
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from ingest.care.removal import plan_removal, remove\n"
            "from ragapp.catalog.catalog import Catalog\n"
            "class Dies:\n"
            "    def delete_document(self, *_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
            "catalog = Catalog.open(Path(sys.argv[1]))\n"
            "remove(plan_removal(catalog, [sys.argv[2]]), catalog, Dies(), None)\n"
        )
        killed = subprocess.run([sys.executable, "-c", script, data, documents / "office.md"], timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert "office.md" not in found(run)
        assert run("doctor", "--verify").code == 0
        originals = [path for path in (data / "originals").rglob("*") if path.is_file()]
        assert not [path for path in originals if b"caretaker" in path.read_bytes()]

    def test_dry_run_only_says_it(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        said = run("remove", documents, "--dry-run", "--json").json
        assert (said["documents"], said["removed"]) == (3, False)
        assert run("status", "--json").json["documents"] == 3

    def test_bytes_that_another_document_needs_stay(self, run: Run, documents: Path) -> None:
        shutil.copy(documents / "office.md", documents / "copy.md")
        run("ingest", documents)
        said = run("remove", documents / "office.md", "--yes", "--json").json
        assert (said["documents"], said["bytes"], said["shared"]) == (1, 0, 1)
        assert found(run) == [name for name in found(run) if name != "office.md"]
        assert "copy.md" in found(run)
        assert run("doctor", "--verify").code == 0

    def test_a_source_goes_with_all_it_brought(self, run: Run, documents: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.md"
        other.write_text("# Other\n\nThe caretaker of the other house.\n")
        run("ingest", other)
        run("sync", "add", "house", documents, "--everyone")
        run("sync", "run", "house")
        ran = run("remove", "--source", "house", "--yes")
        assert ran.code == 0
        assert found(run) == ["other.md"]

    def test_a_name_that_nothing_has(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        assert run("remove", "nothing-like-it", "--yes").code == 2
        assert run("status", "--json").json["documents"] == 3


class TestRedact:
    OLD, NEW = "# Pay\n\nQuetzalcoatl earns 900 euro.\n", "# Pay\n\nNobody is told.\n"

    def test_only_the_old_text_goes_and_from_every_file(self, run: Run, documents: Path) -> None:
        pay = documents / "pay.md"
        for text in (self.OLD, self.NEW):
            pay.write_text(text)
            run("ingest", pay)
        data = Path(os.environ["RAGAPP_DATA"])
        with open(data / "catalog.db.0001.bak", "wb", opener=private_file) as copy:
            copy.write(b"a copy from before")

        assert holding(data, b"quetzalcoatl")
        ran = run("redact", pay, "--yes")
        assert (ran.code, ran.out) == (
            0, f"1 earlier version, {len(self.OLD)} bytes of originals, text in 0 answers removed\n"
        )  # fmt: skip
        assert "Backups that were made before" in ran.err and "catalog.db.0001.bak" in ran.err
        assert holding(data, b"quetzalcoatl") == []
        assert "pay.md" in found(run, "Nobody is told")
        assert run("doctor", "--verify").code == 0

    def test_dry_run_only_says_it(self, run: Run, documents: Path) -> None:
        for text in (self.OLD, self.NEW):
            (documents / "pay.md").write_text(text)
            run("ingest", documents)
        said = run("redact", documents, "--dry-run", "--json").json
        assert (said["documents"], said["revisions"], said["redacted"]) == (4, 1, False)
        assert "nothing was done" in run("redact", documents / "pay.md", "--dry-run").out
        assert run("redact", documents, "--json").json["revisions"] == 1
        assert run("redact", documents, "--json").json["revisions"] == 0

    def test_a_name_that_nothing_has(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        ran = run("redact", documents / "ofice.md", "--yes")
        assert ran.code == 2 and "There is no document" in ran.err


class TestVerify:
    def test_says_what_differs_and_mends_it(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        data = Path(os.environ["RAGAPP_DATA"])
        next(p for p in (data / "extracted").rglob("*.gz")).write_bytes(b"no gzip")
        ran = run("doctor", "--verify")
        assert ran.code == 1
        assert "1 damaged text: " in ran.out
        mended = run("doctor", "--repair", "--json").json
        assert len(mended["mended"]) == 1
        assert mended["differences"] == {}
        assert run("doctor", "--verify").out.strip().endswith("catalog, index and files agree")


class TestBackup:
    def test_there_and_back(self, run: Run, documents: Path, tmp_path: Path) -> None:
        run("ingest", documents)
        backup = tmp_path / "ragapp.tar.gz"
        assert run("backup", backup).code == 0
        assert backup.stat().st_mode & 0o777 == 0o600
        before = run("search", WORDS, "--json").json["passages"]
        ran = run("restore", backup, "--data", tmp_path / "back")
        assert ran.code == 0
        assert ran.out.startswith("3 documents of ")
        assert run("search", WORDS, "--json", "--data", tmp_path / "back").json["passages"] == before
        assert run("doctor", "--verify", "--data", tmp_path / "back").code == 0

    def test_a_folder_that_holds_data_is_replaced_only_when_it_is_meant(
        self, run: Run, documents: Path, tmp_path: Path
    ) -> None:
        run("ingest", documents)
        run("backup", tmp_path / "b.tar.gz")
        run("remove", documents, "--yes")
        refused = run("restore", tmp_path / "b.tar.gz")
        assert refused.code == 2
        assert "--force" in refused.err
        assert run("status", "--json").json["documents"] == 0
        assert run("restore", tmp_path / "b.tar.gz", "--force").code == 0
        assert "office.md" in found(run)
        data = Path(os.environ["RAGAPP_DATA"])
        assert not [path for path in data.iterdir() if path.name.startswith((".restore", ".replaced"))]

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "other"])
    def test_a_damaged_backup_changes_nothing(self, run: Run, documents: Path, tmp_path: Path, damage: str) -> None:
        run("ingest", documents)
        backup = tmp_path / "b.tar.gz"
        run("backup", backup)
        content = bytearray(backup.read_bytes())
        if damage == "truncated":
            del content[len(content) // 2 :]
        elif damage == "flipped":
            plain = bytearray(gzip.decompress(content))
            plain[plain.index(b"caretaker")] ^= 1
            content = bytearray(gzip.compress(plain, 1))
        else:
            content = bytearray(b"something else")
        backup.write_bytes(content)
        ran = run("restore", backup, "--force")
        assert ran.code == 2
        assert "nothing was changed" in ran.err
        assert "office.md" in found(run)
        assert run("doctor", "--verify").code == 0

    def test_where_there_is_no_folder_for_it(self, run: Run, documents: Path, tmp_path: Path) -> None:
        run("ingest", documents)
        ran = run("backup", tmp_path / "nowhere" / "b.tar.gz")
        assert ran.code == 2
        assert "There is no folder" in ran.err
