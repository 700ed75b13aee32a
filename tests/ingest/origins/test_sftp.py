"""SFTP as a source, against a real sshd with keys made for the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.origins.open import open_origin
from ingest.origins.origin import Entry, NotListed, Origin
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import Selection
from ingest.origins.remote import Remote
from ingest.origins.sftp import Sftp
from ragapp.errors import PassingFault, SourceUnavailable

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd here (apt-get install openssh-server)")

USER = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Server:
    port: int
    home: Path
    process: subprocess.Popen[bytes]

    def url(self, folder: Path) -> str:
        return f"sftp://{USER}@127.0.0.1:{self.port}{folder}"


def keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("sshd")
    home = place / "home"
    (home / ".ssh").mkdir(parents=True)
    keygen(place / "host")
    keygen(home / ".ssh" / "id_ed25519")
    shutil.copy(home / ".ssh" / "id_ed25519.pub", place / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\n"
        f"PidFile {place}/pid\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nSubsystem sftp internal-sftp\n"
        "PermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    kind, key = (place / "host.pub").read_text().split()[:2]
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(place / "config")], stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    else:
        pytest.skip(f"sshd does not start here: {(place / 'log').read_text()[-300:]}")
    yield Server(port, home, process)
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture(autouse=True)
def home(sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sshd.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share" / "hr").mkdir(parents=True)
    (tmp_path / "share" / "a ü.txt").write_text("a")
    (tmp_path / "share" / "hr" / "b.txt").write_text("bb" * 500_000)
    return tmp_path / "share"


def entries(origin: Origin) -> dict[str, Entry]:
    return {found.url.partition("/share")[2]: found for found in origin.list() if isinstance(found, Entry)}


def test_files_are_listed_and_fetched_without_user_in_their_names(sshd: Server, share: Path, tmp_path: Path) -> None:
    with open_origin(sshd.url(share), scratch=tmp_path / "scratch") as origin:
        found = entries(origin)
        assert list(found) == ["/a ü.txt", "/hr/b.txt"]
        assert found["/a ü.txt"].url == f"sftp://127.0.0.1:{sshd.port}{share}/a ü.txt"
        with origin.fetch(found["/hr/b.txt"]) as path:
            assert path.read_text() == "bb" * 500_000
    assert list((tmp_path / "scratch").iterdir()) == []


def test_files_of_one_size_and_time_have_fingerprints_of_their_own(sshd: Server, share: Path, tmp_path: Path) -> None:
    for name in ("x", "y"):
        (share / name).write_text(name)
        os.utime(share / name, (1_000_000, 1_000_000))
    with open_origin(sshd.url(share), scratch=tmp_path / "scratch") as origin:
        found = entries(origin)
        assert found["/x"].fingerprint != found["/y"].fingerprint
        # a path on the server is none of this machine
        assert origin.digest(found["/x"]) is None


def test_links_pipes_hidden_files_and_odd_names(sshd: Server, share: Path, tmp_path: Path) -> None:
    (share / "out").symlink_to(tmp_path)
    os.mkfifo(share / "pipe")
    (share / ".secret").write_text("x")
    (share / os.fsdecode(b"bad\xff.txt")).write_text("bad")
    with open_origin(sshd.url(share), scratch=tmp_path / "scratch") as origin:
        found = entries(origin)
        with origin.fetch(found["/bad\\xff.txt"]) as path:
            assert path.read_text() == "bad"
        left = {one.source.rpartition("/")[2]: one.failed for one in origin.list() if isinstance(one, NotListed)}
    assert left == {"out": False, "pipe": False, ".secret": False}


def test_a_file_changed_since_the_listing_is_not_taken(sshd: Server, share: Path, tmp_path: Path) -> None:
    with open_origin(sshd.url(share), scratch=tmp_path / "scratch") as origin:
        listed = entries(origin)["/a ü.txt"]
        (share / "a ü.txt").write_text("longer")
        with pytest.raises(PassingFault, match="changed"), origin.fetch(listed):
            pass
        (share / "a ü.txt").unlink()
        with pytest.raises(PassingFault, match="gone"), origin.fetch(listed):
            pass


def test_an_unknown_host_key_is_refused_with_the_command_that_adds_it(
    sshd: Server, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sshd.home, tmp_path / "home")
    (tmp_path / "home" / ".ssh" / "known_hosts").unlink()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(SourceUnavailable, match=f"ssh-keyscan -p {sshd.port} 127.0.0.1"):
        open_origin(sshd.url(share), scratch=tmp_path)


def test_another_host_key_than_the_known_one_is_refused(
    sshd: Server, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sshd.home, tmp_path / "home")
    keygen(tmp_path / "other")
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(SourceUnavailable, match="another host key"):
        open_origin(sshd.url(share), scratch=tmp_path)


def test_a_user_without_a_key_is_refused(
    sshd: Server, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    shutil.copy(sshd.home / ".ssh" / "known_hosts", tmp_path / "home" / ".ssh" / "known_hosts")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(SourceUnavailable, match="refuses this user"):
        open_origin(sshd.url(share), scratch=tmp_path)


def test_names_ports_and_keys_come_from_the_ssh_config(
    sshd: Server, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sshd.home, tmp_path / "home")
    ssh = tmp_path / "home" / ".ssh"
    (ssh / "id_ed25519").rename(ssh / "own-key")
    (ssh / "config").write_text(
        f"Host files\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {USER}\n  IdentityFile {ssh}/own-key\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with open_origin(f"sftp://files{share}", scratch=tmp_path / "scratch") as origin:
        assert entries(origin)["/a ü.txt"].url == f"sftp://files{share}/a ü.txt"


def test_a_missing_folder_and_a_missing_server_are_said(sshd: Server, share: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no such folder"):
        open_origin(sshd.url(share / "nowhere"), scratch=tmp_path)
    with pytest.raises(SourceUnavailable, match="can't be reached"):
        open_origin("sftp://127.0.0.1:1/x", scratch=tmp_path)


def test_an_empty_folder_is_no_error(sshd: Server, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with open_origin(sshd.url(tmp_path / "empty"), scratch=tmp_path) as origin:
        assert list(origin.list()) == []


def test_a_lost_connection_is_made_again(sshd: Server, share: Path, tmp_path: Path) -> None:
    store = Sftp(sshd.url(share))
    with Remote(store, Selection(), PathRules(), tmp_path / "scratch", sleep=lambda _: None) as origin:
        found = entries(origin)
        transport = store._client.get_transport()
        assert transport
        transport.close()
        with origin.fetch(found["/a ü.txt"]) as path:
            assert path.read_text() == "a"
        assert entries(origin) == found


def test_a_server_that_went_away_for_good_is_a_fault_that_may_pass(
    sshd: Server, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Sftp(sshd.url(share))
    with Remote(store, Selection(), PathRules(), tmp_path / "scratch", sleep=lambda _: None) as origin:
        found = entries(origin)
        store._client.close()
        store._place = "127.0.0.1", 1, None
        with pytest.raises(PassingFault, match="can't be reached"), origin.fetch(found["/a ü.txt"]):
            pass


def test_a_connection_shows_that_it_is_alive(sshd: Server, share: Path) -> None:
    store = Sftp(sshd.url(share))
    transport = store._client.get_transport()
    assert transport and transport.packetizer._Packetizer__keepalive_interval == 30
    store.close()


def test_a_lost_connection_is_no_short_listing(sshd: Server, share: Path, tmp_path: Path) -> None:
    with open_origin(sshd.url(share), scratch=tmp_path) as origin:
        listing = origin.list()
        next(listing)
        origin.__exit__(None, None, None)
        with pytest.raises(SourceUnavailable):
            list(listing)
