"""A job reads nothing of the service's own, neither its data folder nor its secrets, by whatever name one finds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.origins.open import open_origin
from ingest.origins.protected import Protected, secret_places
from ragapp import RagApp, Settings
from ragapp.catalog.rows import OriginRow
from ragapp.embed.dense import DenseEmbedder
from ragapp.errors import SourceUnavailable, Unreadable

SECRET = "The merger with the Ostrava foundry is signed in May"


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[DenseEmbedder]:
    """Loaded once for all."""
    with RagApp(Settings(data=tmp_path_factory.mktemp("embedder")), models_dir=models_dir) as app:
        yield app.embedder


def opened(settings: Settings, models_dir: Path, embedder: DenseEmbedder) -> RagApp:
    app = RagApp(settings, models_dir=models_dir)
    app._parts["embedder"] = embedder
    return app


@pytest.fixture
def app(tmp_path: Path, models_dir: Path, embedder: DenseEmbedder) -> Iterator[RagApp]:
    """A data folder that holds a document for the board, and settings that name a file with a secret."""
    key = tmp_path / "keys" / "qdrant.txt"
    key.parent.mkdir()
    key.write_text(f"{SECRET} key")
    settings = Settings(data=tmp_path / "data", serve={"oidc": {"client_secret_file": key}})
    (tmp_path / "merger.md").write_text(f"# Merger\n\n{SECRET}.\n")
    with opened(settings, models_dir, embedder) as app:
        app.ingest(tmp_path / "merger.md", collection="board", groups=["board"])
        yield app


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder that a job is given, with one harmless file."""
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "hello.md").write_text("# Hello\n\nThe office opens at 7:45.\n")
    return folder


def original(app: RagApp) -> Path:
    (row,) = app.catalog.documents(collection="board")
    return app.files.original(row.sha256)


def taken_in(app: RagApp) -> list[str]:
    """What is in besides the board's document, by the end of its name."""
    return [Path(row.source).name for row in app.catalog.documents(collection="default") if row.state == "live"]


def reasons(app: RagApp, share: Path) -> str:
    report = app.ingest(share, groups=["everyone"])
    assert "hello.md" in taken_in(app), "the rest of the run goes on"
    return " ".join(each.reason for each in (*report.skipped, *report.failed))


class TestGivenByName:
    @pytest.mark.parametrize("part", ["", "catalog.db", "originals", "secret", "scratch/../catalog.db"])
    def test_the_data_folder_and_what_lies_in_it(self, app: RagApp, part: str) -> None:
        (app.settings.data / "secret").write_text(SECRET)
        (app.settings.data / "scratch").mkdir(exist_ok=True)
        with pytest.raises(Unreadable, match="own data folder"):
            app.ingest(app.settings.data / part)
        with pytest.raises(Unreadable, match="own data folder"):
            app.intake.note_paths([app.settings.data / part], "default", frozenset({"everyone"}))
        assert [job.command for job in app.catalog.jobs.list()] == [f"ingest {app.settings.data.parent / 'merger.md'}"]

    def test_a_link_to_it(self, app: RagApp, share: Path) -> None:
        for target in (original(app), app.settings.data, app.settings.data / "originals"):
            link = share / "link"
            link.symlink_to(target)
            with pytest.raises(Unreadable, match="own data folder"):
                app.ingest(link)
            link.unlink()
        (share / "there").symlink_to(app.settings.data.parent)
        with pytest.raises(Unreadable, match="own data folder"):
            app.ingest(share / "there" / "data" / "catalog.db")

    def test_an_open_file_by_its_number(self, app: RagApp) -> None:
        with original(app).open() as held, pytest.raises(Unreadable, match="own data folder"):
            app.ingest(f"/proc/self/fd/{held.fileno()}")

    def test_a_file_with_a_secret(self, app: RagApp) -> None:
        key = app.settings.serve.oidc.client_secret_file
        assert key
        with pytest.raises(Unreadable, match="a secret or a setting"):
            app.ingest(key)

    @pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self", "/sys/kernel", "/proc/version"])
    def test_the_kernels_own_files(self, app: RagApp, path: str) -> None:
        with pytest.raises(Unreadable, match="kernel's own"):
            app.ingest(path)

    def test_a_pipe_or_a_device_holds_nobody_up(self, app: RagApp, share: Path) -> None:
        os.mkfifo(share / "pipe")
        for path in (share / "pipe", Path("/dev/zero")):
            with pytest.raises(Unreadable, match="neither a file nor a folder"):
                app.ingest(path)

    @pytest.mark.parametrize("scheme", ["", "file://", "local://"])
    def test_as_a_source(self, app: RagApp, share: Path, scheme: str) -> None:
        (share / "link").symlink_to(app.settings.data)
        for place in (app.settings.data, app.settings.data / "originals", share / "link"):
            with pytest.raises(SourceUnavailable, match="own data folder"):
                app.intake.add(OriginRow("s", f"{scheme}{place}", groups=frozenset({"everyone"})))

    @pytest.mark.parametrize(
        "url",
        ["asynclocal://{}", "dir://{}", "simplecache://{}", "reference://{}", "zip://{}", "git://{}", "FILE://{}"],
    )
    def test_by_another_of_fsspecs_ways_to_this_machine(self, app: RagApp, url: str) -> None:
        with pytest.raises(SourceUnavailable):
            app.intake.add(OriginRow("s", url.format(app.settings.data), groups=frozenset({"everyone"})))
        with pytest.raises(SourceUnavailable):
            app.intake.add(OriginRow("s", f"simplecache::file://{app.settings.data}", groups=frozenset({"everyone"})))


class TestMetOnTheWay:
    def test_the_data_folder_within_a_folder_is_passed_over(self, app: RagApp, share: Path, tmp_path: Path) -> None:
        report = app.ingest(tmp_path, groups=["everyone"])
        assert sorted(taken_in(app)) == ["hello.md", "merger.md"]
        left = {each.source: each.reason for each in report.skipped}
        assert "own data folder" in left[str(app.settings.data)]
        assert "a secret or a setting" in left[str(app.settings.serve.oidc.client_secret_file)]
        assert not report.failed

    def test_a_link_to_where_the_walk_does_not_go(
        self, tmp_path: Path, models_dir: Path, embedder: DenseEmbedder, share: Path
    ) -> None:
        """Links to hidden things within the folder are followed, and `.data` is one."""
        with opened(Settings(data=share / ".data"), models_dir, embedder) as app:
            (tmp_path / "merger.md").write_text(f"# Merger\n\n{SECRET}.\n")
            app.ingest(tmp_path / "merger.md", collection="board", groups=["board"])
            (share / "a.md").symlink_to(original(app))
            (share / "all").symlink_to(share / ".data" / "originals")
            assert "own data folder" in reasons(app, share)
            assert taken_in(app) == ["hello.md"]

    def test_a_hard_link(self, app: RagApp, share: Path) -> None:
        key = app.settings.serve.oidc.client_secret_file
        assert key
        (app.settings.data / "secret").write_text(SECRET)
        for name, place in (("a.md", original(app)), ("b.md", app.settings.data / "secret"), ("c.md", key)):
            os.link(place, share / name)
        told = reasons(app, share)
        assert told.count("own data folder") == 2 and "a secret or a setting" in told
        assert taken_in(app) == ["hello.md"]

    def test_a_copy_is_a_file_of_its_own(self, app: RagApp, share: Path) -> None:
        shutil.copy(original(app), share / "copy.md")
        assert reasons(app, share) == ""
        assert sorted(taken_in(app)) == ["copy.md", "hello.md"]

    def test_a_folder_under_another_mount(self, app: RagApp, share: Path) -> None:
        for place in ("data", "data/originals", original(app).relative_to(share.parent).parent):
            view = share / "view"
            view.mkdir(exist_ok=True)
            bound = subprocess.run(["mount", "--bind", str(share.parent / place), str(view)], capture_output=True)
            if bound.returncode:
                pytest.skip("no mounts are allowed here")
            try:
                assert "own data folder" in reasons(app, share)
                assert taken_in(app) == ["hello.md"]
                with pytest.raises(Unreadable, match="own data folder"):
                    app.ingest(next(path for path in view.rglob("*") if path.is_file()))
            finally:
                subprocess.run(["umount", str(view)], check=True)


def to_a_link(harmless: Path, hidden: Path) -> None:
    harmless.unlink()
    harmless.symlink_to(hidden)


def to_a_hard_link(harmless: Path, hidden: Path) -> None:
    harmless.unlink()
    os.link(hidden, harmless)


def to_a_linked_folder(harmless: Path, hidden: Path) -> None:
    """The folder above it is exchanged, and holds what has its name."""
    shutil.rmtree(harmless.parent)
    harmless.parent.symlink_to(hidden.parent)


def to_a_pipe(harmless: Path, _: Path) -> None:
    harmless.unlink()
    os.mkfifo(harmless)


@pytest.mark.parametrize("as_source", [False, True], ids=["ingest", "sync"])
@pytest.mark.parametrize("exchange", [to_a_link, to_a_hard_link, to_a_linked_folder, to_a_pipe])
def test_what_is_exchanged_between_the_listing_and_the_reading(
    app: RagApp,
    share: Path,
    exchange: Callable[[Path, Path], None],
    as_source: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden = original(app)
    harmless = share / "below" / hidden.name
    harmless.parent.mkdir()
    # of one size, so that a look at that tells nothing
    harmless.write_bytes(b"x" * hidden.stat().st_size)
    from ingest.jobs import sync

    listed = sync.make_plan

    def exchanged(*arguments: object, **named: object) -> object:
        planned = listed(*arguments, **named)  # type: ignore[arg-type]
        exchange(harmless, hidden)
        return planned

    monkeypatch.setattr("ingest.jobs.sync.make_plan", exchanged)
    if as_source:
        app.intake.add(OriginRow("s", str(share), groups=frozenset({"everyone"})))
        report = app.intake.sync("s")
    else:
        report = app.ingest(share, groups=["everyone"])
    assert taken_in(app) == ["hello.md"]
    assert [Path(failed.source).name for failed in report.failed] == [harmless.name]
    assert "Ostrava" not in " ".join(passage.text for passage in app.search("Ostrava foundry merger"))


def test_which_files_hold_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("data: /nowhere\n")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host files\n  IdentityFile /srv/keys/backup\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    key = tmp_path / "key"
    settings = Settings(profile=str(own), index={"api_key_file": key})
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/srv/token", "GOOGLE_APPLICATION_CREDENTIALS": "/srv/g.json"}
    found = [str(path) for path in secret_places(settings, environment)]
    assert {str(key), str(own), "/srv/token", "/srv/g.json", "/srv/keys/backup", "~/.ssh", "~/.aws"} <= set(found)
    packaged = Settings(data=tmp_path)
    assert not [path for path in secret_places(packaged, {}) if path.suffix == ".yaml"], "profiles of the package"


def test_a_source_without_protection_is_read_as_ever(tmp_path: Path, share: Path) -> None:
    with open_origin(str(share), scratch=tmp_path / "scratch", protected=Protected(tmp_path / "data")) as origin:
        (entry,) = origin.list()
        with origin.fetch(entry) as held:  # type: ignore[arg-type]
            assert held.read_bytes() == (share / "hello.md").read_bytes()


def test_what_left_the_data_folder_is_nothing_of_its_own_any_more(tmp_path: Path) -> None:
    # as a new file has the number of one that went a moment ago
    (tmp_path / "data" / "scratch" / "old").mkdir(parents=True)
    (tmp_path / "data" / "scratch" / "old" / "note.md").write_text("The office opens at 7:45.")
    protected = Protected(tmp_path / "data")
    assert protected.of_path(tmp_path / "data" / "scratch" / "old" / "note.md")
    (tmp_path / "data" / "scratch" / "old").rename(tmp_path / "share")
    assert not protected.of_path(tmp_path / "share")
    assert not protected.of_path(tmp_path / "share" / "note.md")
    with protected.opened(tmp_path / "share" / "note.md") as held:
        assert held.read_text() == "The office opens at 7:45."
