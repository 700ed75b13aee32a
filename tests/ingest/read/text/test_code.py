"""Programs, configuration, JSON and XML stay readable, each part with what it stands in."""

import json
from collections.abc import Callable

import pytest

from ragapp.errors import Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]


def test_functions_are_kept_whole_and_methods_under_their_class(read: Read, rows: Rows) -> None:
    method = "    def step_{0}(self):\n" + "        self.pump.run(speed={0}, until='full')\n" * 22
    program = "import os\n\n\ndef first():\n    return 1\n\n\nclass Plant:\n" + "\n".join(
        method.format(n) for n in range(4)
    )
    found = rows(read("plant.py", program))
    assert found[:2] == [("code", "import os"), ("code", "def first():\n    return 1")]
    assert [text.split("\n")[:2] for _, text in found[2:]] == [
        ["class Plant:", f"    def step_{number}(self):"] for number in range(4)
    ]


@pytest.mark.parametrize("name", ["a.js", "a.java", "a.c", "a.go", "a.rs", "a.sql", "a.sh", "a.css", "a.tsx"])
def test_languages_are_read_as_they_stand(name: str, read: Read, rows: Rows) -> None:
    program = "/* pump */\nfunction go() {\n  if (x) {\n    return 1;\n  }\n}"
    assert rows(read(name, program + "\n\nnext();\n")) == [("code", program), ("code", "next();")]


def test_keys_of_yaml_stay_with_their_values(read: Read, rows: Rows) -> None:
    text = "# plant\nversion: 3\nservices:\n" + "".join(
        f"  # number {n}\n  pump{n}:\n    image: pump:{n}\n    ports: [80]\n" for n in range(60)
    )
    found = [content for _, content in rows(read("a.yaml", text))]
    assert found[0] == "# plant\nversion: 3"
    assert len(found) > 2 and all(content.startswith("services:\n  # number") for content in found[1:])
    assert sum(content.count("image:") for content in found) == 60


def test_sections_of_ini_and_toml_are_headings(read: Read, rows: Rows) -> None:
    assert rows(read("a.toml", 'name = "x"\n[pump.seal]\nsize = 4\n')) == [
        ("code", 'name = "x"'),
        ("title", "[pump.seal]"),
        ("code", "size = 4"),
    ]


def test_notebooks_keep_text_code_and_what_it_printed(read: Read, rows: Rows) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Pumps\n", "\n", "They run."]},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": ["2"], "image/png": "x"}}]},
    ]
    assert rows(read("a.ipynb", json.dumps({"cells": cells}))) == [
        ("title", "Pumps"),
        ("text", "They run."),
        ("code", "1 + 1"),
        ("text", "2"),
    ]


def test_records_of_json_name_their_values_by_path(read: Read, rows: Rows) -> None:
    order = {"id": 7, "to": {"city": "Hull"}, "lines": [{"sku": "a"}, {"sku": "b"}], "tags": ["x", "y"]}
    assert rows(read("a.json", json.dumps({"orders": [order, {"id": 8}]}))) == [
        ("title", "orders"),
        ("table_row", "id: 7 | to.city: Hull | tags: x, y"),
        ("table_row", "id: 7 lines | sku: a"),
        ("table_row", "id: 7 lines | sku: b"),
        ("table_row", "id: 8"),
    ]


def test_values_of_xml_say_where_they_stand(read: Read, rows: Rows) -> None:
    text = "<c><server><db><host>x</host><port>1</port></db></server><u><n>A</n><m>a</m></u><u><n>B</n><m>b</m></u></c>"
    assert [content for _, content in rows(read("a.xml", text))] == [
        "server db | host: x | port: 1",
        "n: A | m: a",
        "n: B | m: b",
    ]


def test_old_office_files_say_what_to_save_them_as(read: Read) -> None:
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    for mark, name, advice in (("WordDocument", "a.doc", ".docx"), ("Workbook", "a.xls", ".xlsx")):
        with pytest.raises(Unreadable, match=rf"not read; save it as \{advice}$"):
            read(name, head + mark.encode("utf-16-le") + bytes(600))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1254", "Pompa her yıl kontrol edilmelidir. Garanti süresi teslimattan itibaren iki yıldır."),
        ("cp1251", "Уважаемый Иван Петрович, насос модели P200 протекает."),
        ("shift_jis", "ポンプP200は毎年点検してください。保証期間は納品日から二年間です。"),
        ("gbk", "请每年检查一次水泵P200。保修期为自交货之日起两年。"),
        ("latin-1", "Les élèves français étudient à l'école où ils sont nés."),
        ("cp1250", "Smlouva o údržbě čerpadel je platná od března; záruka trvá dva roky a končí v neděli."),
        ("iso-8859-2", "Zażółć gęślą jaźń. Umowa obowiązuje od marca."),
    ],
)
def test_the_alphabets_of_older_programs_are_told(encoding: str, text: str, read: Read) -> None:
    assert read("a.txt", text.encode(encoding)).text == text
    assert read("b.txt", f"The pump manual. {text}".encode(encoding)).text == f"The pump manual. {text}"


def test_letters_are_not_composed_anew(read: Read) -> None:
    text = "Gro\u0308ße und Größe"
    assert read("a.txt", text).text == text
