"""S3 as a source, against a real HTTP server: listing by pages, etags, changes during a fetch, and plain refusals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from ingest.origins.open import open_origin
from ingest.origins.origin import Entry, NotListed, Origin
from ingest.origins.pathrules import PathRules
from ragapp.errors import PassingFault, SourceUnavailable


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    client = boto3.client("s3", endpoint_url=endpoint)
    httpx.post(f"{endpoint}/moto-api/reset")
    client.create_bucket(Bucket="docs")
    return client


def put(s3: Any, **files: bytes) -> None:
    for key, body in files.items():
        s3.put_object(Bucket="docs", Key=key, Body=body)


def entries(origin: Origin) -> dict[str, Entry]:
    return {found.url: found for found in origin.list() if isinstance(found, Entry)}


def test_files_are_listed_below_the_prefix_and_fetched(s3: Any, tmp_path: Path) -> None:
    put(s3, **{"hr/pay ü.txt": b"pay", "hr/sub/b.txt": b"bb", "other/c.txt": b"c"})
    with open_origin("s3://docs/hr", scratch=tmp_path / "scratch") as origin:
        found = entries(origin)
        assert list(found) == ["s3://docs/hr/pay ü.txt", "s3://docs/hr/sub/b.txt"]
        with origin.fetch(found["s3://docs/hr/sub/b.txt"]) as path:
            assert path.read_bytes() == b"bb"
        assert list((tmp_path / "scratch").iterdir()) == []


def test_more_keys_than_a_page_holds(s3: Any, tmp_path: Path) -> None:
    put(s3, **{f"{number:05}.txt": b"x" for number in range(1203)})
    with open_origin("s3://docs", scratch=tmp_path) as origin:
        found = list(entries(origin))
    assert len(found) == 1203
    assert found == sorted(found)


def test_a_fingerprint_changes_with_the_bytes_alone(s3: Any, tmp_path: Path) -> None:
    put(s3, a=b"1", b=b"1")
    with open_origin("s3://docs", scratch=tmp_path) as origin:
        before = entries(origin)
        put(s3, a=b"2", b=b"1")
        after = entries(origin)
    assert before["s3://docs/a"].fingerprint != after["s3://docs/a"].fingerprint
    assert before["s3://docs/b"].fingerprint == after["s3://docs/b"].fingerprint


@pytest.mark.parametrize("versioned", [False, True])
def test_an_object_overwritten_after_the_listing_is_not_taken_for_the_listed_one(
    s3: Any, tmp_path: Path, versioned: bool
) -> None:
    if versioned:
        s3.put_bucket_versioning(Bucket="docs", VersioningConfiguration={"Status": "Enabled"})
    put(s3, a=b"one")
    with open_origin("s3://docs", scratch=tmp_path) as origin:
        listed = entries(origin)["s3://docs/a"]
        put(s3, a=b"two")
        with pytest.raises(PassingFault, match="changed while it was read"), origin.fetch(listed):
            pass
        s3.delete_object(Bucket="docs", Key="a")
        with pytest.raises(PassingFault, match="gone now"), origin.fetch(listed):
            pass
        assert entries(origin) == {}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("fetched-")]


def test_hostile_names_never_become_paths_here(s3: Any, tmp_path: Path) -> None:
    scratch = tmp_path / "deep" / "scratch"
    names = ["a/../../../x.txt", "a//b.txt", "./c.txt", "folder/", "tab\tname.txt", "a\\b.txt", ".git/config"]
    put(s3, **dict.fromkeys(names, b"x"))
    with open_origin("s3://docs", scratch=scratch) as origin:
        found = list(origin.list())
        for entry in found:
            if isinstance(entry, Entry):
                with origin.fetch(entry) as path:
                    assert path.parent == scratch
    taken = {entry.url for entry in found if isinstance(entry, Entry)}
    assert taken == {"s3://docs/tab\\x09name.txt", "s3://docs/a\\b.txt"}
    left = {entry.source: entry.failed for entry in found if isinstance(entry, NotListed)}
    assert left == {
        "s3://docs/a/../../../x.txt": True,
        "s3://docs/a//b.txt": True,
        "s3://docs/./c.txt": True,
        "s3://docs/folder/": False,
        "s3://docs/.git/config": False,
    }
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_patterns_and_rules_by_path(s3: Any, tmp_path: Path) -> None:
    put(s3, **{"hr/a.pdf": b"x", "hr/a.tmp": b"x", "all/b.pdf": b"x", "all/c.txt": b"x"})
    rules = PathRules([("**", frozenset({"staff"})), ("hr/**", frozenset({"hr"}))])
    with open_origin(
        "s3://docs", include=["*.pdf", "*.tmp"], exclude=["*.tmp"], rules=rules, scratch=tmp_path
    ) as origin:
        assert {url: entry.groups for url, entry in entries(origin).items()} == {
            "s3://docs/all/b.pdf": frozenset({"staff"}),
            "s3://docs/hr/a.pdf": frozenset({"hr"}),
        }


def test_an_empty_bucket_is_no_error_and_a_missing_one_is(s3: Any, tmp_path: Path) -> None:
    with open_origin("s3://docs", scratch=tmp_path) as origin:
        assert list(origin.list()) == []
    with pytest.raises(SourceUnavailable, match="no bucket nowhere"):
        open_origin("s3://nowhere/x", scratch=tmp_path)


def test_an_endpoint_in_the_url_is_used_and_not_part_of_names(
    s3: Any, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    put(s3, a=b"1")
    with open_origin(f"s3://docs?endpoint_url={endpoint}", scratch=tmp_path) as origin:
        assert list(entries(origin)) == ["s3://docs/a"]


def test_a_server_that_is_not_there_is_said(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="can't be reached"):
        open_origin("s3://docs?endpoint_url=http://127.0.0.1:1", scratch=tmp_path)


def test_no_credentials_are_said(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceUnavailable, match="AWS_ACCESS_KEY_ID"):
        open_origin("s3://docs", scratch=tmp_path)


def test_refused_credentials_are_said_and_not_printed(s3: Any, endpoint: str, tmp_path: Path) -> None:
    # from the next request on, moto checks who asks
    httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0")
    try:
        with pytest.raises(SourceUnavailable, match="credentials") as refused:
            open_origin("s3://docs", scratch=tmp_path)
    finally:
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"inf")
    assert "secret-of-test" not in str(refused.value)


def test_a_listing_that_breaks_off_is_no_short_listing(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, **{f"{number:05}": b"x" for number in range(1001)})
    with open_origin("s3://docs", scratch=tmp_path) as origin:
        listing = origin.list()
        next(listing)
        s3.delete_objects(Bucket="docs", Delete={"Objects": [{"Key": f"{n:05}"} for n in range(1000)]})
        s3.delete_object(Bucket="docs", Key="01000")
        s3.delete_bucket(Bucket="docs")
        with pytest.raises(SourceUnavailable):
            list(listing)
