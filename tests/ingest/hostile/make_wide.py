"""Tables that are wide, tall or repeat themselves, in every format: `python make_wide.py FOLDER N`.

Each is as small as a file can be that makes a reader produce much; twice the N is about twice the bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path

HOSTILE = run_path(str(Path(__file__).with_name("make_hostile.py")))
_W = HOSTILE["_W"]


def too_wide(columns: int) -> dict[str, bytes]:
    """Two rows of so many columns, by file name."""
    names = [f"c{number}" for number in range(columns)]
    return {
        "wide.csv": _delimited(",", names),
        "wide.tsv": _delimited("\t", names),
        "wide.md": f"|{'|'.join(names)}|\n|{'---|' * columns}\n|{'1|' * columns}\n".encode(),
        "wide.html": f"<table><tr><th>{'<th>'.join(names)}<tr>{'<td>1' * columns}</table>".encode(),
        "wide.xlsx": HOSTILE["xlsx"]((b"<row>" + b"<c><v>1</v></c>" * columns + b"</row>") * 2),
        "wide.docx": docx((b"<w:tr>" + b"<w:tc>%s</w:tc>" % paragraph("c") * columns + b"</w:tr>") * 2),
    }


def growing(n: int) -> dict[str, bytes]:
    """Tables of whose parts each could be said again with each other one."""
    names = [f"c{number}" for number in range(n)]
    full = ",".join("1" * n)
    heads = "".join(f"<tr><th>a{number}<th>b" for number in range(n))
    return {
        # a name that each row repeats
        "name.csv": ("a" * n + ",b\n" + "1,2\n" * n).encode(),
        "name.html": f"<table><tr><th>{'a' * n}<th>b{'<tr><td>1<td>2' * n}</table>".encode(),
        "heads.html": f"<table><thead>{heads}</thead><tr><td>1<td>2</table>".encode(),
        "inner.docx": docx(_inner(n)),
        # names of which each looks for a value down to the last row
        "late.csv": (",".join(names) + "\n" + "x,\n" * n + full + "\n").encode(),
        "late.xlsx": HOSTILE["xlsx"](
            _row(names) + b'<row><c t="str"><v>x</v></c></row>' * n + b"<row>" + b"<c><v>1</v></c>" * n + b"</row>"
        ),
        # cells that cover others
        "down.html": f"<table>{'<tr><td rowspan=500>' + 'x' * 1400 + '<td>y'}{'<tr><td>z' * n}</table>".encode(),
        "down.docx": docx(
            _line(paragraph("y"), paragraph("x" * n), down="restart")
            + _line(paragraph("z"), paragraph(""), down="continue") * n
        ),
        "merged.xlsx": _merged(n),
        "hidden.xlsx": _hidden(n),
        # paths that each value repeats
        "path.json": json.dumps([{"k" * n: {f"v{i}": i for i in range(n)}}]).encode(),
        "path.xml": f"<r><{'k' * n}>{'<i><a>1</a></i>' * n}</{'k' * n}></r>".encode(),
        "siblings.xml": f"<r>{''.join(f'<k{i}><a>1</a></k{i}>' for i in range(n))}</r>".encode(),
        "cells.pdf": _pdf(n),
        "lines.py": ("x = [  # " + "a" * n + "\n" + "    'text of a value',\n" * n + "]\n").encode(),
    }


def scattered(rows: int) -> bytes:
    """A sheet with one cell at the far end of each row."""
    return HOSTILE["xlsx"](
        b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (row, row) for row in range(1, rows + 1))
    )


def paragraph(text: str) -> bytes:
    return b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % text.encode()


def docx(rows: bytes) -> bytes:
    """A document of one table."""
    body = b"<w:document %s><w:body><w:tbl>%s</w:tbl></w:body></w:document>" % (_W, rows)
    return HOSTILE["office"]("word/document.xml", body, "wordprocessingml.document")


def _line(first: bytes, second: bytes, down: str) -> bytes:
    """A row of two cells, of which the second goes on from row to row."""
    merge = b'<w:tcPr><w:vMerge w:val="%s"/></w:tcPr>' % down.encode()
    return b"<w:tr><w:tc>%s</w:tc><w:tc>%s%s</w:tc></w:tr>" % (first, merge, second)


def _delimited(mark: str, names: list[str]) -> bytes:
    return f"{mark.join(names)}\n{mark.join('1' * len(names))}\n".encode()


def _row(cells: list[str]) -> bytes:
    return b"<row>" + b"".join(b'<c t="str"><v>%s</v></c>' % cell.encode() for cell in cells) + b"</row>"


def _inner(n: int) -> bytes:
    """A table in a cell, with a name that each of its rows would repeat."""

    def row(*cells: str) -> bytes:
        return b"<w:tr>" + b"".join(b"<w:tc>%s</w:tc>" % paragraph(cell) for cell in cells) + b"</w:tr>"

    head = row("A" * n, "B").replace(b"<w:tr>", b"<w:tr><w:trPr><w:tblHeader/></w:trPr>")
    return b"<w:tr><w:tc><w:tbl>%s%s</w:tbl></w:tc></w:tr>" % (head, row("1", "2") * n)


def _merged(n: int) -> bytes:
    """Merged cells that lie over one another, each over all rows and columns."""
    merges = b"".join(b'<mergeCell ref="A%d:XFD10000"/>' % (at + 1) for at in range(n))
    book = HOSTILE["xlsx"](_row(["name", "value"]) * n)
    return _with_sheet(book, b"</sheetData>", b"</sheetData><mergeCells>" + merges + b"</mergeCells>")


def _hidden(n: int) -> bytes:
    """All columns hidden, so many times."""
    columns = b"<cols>" + b'<col min="3" max="16384" hidden="1"/>' * n + b"</cols><sheetData>"
    return _with_sheet(HOSTILE["xlsx"](_row(["name", "value"]) * 2), b"<sheetData>", columns)


def _pdf(n: int) -> bytes:
    """Three lines of so many words far apart, on a page that is as wide."""
    lines = "".join(
        f"BT /F 9 Tf 20 {700 - 14 * row} Td {''.join(f'(w{at}) Tj 60 0 Td ' for at in range(n))}ET\n"
        for row in range(3)
    )
    return HOSTILE["pdf"](
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {60 * n + 100} 800]/Contents 4 0 R"
            "/Resources<</Font<</F 5 0 R>>>>>>",
            f"<</Length {len(lines)}>>stream\n{lines}\nendstream",
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        ]
    )


def _with_sheet(book: bytes, before: bytes, after: bytes) -> bytes:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/s.xml"
    return HOSTILE["zipped"](entries | {sheet: entries[sheet].replace(before, after)})


if __name__ == "__main__":
    folder, size = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**too_wide(size), **growing(size), "scattered.xlsx": scattered(size)}.items():
        (folder / name).write_bytes(content)
        print(f"{len(content):9} {name}")
