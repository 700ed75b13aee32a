"""From a document's elements to chunks: whole elements, then sentences, then words, and a new start at each heading.

Chunks of a document don't overlap, every visible character that is not white space lies in one of them, and hidden text
in none. Since a section's
chunks depend on nothing but that section and the headings above it, an edit changes the chunks of its own section only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ingest.chunk.pieces import Piece, finer, trimmed
from ragapp.types import Box, Chunk, Element, Extracted, embedded_text

CHUNKER_VERSION = "2"
"""Changes with anything that moves a chunk's boundaries or its heading path."""

CountTokens = Callable[[Sequence[str]], list[int]]

CHARACTERS_PER_TOKEN = 12
"""A token is charged for at least every so many characters: tokenizers make one unknown token of a word of any length,
and prose has 4 to 6."""
_HEADING_SHARE = 0.5
"""Of the limit, the most that a heading path may take."""
_THIN = 0.15
"""Of the room, the least for a section's last chunk, and for a chunk that is closed early to keep an element whole."""
_BATCH_CHARACTERS = 1 << 20
"""Counted in one call, so that the tokenizer's own memory stays small."""


@dataclass(frozen=True, slots=True)
class Section:
    """The elements between one heading and the next, and the headings above them, outermost first."""

    headings: tuple[str, ...]
    elements: tuple[Element, ...]


def chunk(
    extracted: Extracted, *, document_id: str, revision: int, count_tokens: CountTokens, max_tokens: int
) -> list[Chunk]:
    """Chunks of one document in reading order, each at most `max_tokens` long with its heading path.

    `count_tokens` gives the tokens of each text, special ones included if the caller wants them counted.
    """
    counter = _Counter(extracted.text, count_tokens, max_tokens)
    sections = list(sections_of(extracted))
    headings = counter.fitted_headings([section.headings for section in sections])
    spans: list[tuple[tuple[str, ...], int, int]] = []
    whole = iter(counter.measured([piece for section in sections for piece in _whole(section, extracted.text)]))
    for section, path in zip(sections, headings, strict=True):
        pieces = [next(whole) for _ in _whole(section, extracted.text)]
        room = counter.room(path)
        groups = _balanced(_packed(pieces, room, counter), room, counter)
        spans += [(path, group[0].start, group[-1].end) for group in groups]
    return _chunks(extracted, counter.checked(spans), document_id, revision)


def sections_of(extracted: Extracted) -> Iterator[Section]:
    """The document cut at its headings and at hidden text, which is left out. A heading without text of its own stays
    with what follows, and so do a page's running head or a mail's sender above the first heading."""
    path: list[tuple[int, str]] = []
    above: tuple[str, ...] = ()
    gathered: list[Element] = []
    for element in extracted.elements:
        if element.hidden:
            if gathered:
                yield Section(above, tuple(gathered))
                gathered = []
            continue
        if element.kind == "title":
            if any(each.kind not in (("title",) if path else ("title", "note")) for each in gathered):
                yield Section(above, tuple(gathered))
                gathered = []
            path = [(level, title) for level, title in path if level < element.level]
            path.append((element.level, " ".join(extracted.text[element.start : element.end].split())))
            above = tuple(title for _, title in path)
        gathered.append(element)
    if gathered:
        yield Section(above, tuple(gathered))


def _whole(section: Section, text: str) -> list[Piece]:
    pieces = (trimmed(text, Piece(element.kind, element.start, element.end)) for element in section.elements)
    return [piece for piece in pieces if piece is not None]


class _Counter:
    """Tokens of spans of one text, counted in bulk."""

    def __init__(self, text: str, count_tokens: CountTokens, limit: int) -> None:
        self.text = text
        self.limit = limit
        self._count = count_tokens
        self._special = count_tokens([""])[0]
        self._rooms: dict[tuple[str, ...], int] = {}

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, in batches of bounded size."""
        found: list[int] = []
        batch: list[str] = []
        size = 0
        for text in texts:
            batch.append(text)
            size += len(text)
            if size > _BATCH_CHARACTERS:
                found += self._count(batch)
                batch, size = [], 0
        return found + (self._count(batch) if batch else [])

    def measured(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces with their tokens. Those too long to fit whatever they hold are charged by length, uncounted."""
        least = [self._by_length(piece) for piece in pieces]
        short = [
            self.text[piece.start : piece.end]
            for piece, tokens in zip(pieces, least, strict=True)
            if tokens <= self.limit
        ]
        counted = iter(self.counts(short))
        return [
            Piece(
                piece.kind,
                piece.start,
                piece.end,
                max(tokens, next(counted) - self._special) if tokens <= self.limit else tokens,
                piece.part,
            )
            for piece, tokens in zip(pieces, least, strict=True)
        ]

    def finer(self, piece: Piece, room: int) -> list[Piece]:
        """The piece in parts of at most `room` tokens each, cut as late as the text allows."""
        parts: list[Piece] = []
        for part in self.measured(finer(self.text, piece)):
            if part.tokens > room and part.end - part.start > 1:
                parts += self.finer(part, room)
            else:
                parts.append(part)
        return parts

    def room(self, headings: tuple[str, ...]) -> int:
        """Tokens that a heading path leaves for text."""
        if headings not in self._rooms:
            self._rooms[headings] = max(1, self.limit - self._path_cost(headings))
        return self._rooms[headings]

    def fitted_headings(self, paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Each path short enough to leave half of the limit: without its outermost titles, then cut."""
        fitted = {path: self._fitted(path) for path in dict.fromkeys(paths)}
        return [fitted[path] for path in paths]

    def _fitted(self, path: tuple[str, ...]) -> tuple[str, ...]:
        most = int(self.limit * _HEADING_SHARE)
        while path and self._path_cost(path) > most:
            if len(path) > 1:
                path = path[1:]
                continue
            words = path[0][: most * CHARACTERS_PER_TOKEN].split(" ")
            path = (" ".join(words[: len(words) // 2]) if len(words) > 1 else words[0][: len(words[0]) // 2],)
            if not path[0]:
                return ()
        return path

    def _path_cost(self, path: tuple[str, ...]) -> int:
        return max(self._count([embedded_text(path, "")])[0], sum(map(len, path)) // CHARACTERS_PER_TOKEN)

    def checked(self, spans: list[tuple[tuple[str, ...], int, int]]) -> Iterator[tuple[tuple[str, ...], int, int]]:
        """The spans, each counted as it will be embedded; one that turns out too long is cut in two, and so on."""
        texts = [embedded_text(path, self.text[start:end]) for path, start, end in spans]
        for (path, start, end), tokens in zip(spans, self.counts(texts), strict=True):
            yield from self._cut(path, start, end, tokens)

    def _cut(
        self, path: tuple[str, ...], start: int, end: int, tokens: int
    ) -> Iterator[tuple[tuple[str, ...], int, int]]:
        if tokens <= self.limit or end - start < 2:
            yield path, start, end
            return
        parts = self.finer(Piece("text", start, end), max(1, self.room(path) // 2))
        sums = list(accumulate(part.tokens for part in parts))
        half = min(max(1, bisect_left(sums, sums[-1] / 2)), len(parts) - 1)
        for group in (parts[:half], parts[half:]):
            if group:
                first, last = group[0].start, group[-1].end
                again = self._count([embedded_text(path, self.text[first:last])])[0]
                yield from self._cut(path, first, last, again)

    def _by_length(self, piece: Piece) -> int:
        return -(-(piece.end - piece.start) // CHARACTERS_PER_TOKEN)


def _packed(pieces: Sequence[Piece], room: int, counter: _Counter) -> list[list[Piece]]:
    """Pieces in order in groups of at most `room` tokens. What doesn't fit whole into any chunk goes on in parts; what
    only misses the rest of one starts the next, unless that would leave a heading alone or a chunk nearly empty."""
    groups: list[list[Piece]] = []
    group: list[Piece] = []
    used = 0
    queue = list(reversed(pieces))
    while queue:
        piece = queue.pop()
        if used + piece.tokens <= room:
            group.append(piece)
            used += piece.tokens
            continue
        thin = used < _THIN * room or all(each.kind == "title" for each in group)
        if piece.tokens > room or (group and thin and not piece.part):
            parts = counter.finer(piece, room if piece.tokens > room else max(1, room - used))
            if len(parts) > 1:
                queue += reversed([replace(part, part=True) for part in parts])
                continue
        if group:
            groups.append(group)
        group, used = [piece], piece.tokens
    if group:
        groups.append(group)
    return groups


def _balanced(groups: list[list[Piece]], room: int, counter: _Counter) -> list[list[Piece]]:
    """A section's last chunk that would be thin takes its share from the one before."""
    if len(groups) < 2 or sum(piece.tokens for piece in groups[-1]) >= _THIN * room:
        return groups
    before, last = groups[-2], groups[-1]
    total = sum(piece.tokens for piece in (*before, *last))
    have = sum(piece.tokens for piece in last)
    moved: list[Piece] = []
    parts = [
        part
        for piece in before
        for part in (counter.finer(piece, room) if piece.kind == "text" and piece.tokens > total / 2 else [piece])
    ]
    while len(parts) > 1 and have + parts[-1].tokens <= 0.55 * total and parts[-2].kind != "title":
        moved.insert(0, parts.pop())
        have += moved[0].tokens
    return [*groups[:-2], parts, [*moved, *last]]


def _chunks(
    extracted: Extracted, spans: Iterator[tuple[tuple[str, ...], int, int]], document_id: str, revision: int
) -> list[Chunk]:
    word_starts = [word.start for word in extracted.words]
    element_ends = [element.end for element in extracted.elements]
    chunks: list[Chunk] = []
    for headings, start, end in spans:
        boxes = _boxes(extracted, word_starts, start, end)
        chunks.append(
            Chunk(
                document_id,
                revision,
                len(chunks),
                extracted.text[start:end],
                start,
                end,
                headings,
                _pages(extracted, element_ends, start, end, boxes),
                boxes,
            )
        )
    return chunks


def _boxes(extracted: Extracted, word_starts: list[int], start: int, end: int) -> tuple[Box, ...]:
    """One rectangle a page around the words of a span."""
    around: dict[int, Box] = {}
    first = max(0, bisect_left(word_starts, start) - 1)
    for word in extracted.words[first : bisect_left(word_starts, end)]:
        if word.end <= start:
            continue
        box, known = word.box, around.get(word.box.page)
        if known:
            box = Box(
                box.page,
                min(box.x0, known.x0),
                min(box.y0, known.y0),
                max(box.x1, known.x1),
                max(box.y1, known.y1),
            )
        around[box.page] = box
    return tuple(around[page] for page in sorted(around))


def _pages(
    extracted: Extracted, element_ends: list[int], start: int, end: int, boxes: tuple[Box, ...]
) -> tuple[int, ...]:
    pages = {box.page for box in boxes}
    for index in range(bisect_left(element_ends, start + 1), len(extracted.elements)):
        element = extracted.elements[index]
        if element.start >= end:
            break
        if element.page is not None:
            pages.add(element.page)
    return tuple(sorted(pages))
