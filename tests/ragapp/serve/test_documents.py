"""Documents over HTTP: sent, read, shown to groups, taken away, each by those who may."""

from __future__ import annotations

import io
import socket
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from ragapp.types import document_id

from .conftest import Service, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples" / "documents"


def send(client: httpx.Client, files: dict[str, bytes], collection: str = "default") -> httpx.Response:
    return client.post(
        "/v1/documents",
        data={"collection": collection},
        files=[("files", (name, content)) for name, content in files.items()],
    )


def ended(client: httpx.Client, job_id: int) -> dict[str, Any]:
    """The job when it is done."""
    wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] not in ("waiting", "running"))
    return client.get(f"/v1/jobs/{job_id}").json()


def taken_in(client: httpx.Client, files: dict[str, bytes], collection: str = "default") -> dict[str, Any]:
    answer = send(client, files, collection)
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


@pytest.fixture
def a_pdf() -> bytes:
    return min(EXAMPLES.rglob("*.pdf"), key=lambda path: path.stat().st_size).read_bytes()


def test_what_is_sent_is_found_by_those_of_its_collection(office: Service) -> None:
    with office.signed_in("ada") as ada, office.signed_in("bob") as bob:
        done = taken_in(ada, {"notes/zinc.md": b"# Zinc\n\nThe price of zinc rose to 2700 dollars."}, "board")
        assert (done["state"], done["added"], done["failed"]) == ("finished", 1, 0)
        (found,) = ada.get("/v1/documents", params={"find": "zinc"}).json()["documents"]
        assert (found["source"], found["groups"], found["may_change"]) == ("notes/zinc.md", ["board"], True)
        assert ada.get("/v1/search", params={"query": "price of zinc"}).json()["passages"][0]["title"] == "Zinc"
        assert bob.get("/v1/documents", params={"find": "zinc"}).json() == {"documents": [], "next": None, "total": 0}
        for path in ("", "/text", "/chunks", "/original", "/pages/1", "/pages/1/boxes?start=0&end=9"):
            answer = bob.get(f"/v1/documents/{found['id']}{path}")
            assert answer.status_code == 404, path
            assert "zinc" not in answer.text.lower()
    assert not list((office.house.data / "uploads").iterdir()), "what was sent lies about"


def test_a_new_version_of_a_file_replaces_it_and_is_read_under_its_number(office: Service) -> None:
    with office.signed_in("root") as root:
        assert taken_in(root, {"rates.md": b"# Rates\n\nThe day rate is 900 euro."})["added"] == 1
        assert taken_in(root, {"rates.md": b"# Rates\n\nThe day rate is 950 euro."})["changed"] == 1
        key = document_id("default", "rates.md")
        live = root.get(f"/v1/documents/{key}").json()["revision"]
        for asked in ({}, {"revision": live}):
            assert "950" in root.get(f"/v1/documents/{key}/text", params=asked).json()["text"]
            assert b"950" in root.get(f"/v1/documents/{key}/original", params=asked).content
        assert root.get(f"/v1/documents/{key}/text", params={"revision": 9}).status_code == 404
        assert taken_in(root, {"rates.md": b"# Rates\n\nThe day rate is 950 euro."})["unchanged"] == 1


def test_a_page_as_picture_with_the_boxes_of_a_span(office: Service, a_pdf: bytes) -> None:
    with office.signed_in("root") as root:
        taken_in(root, {"page.pdf": a_pdf})
        key = document_id("default", "page.pdf")
        text = root.get(f"/v1/documents/{key}/text").json()
        first = text["text"].split()[0]
        span = {"start": text["text"].index(first), "end": text["text"].index(first) + len(first)}
        boxes = root.get(f"/v1/documents/{key}/pages/1/boxes", params=span).json()
        assert len(boxes["boxes"]) == 1
        (box,) = boxes["boxes"]
        assert 0 <= box["x0"] < box["x1"] <= boxes["width"] and 0 <= box["y0"] < box["y1"] <= boxes["height"]
        drawn = root.get(f"/v1/documents/{key}/pages/1", params={"width": 600})
        picture = Image.open(io.BytesIO(drawn.content)).convert("L")
        assert drawn.headers["content-type"] == "image/png" and picture.width == 600
        scale = 600 / boxes["width"]
        word = picture.crop(tuple(round(box[side] * scale) for side in ("x0", "y0", "x1", "y1")))
        assert min(word.getdata()) < 128, "there is ink where the word stands"
        chunks = root.get(f"/v1/documents/{key}/chunks").json()
        assert chunks["total"] == len(chunks["chunks"]) and chunks["chunks"][0]["boxes"][0]["page"] == 1
        assert root.get(f"/v1/documents/{key}/pages/9999").status_code == 422
        assert root.get(f"/v1/documents/{key}/pages/9999/boxes", params=span).status_code == 404


def test_a_chunk_is_drawn_where_its_words_stand_and_not_between(office: Service, tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "sheet.pdf"), pagesize=(400, 600))
    for height in (560, 546, 40):
        canvas.drawString(40, height, "The crane is inspected in May.")
    canvas.save()
    office.house.rag.ingest(tmp_path / "sheet.pdf")
    with office.signed_in("root") as root:
        key = root.get("/v1/documents", params={"find": "sheet"}).json()["documents"][0]["id"]
        (chunk,) = root.get(f"/v1/documents/{key}/chunks").json()["chunks"]
    head, foot = chunk["boxes"]
    assert head["y1"] < 70 and head["y1"] - head["y0"] > 20, "two lines are one block"
    assert foot["y0"] > 500


def test_what_has_no_pages_is_not_drawn(office: Service) -> None:
    with office.signed_in("root") as root:
        (known, *_) = root.get("/v1/documents", params={"collection": "default"}).json()["documents"]
        answer = root.get(f"/v1/documents/{known['id']}/pages/1")
        assert answer.status_code == 422 and "PDF" in answer.json()["detail"]
        assert root.get("/health/live").status_code == 200


def test_the_original_is_downloaded_and_never_shown(office: Service) -> None:
    hostile = b"<html><script>alert(1)</script><h1>Offer</h1><p>The offer ends in June.</p></html>"
    with office.signed_in("root") as root:
        taken_in(root, {'of"fer\r\nX-Evil: 1é.html': hostile})
        (found,) = root.get("/v1/documents", params={"find": "fer"}).json()["documents"]
        answer = root.get(f"/v1/documents/{found['id']}/original")
        assert answer.content == hostile
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "x-evil" not in answer.headers
        assert "script" not in root.get(f"/v1/documents/{found['id']}/text").json()["text"]


def test_a_change_of_groups_holds_with_the_next_request(office: Service) -> None:
    with office.signed_in("ada") as ada, office.signed_in("bob") as bob:
        (merger,) = ada.get("/v1/documents", params={"collection": "board"}).json()["documents"]
        assert bob.get(f"/v1/documents/{merger['id']}").status_code == 404
        shown = ada.put(f"/v1/documents/{merger['id']}/groups", json={"groups": ["everyone"]})
        assert shown.json()["groups"] == ["everyone"]
        assert bob.get(f"/v1/documents/{merger['id']}").json()["groups"] == [], "whom it is shown to is no reader's"
        assert "Ostrava" in bob.get(f"/v1/documents/{merger['id']}/text").json()["text"]
        ada.put(f"/v1/documents/{merger['id']}/groups", json={"groups": ["board"]})
        assert bob.get(f"/v1/documents/{merger['id']}/text").status_code == 404
        assert ada.put(f"/v1/documents/{merger['id']}/groups", json={"groups": ["conversation/x"]}).status_code == 422


def test_a_curator_changes_nothing_outside_their_collections(office: Service) -> None:
    with office.signed_in("ada") as ada, office.signed_in("bob") as bob:
        (travel, *_) = ada.get("/v1/documents", params={"collection": "default"}).json()["documents"]
        assert travel["may_change"] is False
        assert ada.delete(f"/v1/documents/{travel['id']}").status_code == 403
        assert ada.put(f"/v1/documents/{travel['id']}/groups", json={"groups": ["board"]}).status_code == 403
        assert send(ada, {"a.md": b"# A"}, "default").status_code == 403
        assert send(bob, {"a.md": b"# A"}, "default").status_code == 403


def test_an_admin_lists_what_their_groups_do_not_read(office: Service) -> None:
    with office.signed_in("root") as root:
        (merger,) = root.get("/v1/documents", params={"collection": "board"}).json()["documents"]
        assert merger["groups"] == ["board"]
        assert root.get(f"/v1/documents/{merger['id']}/text").status_code == 404


def test_removing_says_first_what_goes(office: Service) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/one.md", "# One\n\nQuokkas sleep by day.")
        archive.writestr("two.md", "# Two\n\nQuokkas eat grass.")
    with office.signed_in("root") as root:
        taken_in(root, {"animals.zip": packed.getvalue()})
        key = document_id("default", "animals.zip")
        planned = root.get(f"/v1/documents/{key}/removal").json()
        assert (planned["documents"], planned["members"]) == (3, 2)
        assert root.delete(f"/v1/documents/{key}").status_code == 204
        assert root.get("/v1/documents", params={"find": "animals"}).json()["total"] == 0
        assert root.get(f"/v1/documents/{key}").status_code == 404
        passages = root.get("/v1/search", params={"query": "quokkas"}).json()["passages"]
        assert not any("Quokkas" in passage["text"] for passage in passages)


def test_what_goes_does_not_tell_who_else_has_the_same_bytes(office: Service) -> None:
    guessed = {"guess.md": b"# Plan\n\nThe firm buys a second foundry."}
    with office.signed_in("root") as root, office.signed_in("ada") as ada:
        root.put("/v1/collections/secret", json={"groups": ["nobody"]})
        taken_in(ada, guessed, "board")
        path = f"/v1/documents/{document_id('board', 'guess.md')}/removal"
        before = ada.get(path).json()
        taken_in(root, guessed, "secret")
        assert ada.get(path).json() == before
        assert (root.get(path).json()["shared"], root.get(path).json()["bytes"]) == (1, 0)
        taken_in(ada, {"again.md": guessed["guess.md"]}, "board")
        assert ada.get(path).json()["shared"] == 1


def test_what_is_redacted_does_not_tell_who_else_has_the_same_bytes(office: Service) -> None:
    guessed = b"# Plan\n\nThe firm buys a second foundry."
    with office.signed_in("root") as root, office.signed_in("ada") as ada:
        root.put("/v1/collections/secret", json={"groups": ["nobody"]})
        taken_in(ada, {"guess.md": guessed}, "board")
        taken_in(ada, {"guess.md": b"# Plan\n\nIt buys none."}, "board")
        path = f"/v1/documents/{document_id('board', 'guess.md')}/redaction"
        before = ada.get(path).json()
        assert (before["bytes"], before["shared"]) == (len(guessed), 0)
        taken_in(root, {"guess.md": guessed}, "secret")
        assert ada.get(path).json() == before
        assert (root.get(path).json()["shared"], root.get(path).json()["bytes"]) == (1, 0)
        # nor how many answers of others rest on it, which hangs on what else those were shown
        assert (before["answers"], root.get(path).json()["answers"]) == (None, 0)
        assert ada.post(path).json() == before
        original = f"/v1/documents/{document_id('secret', 'guess.md')}/original"
        root.put(f"/v1/documents/{document_id('secret', 'guess.md')}/groups", json={"groups": ["everyone"]})
        assert root.get(original).content == guessed, "what another document needs stays all the same"


def test_a_list_comes_in_pages(office: Service) -> None:
    with office.signed_in("root") as root:
        taken_in(root, {f"{number:02}.md": f"# N{number}".encode() for number in range(7)})
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = root.get("/v1/documents", params={"limit": 3, "after": after}).json()
            seen += [document["source"] for document in page["documents"]]
            after = page["next"]
        assert len(seen) == len(set(seen)) == page["total"] == 10


def test_a_place_in_a_list_can_not_be_made_up(office: Service) -> None:
    hidden = document_id("board", next(row.source for row in office.house.catalog.documents(collection="board")))
    with office.signed_in("root") as root, office.signed_in("bob") as bob:
        taken_in(root, {f"{number:02}.md": f"# N{number}".encode() for number in range(4)})

        def listed(client: httpx.Client, **asked: object) -> httpx.Response:
            return client.get("/v1/documents", params={"limit": 2, **asked})

        place = listed(bob).json()["next"]
        assert hidden not in place
        assert listed(bob, after=place).json()["documents"][0]["source"] == "00.md"
        shown = listed(bob).json()["documents"][0]["id"]
        refused = [
            listed(bob, after=made_up)
            for made_up in (hidden, shown, document_id("board", "nothing"), "x", "%", "=", f"{place}A", place[:-2],
                            f"A{place[1:]}", place.swapcase(), "é", "A" * 9000)
        ]  # fmt: skip
        # another's, and one's own of a list of other things
        refused += [listed(root, after=place), listed(bob, after=place, find="0")]
        refused += [listed(bob, after=place, collection="default"), listed(bob, after=place, state="live")]
        assert {answer.status_code for answer in refused} == {422}
        assert len({answer.json()["detail"] for answer in refused}) == 1


def test_a_place_in_a_list_stays_when_the_document_there_goes(office: Service) -> None:
    with office.signed_in("root") as root:
        taken_in(root, {f"{number:02}.md": f"# N{number}".encode() for number in range(6)})
        page = root.get("/v1/documents", params={"limit": 3, "collection": "default"}).json()
        assert root.delete(f"/v1/documents/{page['documents'][-1]['id']}").status_code == 204
        then = root.get("/v1/documents", params={"limit": 9, "collection": "default", "after": page["next"]}).json()
        assert [document["source"] for document in then["documents"]] == [f"{number:02}.md" for number in range(1, 6)]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\..\\etc\\passwd"])
def test_a_name_leads_nowhere(office: Service, name: str) -> None:
    with office.signed_in("root") as root:
        taken_in(root, {name: b"root:x:0:0 is only text"})
        (found,) = root.get("/v1/documents", params={"find": "passwd"}).json()["documents"]
        assert found["source"] == "etc/passwd"


def test_what_can_not_be_read_is_a_row_with_a_reason(office: Service) -> None:
    with office.signed_in("root") as root, office.signed_in("bob") as bob:
        done = taken_in(root, {"broken.pdf": b"%PDF-1.4 and nothing more", "good.md": b"# Good\n\nFine."})
        assert (done["added"], done["failed"]) == (1, 1)
        (file,) = root.get(f"/v1/jobs/{done['id']}/files", params={"state": "failed"}).json()
        assert file["source"] == "broken.pdf" and "damaged" in file["reason"]
        (failed,) = root.get("/v1/documents", params={"state": "failed"}).json()["documents"]
        assert failed["reason"] == file["reason"]
        assert bob.get("/v1/documents", params={"state": "failed"}).json()["total"] == 0


def test_what_is_too_large_is_refused_before_it_is_kept(office: Service) -> None:
    address = urlsplit(office.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as line:
        head = (
            f"POST /v1/documents HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {office.token('root')}\r\n"
        )
        line.sendall(
            f"{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {200 << 20}\r\n\r\n".encode()
        )
        assert line.recv(64).startswith(b"HTTP/1.1 413 ")
    assert not (office.house.data / "uploads").exists()


def test_a_collection_of_which_nobody_chose_the_groups_takes_nothing(office: Service) -> None:
    with office.signed_in("root") as root:
        refused = send(root, {"a.md": b"# A"}, "fresh")
        assert refused.status_code == 409 and "choose its groups" in refused.json()["detail"]
        assert root.put("/v1/collections/fresh", json={"groups": []}).status_code == 422
        made = root.put("/v1/collections/fresh", json={"groups": ["staff"], "title": "Fresh"}).json()
        assert (made["groups"], made["title"], made["may_curate"]) == (["staff"], "Fresh", True)
        assert taken_in(root, {"a.md": b"# A"}, "fresh")["added"] == 1
        (found,) = root.get("/v1/documents", params={"collection": "fresh"}).json()["documents"]
        assert found["groups"] == ["staff"]
    with office.signed_in("ada") as ada:
        named = {row["name"]: row for row in ada.get("/v1/collections").json()}
        assert set(named) == {"default", "board"}
        assert named["default"]["groups"] is None and named["board"]["groups"] == ["board"]
        assert ada.put("/v1/collections/default", json={"groups": ["board"]}).status_code == 403
