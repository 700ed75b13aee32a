"""Writes hostile and broken files among five good ones into a folder: `python make_hostile.py FOLDER`.

The good files hold the words of GOOD_WORDS, one each, which nothing else in the folder holds.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import random
import socket
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Expectation = Literal["good", "text", "reason", "either", "heavy", "container", "bomb", "no file"]
"""good, text: its text is read; reason: refused with a reason; either: honest text or a reason; heavy: either, or the
limits on time and memory end it; container: a file that holds files and opens; bomb: one that is refused as a whole;
no file: pipes, sockets, links, which a walk leaves out."""
GOOD_WORDS = ("aardvarkium", "bumblebeeite", "chinchillate", "dromedarine", "echidnaform")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file, what must come of it, and why."""

    path: Path
    expected: Expectation
    why: str


QUICK = 1
"""How hard gigabytes of one byte are packed: 229 to 1, a third of the time of 1,029 to 1."""
Entries = dict[str, bytes]
_TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">%s</Types>'
_W = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_S = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">%s</Relationships>'
_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 10))
    + "]>"
)
_EXTERNAL = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


def make_hostile(folder: Path) -> list[Hostile]:
    """Every file of the set, written into `folder`, which must be there; and what is expected of each."""
    made: list[Hostile] = []

    def put(name: str, expected: Expectation, why: str, content: bytes | str) -> None:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        made.append(Hostile(path, expected, why))

    _good(put)
    for group in (_archives, _markup, _tables, _trees, _office, _mails, _pdfs, _broken):
        group(put)
    made += _odd_names(folder)
    made += _no_files(folder)
    return made


Put = Callable[[str, Expectation, str, "bytes | str"], None]


def _good(put: Put) -> None:
    first, second, third, fourth, fifth = GOOD_WORDS
    put("good.txt", "good", "plain text", f"The word here is {first}.\n")
    put("good.html", "good", "a page", f"<html><body><h1>Page</h1><p>The word here is {second}.</p></body></html>")
    put("good.csv", "good", "a table", f"name,word\nfirst,{third}\nsecond,none\n")
    put("good.docx", "good", "a document", docx(f"The word here is {fourth}."))
    put("good.eml", "good", "a mail", f"From: a@x.example\nTo: b@x.example\nSubject: Word\n\nThe word is {fifth}.\n")


def zipped(entries: Entries, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, method)
    return whole.getvalue()


def zeros(mebibytes: int, name: str = "zeros.txt") -> bytes:
    """A zip of one member of so many MiB, which are never in memory."""
    whole = io.BytesIO()
    with (
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=QUICK) as archive,
        archive.open(name, "w", force_zip64=True) as file,
    ):
        for _ in range(mebibytes):
            file.write(b"0" * (1 << 20))
    return whole.getvalue()


def overlapping(copies: int) -> bytes:
    """Many directory entries for one packed kernel, as in David Fifield's bombs."""
    name, kernel = b"a.txt", zlib.compress(bytes(1 << 20), 9)[2:-4]
    fields = (0, 8, 0, 0, zlib.crc32(bytes(1 << 20)), len(kernel), 1 << 20, len(name))
    local = b"PK\x03\x04" + struct.pack("<5H3L2H", 20, *fields[:4], *fields[4:7], fields[7], 0) + name + kernel
    directory = b""
    for number in range(copies):
        called = b"%06d.txt" % number
        directory += (
            b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, 20, *fields[:4], *fields[4:7], 10, 0, 0, 0, 0, 0, 0) + called
        )
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, copies, copies, len(directory), len(local), 0)
    return local + directory + end


def _archives(put: Put) -> None:
    put("bomb-flat.zip", "bomb", "unpacks to 1 GiB", zeros(1024))
    put("bomb-overlap.zip", "bomb", "20,000 members share one kernel", overlapping(20_000))
    nested = zeros(512)
    for _ in range(3):
        nested = zipped({f"lib {n}.zip": nested for n in range(4)})
    put("bomb-nested.zip", "container", "bombs in zips in zips, as 42.zip", nested)
    put("bomb.gz", "bomb", "unpacks to 1 GiB", gzip_of(1024))
    deep = b"text"
    for level in range(30):
        deep = zipped({f"{level}.zip" if level else "a.txt": deep})
    put("nested-30.zip", "container", "30 zips in one another", deep)
    put(
        "names.zip",
        "container",
        "names that lead elsewhere",
        zipped(dict.fromkeys(("../a.txt", "/etc/b.txt", "C:\\c.txt", "a\x01\n.txt", "ok.txt"), b"x")),
    )
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in ("one", "two"):
            archive.writestr("same.txt", text)
    put("twice.zip", "container", "two members of one name", twice.getvalue())
    locked = bytearray(zipped({"a.txt": b"secret"}, zipfile.ZIP_STORED))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    put("encrypted.zip", "bomb", "needs a password", bytes(locked))
    put("many.zip", "container", "20,000 members", zipped({f"{n}.txt": b"" for n in range(20_000)}))
    put(
        "lies.zip",
        "container",
        "declares 10 bytes and holds 4 MiB",
        zipped({"a.txt": bytes(4 << 20)}).replace(struct.pack("<L", 4 << 20), struct.pack("<L", 10)),
    )
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive_:
        for name, sort in (("link", tarfile.SYMTYPE), ("device", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = sort, "../../etc/passwd"
            archive_.addfile(entry)
    put("links.tar", "container", "links, devices and pipes", tar.getvalue())


def gzip_of(mebibytes: int) -> bytes:
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", compresslevel=QUICK, mtime=0) as file:
        for _ in range(mebibytes):
            file.write(bytes(1 << 20))
    return whole.getvalue()


def _markup(put: Put) -> None:
    put("laughs.xml", "either", "a billion laughs", f"{_LAUGHS}<lolz>&lol9;</lolz>")
    put("laughs.html", "either", "a billion laughs as a page", f"{_LAUGHS}<html><p>&lol9; text</p></html>")
    put(
        "blowup.xml",
        "either",
        "quadratic blow-up",
        f'<!DOCTYPE r [<!ENTITY a "{"a" * 100_000}">]><r>{"&a;" * 50_000}</r>',
    )
    put("external.xml", "either", "an external entity", f"{_EXTERNAL}<r><a>text</a><b>&x;</b></r>")
    put("parameter.xml", "either", "a DTD from elsewhere", '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r>text</r>')
    put(
        "xinclude.xml",
        "either",
        "XInclude of a local file",
        '<r xmlns:xi="http://www.w3.org/2001/XInclude"><a>text</a><xi:include href="/etc/passwd" parse="text"/></r>',
    )
    put("attributes.xml", "heavy", "100,000 attributes", "<r " + " ".join(f'a{n}="{n}"' for n in range(100_000)) + "/>")
    put(
        "namespaces.xml",
        "heavy",
        "20,000 namespaces",
        "<r " + " ".join(f'xmlns:a{n}="u{n}"' for n in range(20_000)) + ">text</r>",
    )
    put("deep.xml", "either", "nested 100,000 deep", "<a>" * 100_000 + "text" + "</a>" * 100_000)
    put("deep.html", "heavy", "nested 100,000 deep", "<div>" * 100_000 + "text" + "</div>" * 100_000)
    put("tables.html", "heavy", "tables nested 2,000 deep", "<table><tr><td>x" * 2000 + "</td></tr></table>" * 2000)
    put(
        "spans.html",
        "either",
        "a cell that spans a million rows and columns",
        "<table><tr><th>a<th>b<tr><td rowspan=1000000 colspan=1000000>x<td>y</table>",
    )
    put("unclosed.html", "heavy", "300,000 tags that never end", "<b><i><u>" * 100_000 + "text")
    put(
        "remote.html",
        "text",
        "pictures and frames from elsewhere",
        '<html><img src="http://127.0.0.1:9/a.png"><iframe src="file:///etc/passwd"></iframe><p>text</p></html>',
    )
    put("deep.md", "heavy", "quotes nested 20,000 deep", ">" * 20_000 + " text")
    put("links.md", "heavy", "brackets that never close", "[" * 50_000 + "text")
    put(
        "include.rst",
        "either",
        "includes of local files",
        "Title\n=====\n\n.. include:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n\nText.\n",
    )
    put(
        "objects.rtf",
        "either",
        "links and objects in RTF",
        r"{\rtf1 text {\field{\*\fldinst INCLUDETEXT \"/etc/passwd\"}{\fldrslt x}}{\object\objdata 00}}",
    )
    put("deep.rtf", "heavy", "groups nested 50,000 deep", r"{\rtf1 " + "{" * 50_000 + "text" + "}" * 50_001)


def _tables(put: Put) -> None:
    put(
        "columns.csv",
        "heavy",
        "100,000 columns",
        ",".join(f"c{n}" for n in range(100_000)) + "\n" + ",".join("1" * 100_000) + "\n",
    )
    put("quoted.csv", "either", "one quoted field of 20 MB", '"' + "a,b\n" * 5_000_000)
    put("quotes.csv", "either", "nothing but quotes", '"' * 1_000_001)
    put("line.txt", "heavy", "a line of 50 MB", "word " * 10_000_000)
    put("letters.txt", "heavy", "a word of 20 MB", "a" * 20_000_000)
    put("blank.log", "reason", "10 MB of nothing", b"\n" * 10_000_000)
    put("nul.txt", "reason", "NUL bytes", b"\x00" * 1_000_000)


def _trees(put: Put) -> None:
    put("deep.json", "reason", "nested 100,000 deep", "[" * 100_000 + "]" * 100_000)
    put("deep-objects.json", "reason", "objects nested 50,000 deep", '{"a":' * 50_000 + "1" + "}" * 50_000)
    put("digits.json", "either", "a number of a million digits", '{"n": ' + "9" * 1_000_000 + "}")
    put("nan.json", "either", "no number, half a letter", '{"a": NaN, "b": "\\ud800", "c": "text"}')
    put(
        "anchors.yaml",
        "either",
        "a billion laughs in YAML",
        "a: &a [x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    )
    put("deep.yaml", "either", "nested 20,000 deep", "[" * 20_000)


def docx(text: str, **parts: bytes) -> bytes:
    body = b"<w:document %s><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>" % (_W, text.encode())
    return office("word/document.xml", body, "wordprocessingml.document", parts)


def _document(head: str, text: str) -> bytes:
    """A Word document's main part with an XML head of its own."""
    words = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
    return f"{head}<w:document {_W.decode()}>{words}</w:document>".encode()


def office(main: str, body: bytes, kind: str, parts: Entries | None = None) -> bytes:
    override = (
        f'<Override PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/>'
    )
    default = b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    default += b'<Default Extension="xml" ContentType="application/xml"/>'
    if "xl/sharedStrings.xml" in (parts or {}):
        shared = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        default += b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/>' % shared
    entries = {
        "[Content_Types].xml": _TYPES % (default + override.encode()),
        "_rels/.rels": _RELS % (b'<Relationship Id="r" Type="%s/officeDocument" Target="%s"/>' % (_REL, main.encode())),
        main: body,
    }
    return zipped(entries | (parts or {}))


def xlsx(rows: bytes, **parts: bytes) -> bytes:
    book = b'<workbook %s xmlns:r="%s"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>' % (_S, _REL)
    entries = {
        "xl/_rels/workbook.xml.rels": _RELS
        % (
            b'<Relationship Id="r1" Type="%s/worksheet" Target="worksheets/s.xml"/>'
            b'<Relationship Id="r2" Type="%s/sharedStrings" Target="sharedStrings.xml"/>' % (_REL, _REL)
        ),
        "xl/sharedStrings.xml": b"<sst %s><si><t>only</t></si></sst>" % _S,
        "xl/worksheets/s.xml": b"<worksheet %s><sheetData>%s</sheetData></worksheet>" % (_S, rows),
    }
    return office("xl/workbook.xml", book, "spreadsheetml.sheet", entries | parts)


def _office(put: Put) -> None:
    whole = docx("text")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for missing in parts:
        short = missing.replace("/", "-").strip("[].").replace("[Content_Types].xml", "types")
        put(
            f"missing {short}.docx",
            "reason",
            f"without {missing}",
            zipped({k: v for k, v in parts.items() if k != missing}),
        )
    put(
        "laughs.docx",
        "either",
        "a billion laughs",
        zipped(
            parts
            | {
                "word/document.xml": _document(_LAUGHS, "&lol9; text"),
            }
        ),
    )
    put(
        "external.docx",
        "either",
        "an external entity",
        zipped(
            parts
            | {
                "word/document.xml": _document(_EXTERNAL, "text &x;"),
            }
        ),
    )
    put(
        "remote.docx",
        "either",
        "a template from elsewhere",
        zipped(
            parts
            | {
                "word/_rels/document.xml.rels": _RELS
                % (
                    b'<Relationship Id="t" Type="%s/attachedTemplate" Target="http://127.0.0.1:9/t.dotm" '
                    b'TargetMode="External"/>' % _REL
                )
            }
        ),
    )
    put(
        "deep.docx",
        "heavy",
        "content controls nested 5,000 deep",
        zipped(
            parts
            | {
                "word/document.xml": b"<w:document %s><w:body>" % _W
                + b"<w:sdt><w:sdtContent>" * 5000
                + b"<w:p/>"
                + b"</w:sdtContent></w:sdt>" * 5000
                + b"</w:body></w:document>"
            }
        ),
    )
    put("bomb.docx", "reason", "its text unpacks to 1 GiB", zeros_in(parts, "word/document.xml", 1024))
    put(
        "strings.xlsx",
        "either",
        "a shared string that isn't there",
        xlsx(b'<row r="1"><c r="A1" t="s"><v>99999</v></c><c r="B1" t="s"><v>-5</v></c></row>'),
    )
    put(
        "formulas.xlsx",
        "either",
        "formulas that share one another",
        xlsx(
            b'<row r="1"><c r="A1"><f t="shared" si="0" ref="A1:XFD1048576">B1</f></c>'
            b'<c r="B1"><f t="shared" si="0"/></c></row>'
        ),
    )
    put(
        "far.xlsx",
        "either",
        "one cell in the last corner",
        xlsx(b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'),
    )
    put(
        "places.xlsx",
        "either",
        "cells in places that aren't there",
        xlsx(
            b'<row r="0"><c r="A0"><v>1</v></c><c r="ZZZZ9999999999"><v>2</v></c></row>'
            b'<row r="99999999999"><c><v>3</v></c></row>'
        ),
    )
    cells = b"<row>" + b"<c><v>1</v></c>" * 1000 + b"</row>"
    put("cells.xlsx", "heavy", "ten million cells", xlsx(cells * 10_000))
    put("wide.xlsx", "heavy", "100,000 columns", xlsx(b"<row>" + b"<c><v>1</v></c>" * 100_000 + b"</row>"))
    for name, head in (("laughs", _LAUGHS), ("external", _EXTERNAL)):
        strings = f"{head}<sst {_S.decode()}><si><t>text {'&lol9;' if head is _LAUGHS else '&x;'}</t></si></sst>"
        row = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
        put(
            f"{name}.xlsx",
            "either",
            "entities in shared strings",
            xlsx(row, **{"xl/sharedStrings.xml": strings.encode()}),
        )
    put(
        "loop.pptx",
        "reason",
        "a presentation whose part is itself",
        office(
            "ppt/presentation.xml",
            b"<p/>",
            "presentationml.presentation",
            {
                "ppt/_rels/presentation.xml.rels": _RELS
                % (b'<Relationship Id="r" Type="%s/slide" Target="presentation.xml"/>' % _REL)
            },
        ),
    )
    put(
        "legacy.doc",
        "reason",
        "an old Word document",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le") + bytes(4000),
    )
    put(
        "random.msg",
        "reason",
        "an OLE head and noise",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__substg1.0_".encode("utf-16-le") + random.Random(3).randbytes(9000),
    )
    put(
        "evil.epub",
        "either",
        "a book whose chapter is a local file",
        zipped(
            {
                "mimetype": b"application/epub+zip",
                "META-INF/container.xml": b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
                b'version="1.0"><rootfiles><rootfile full-path="../../../etc/passwd" '
                b'media-type="application/oebps-package+xml"/></rootfiles></container>',
            }
        ),
    )
    put("mimetype.odt", "reason", "a mimetype of 512 MiB", zeros(512, "mimetype"))


def zeros_in(parts: Entries, name: str, mebibytes: int) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=QUICK) as archive:
        for each, content in parts.items():
            if each != name:
                archive.writestr(each, content)
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(mebibytes):
                file.write(b" " * (1 << 20))
    return whole.getvalue()


_HEAD = "From: a@x.example\nTo: b@x.example\nSubject: s\nMIME-Version: 1.0\n"


def _mails(put: Put) -> None:
    part = "--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=a.txt\n\nx\n"
    put(
        "parts.eml",
        "heavy",
        "10,000 attachments",
        f"{_HEAD}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nText.\n{part * 10_000}--b--\n",
    )
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(500))
    put("deep.eml", "either", "nested 500 deep", f"{_HEAD}{deep}\nText.\n")
    put(
        "mails.eml", "either", "mails handed on 300 times", f"{_HEAD}Content-Type: message/rfc822\n\n" * 300 + "Text.\n"
    )
    put("header.eml", "heavy", "a header of 10 MB", f"{_HEAD}X-Long: {'a ' * 5_000_000}\n\nText.\n")
    put(
        "words.eml",
        "heavy",
        "50,000 encoded words",
        f"From: a@x.example\nTo: b@x.example\nSubject: {'=?utf-8?q?a?= ' * 50_000}\n\nText.\n",
    )
    put(
        "charset.eml",
        "text",
        "a character set that isn't there",
        f"{_HEAD}Content-Type: text/plain; charset=x-evil\n\nText.\n",
    )
    bomb = base64.encodebytes(zeros(600)).decode()
    put(
        "bomb.eml",
        "text",
        "a zip bomb attached",
        f"{_HEAD}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nText.\n--b\nContent-Type: application/zip; "
        f"name=a.zip\nContent-Transfer-Encoding: base64\n\n{bomb}--b--\n",
    )


def pdf(objects: list[str]) -> bytes:
    """A file of these objects, numbered from 1, the first of them its root."""
    whole, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(whole))
        whole += f"{number} 0 obj\n{each}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    end += f"startxref\n{len(whole)}\n%%EOF\n"
    return whole + end.encode()


def _pdfs(put: Put) -> None:
    root = "<</Type/Catalog/Pages 2 0 R>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>"
    put("loop.pdf", "either", "a page tree that holds itself", pdf([root, "<</Type/Pages/Count 1/Kids[2 0 R]>>"]))
    put(
        "loop-long.pdf",
        "either",
        "a page tree with a long loop",
        pdf(
            [
                root,
                "<</Type/Pages/Count 9/Kids[3 0 R 4 0 R]>>",
                page,
                "<</Type/Pages/Count 9/Parent 2 0 R/Kids[2 0 R 3 0 R]>>",
            ]
        ),
    )
    put(
        "count.pdf",
        "either",
        "says that it has two billion pages",
        pdf([root, "<</Type/Pages/Count 2000000000/Kids[3 0 R]>>", page]),
    )
    put(
        "negative.pdf",
        "either",
        "says that it has minus five pages",
        pdf([root, "<</Type/Pages/Count -5/Kids[3 0 R]>>", page]),
    )
    chain = [f"<</Type/Pages/Count 1/Kids[{n + 1} 0 R]>>" for n in range(2, 3002)]
    put("deep.pdf", "either", "a page tree 3,000 deep", pdf([root, *chain, page]))
    put(
        "arrays.pdf",
        "either",
        "arrays nested 100,000 deep",
        pdf([root, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page[:-2] + "/X" + "[" * 100_000 + "]" * 100_000 + ">>"]),
    )
    stream = zlib.compress(b" " * (300 << 20), QUICK)
    flate = f"<</Length {len(stream)}/Filter/FlateDecode>>stream\n{stream.decode('latin-1')}\nendstream"
    bomb = pdf([root, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page[:-2] + "/Contents 4 0 R>>"]).replace(
        b"xref", b"xref", 1
    )
    at = bomb.index(b"xref")
    put(
        "stream.pdf",
        "heavy",
        "a page that unpacks to 300 MiB",
        bomb[:at] + b"4 0 obj\n" + flate.encode("latin-1") + b"\nendobj\n" + bomb[at:],
    )
    put(
        "huge.pdf",
        "either",
        "a page of a million miles",
        pdf([root, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page.replace("200 200", "1e30 1e30")]),
    )
    put(
        "encrypted.pdf",
        "reason",
        "encrypted by a filter that isn't there",
        pdf([root, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page]).replace(
            b"/Root", b"/Encrypt<</Filter/Evil/V 9>>/Root"
        ),
    )
    put("header.pdf", "reason", "a header and nothing else", b"%PDF-1.7\n")


def _broken(put: Put) -> None:
    dice = random.Random(11)
    for kind in ("pdf", "docx", "pptx", "xlsx", "odt", "epub", "msg", "zip", "tar", "tgz"):
        put(f"noise.{kind}", "reason", "random bytes", dice.randbytes(5000))
    for kind in ("html", "xml", "json", "csv", "eml", "md", "txt", "rtf", "py", "yaml"):
        put(f"noise.{kind}", "either", "random bytes", dice.randbytes(5000))
    sheet = xlsx(b'<row r="1"><c r="A1"><v>1</v></c></row>')
    book = zipped({"mimetype": b"application/epub+zip", "a.xhtml": dice.randbytes(3000)})
    packed = gzip.compress(dice.randbytes(5000), mtime=0)
    for name, whole in (("docx", docx("text")), ("xlsx", sheet), ("epub", book), ("zip", book), ("gz", packed)):
        cut = "bomb" if name == "gz" else "reason"
        put(f"cut.{name}", cut, "cut off in the middle", whole[: len(whole) // 2])
    put("empty.pdf", "reason", "empty", b"")
    put("document.pdf", "text", "a Word document named PDF", docx("text"))
    put("picture.docx", "reason", "a picture named Word", b"\x89PNG\r\n\x1a\n" + bytes(200))
    put("program.txt", "reason", "a program named text", b"\x7fELF" + bytes(range(256)) * 20)
    put("plain.xlsx", "either", "a table as text named Excel", "a,b\n1,2\n")


def _odd_names(folder: Path) -> Iterator[Hostile]:
    for name in (
        "a\nb\tc\x1b[31m.txt",
        "🦊 ‮txt.exe.txt",
        "..txt...txt",
        "-rf --no-preserve-root.txt",
        "a%2e%2e%2fetc%2fpasswd.txt",
        "x!_y.txt",
        "é" * 120 + ".txt",
    ):
        path = folder / name
        path.write_text("Text under an odd name.")
        yield Hostile(path, "text", "an odd name")
    path = Path(os.fsdecode(os.fsencode(folder) + b"/bytes \xff\xfe.txt"))
    path.write_text("Text under a name that is no UTF-8.")
    yield Hostile(path, "text", "a name that is no UTF-8")


def _no_files(folder: Path) -> Iterator[Hostile]:
    os.mkfifo(folder / "pipe.txt")
    yield Hostile(folder / "pipe.txt", "no file", "a pipe without a writer")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket has 108 bytes at most
        try:
            listener.bind("socket.txt")
        finally:
            os.chdir(here)
    yield Hostile(folder / "socket.txt", "no file", "a socket")
    (folder / "loop-a.txt").symlink_to("loop-b.txt")
    (folder / "loop-b.txt").symlink_to("loop-a.txt")
    yield Hostile(folder / "loop-a.txt", "no file", "links that lead to each other")
    (folder / "self").symlink_to(".")
    yield Hostile(folder / "self", "no file", "a folder that holds itself")
    (folder / "zero.txt").symlink_to("/dev/zero")
    yield Hostile(folder / "zero.txt", "no file", "a link to a device")
    (folder / "passwd.txt").symlink_to("/etc/passwd")
    yield Hostile(folder / "passwd.txt", "no file", "a link that leads out of the folder")
    sparse = folder / "sparse.txt"
    with sparse.open("wb") as file:
        file.truncate(300 << 20)
    yield Hostile(sparse, "reason", "300 MB of holes")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each in make_hostile(target):
        print(f"{each.expected:10} {os.fsencode(each.path.name).decode('utf-8', 'backslashreplace')!r}: {each.why}")
