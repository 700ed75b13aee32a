"""XML and JSON: records as rows that name their fields, everything else as text under its path."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ingest.read.blocks import Block, Draft, block, one_line
from ingest.read.web.markup import read_html
from ragapp.errors import Unreadable
from ragapp.types import ElementKind

_XML_HEAD = re.compile(r"\A\s*<\?xml[^>]*\?>")
_HTML_ROOT = re.compile(r"\A\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*(?:<!DOCTYPE\s+html|<html)", re.I | re.S)
_DEEPEST_PATH = 8
_LONG = 200
"""Characters; a longer value is prose and stands for itself."""


def read_xml(text: str) -> Draft:
    """Blocks of an XML file; entities beyond the built-in ones are not followed."""
    from lxml import etree

    if _HTML_ROOT.match(text[:4096]):
        return read_html(text)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(_XML_HEAD.sub("", text).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"can't be read as xml: {one_line(str(error))[:120]}") from None
    if root is None:
        raise Unreadable("can't be read as xml: it holds no element")
    blocks = tuple(_xml_blocks(root))
    if not blocks and "<!ENTITY" in text:
        raise Unreadable("holds nothing but entities, which are not followed")
    return Draft(blocks) if blocks else read_html(text)


def _xml_blocks(root: Any) -> Iterator[Block]:
    from lxml import etree

    events = etree.iterwalk(root, events=("start",))
    children: dict[Any, Counter[str]] = {}
    for _, element in events:
        if not isinstance(element.tag, str):
            continue
        parts = [child for child in element if isinstance(child.tag, str)]
        if not parts or _is_mixed(element, parts):
            text = one_line("".join(element.itertext()))
            kind: ElementKind = "title" if _name(element) in ("title", "heading", "head") else "text"
            named = text if kind == "title" or len(text) > _LONG or not text else f"{_name(element)}: {text}"
            facts = _attributes(element)
            yield from block("text" if facts else kind, " | ".join(filter(None, (*facts, named))), level=2)
            events.skip_subtree()
        elif not any(isinstance(inner.tag, str) for part in parts for inner in part):
            fields = [*_attributes(element), *(field for part in parts for field in _field(part))]
            if fields and (above := _path(element, children)):
                fields.insert(0, above)
            yield from block("table_row" if len(fields) > 1 else "text", " | ".join(fields))
            events.skip_subtree()
        else:
            yield from block("text", " | ".join((*_attributes(element), one_line(element.text or ""))).strip(" |"))


def _path(element: Any, children: dict[Any, Counter[str]]) -> str:
    """Where a group of values stands, by the parts around it that are there but once; records are told by their fields,
    and not by what all of them are called. `children` keeps how often each name is there in a parent."""
    names: list[str] = []
    at = element
    while (parent := at.getparent()) is not None and len(names) < _DEEPEST_PATH:
        if parent not in children:
            children[parent] = Counter(child.tag for child in parent if isinstance(child.tag, str))
        if children[parent][at.tag] == 1:
            names.insert(0, _name(at))
        at = parent
    return " ".join(names)[-_LONG:]


def _is_mixed(element: Any, children: list[Any]) -> bool:
    """Whether words stand between the children, as in a paragraph with emphasis."""
    return any((child.tail or "").strip() for child in children) or bool((element.text or "").strip())


def _name(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _attributes(element: Any) -> list[str]:
    return [
        f"{name.rsplit('}', 1)[-1]}: {one_line(value)}"
        for name, value in element.attrib.items()
        if value.strip() and "schemaLocation" not in name
    ]


def _field(element: Any) -> Iterator[str]:
    yield from _attributes(element)
    if text := one_line("".join(element.itertext())):
        yield f"{_name(element)}: {text}"


def read_json(text: str) -> Draft:
    """Blocks of JSON or JSON lines: a row for each flat object, prose for itself, titles for the keys above them."""
    text = text.lstrip("\ufeff")
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as whole:
        try:
            tree = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            raise Unreadable(f"can't be read as json: {whole.msg} in line {whole.lineno}") from None
        if not tree:
            raise Unreadable(f"can't be read as json: {whole.msg} in line {whole.lineno}") from None
    except ValueError:
        # Python's own limit, since reading them takes quadratic time: sys.get_int_max_str_digits
        raise Unreadable("can't be read as json: it holds a number of more than 4300 digits") from None
    return Draft(tuple(_json_blocks(tree, (), 1)), titled_parts=True)


def _json_blocks(node: Any, path: tuple[str, ...], level: int) -> Iterator[Block]:
    if isinstance(node, dict):
        flat = {key: value for key, value in node.items() if not isinstance(value, dict | list)}
        short = [f"{key}: {shown}" for key, value in flat.items() if len(shown := _scalar(value)) <= _LONG and shown]
        yield from block("table_row", " | ".join(short), table=None)
        for key, value in flat.items():
            if len(_scalar(value)) > _LONG:
                yield from block("text", f"{key}: {_scalar(value)}")
        for key, value in node.items():
            if isinstance(value, dict | list) and value:
                yield from _json_child(str(key), value, path, level)
    elif isinstance(node, list):
        if all(not isinstance(item, dict | list) for item in node):
            yield from block("text", ", ".join(filter(None, map(_scalar, node))))
            return
        for item in node:
            yield from _json_record(item, "")
    else:
        yield from block("text", _scalar(node))


def _json_record(node: Any, above: str) -> Iterator[Block]:
    """One item of a list: a row that names each value by its path, and behind it a row for each of the lists inside.
    A heading for a part of one item would stand over the next one too."""
    if not isinstance(node, dict | list):
        yield from block("text", f"{above}: {_scalar(node)}" if above else _scalar(node))
        return
    leaves: list[str] = []
    prose: list[str] = []
    lists: list[tuple[str, list[Any]]] = []
    waiting: list[tuple[str, Any]] = [("", node)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            # each value repeats its path, and a long one may be that of very many
            path = name[-_LONG:]
            waiting += [(f"{path}.{key}" if path else str(key), child) for key, child in reversed(value.items())]
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            lists.append((name, value))
        else:
            shown = ", ".join(filter(None, map(_scalar, value))) if isinstance(value, list) else _scalar(value)
            if shown:
                (leaves if len(shown) <= _LONG else prose).append(f"{name}: {shown}" if name else shown)
    yield from block("table_row", " | ".join((above, *leaves)).strip(" |") if leaves else "")
    for text in prose:
        yield from block("text", f"{above} | {text}" if above else text)
    label = " ".join(filter(None, (above, leaves[0] if leaves else "")))
    for name, items in lists:
        for item in items:
            yield from _json_record(item, " ".join(filter(None, (label[-_LONG:], name))))


def _json_child(key: str, value: Any, path: tuple[str, ...], level: int) -> Iterator[Block]:
    if isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        yield from block("text", f"{key}: " + ", ".join(filter(None, map(_scalar, value))))
        return
    yield from block("title", key, level=min(level, 6))
    yield from _json_blocks(value, (*path, key), level + 1)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
