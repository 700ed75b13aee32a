"""From a generated sentence to citations: which passage holds its words, and which words exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ragapp.answer.markers import unmarked
from ragapp.answer.sentences import spans
from ragapp.answer.statements import above
from ragapp.answer.unseen import seen
from ragapp.answer.words import Stems, as_meant, figures_of, names, numbers, stated, words
from ragapp.types import Citation, Passage

_QUOTE_SENTENCES = 2
"""A quote is at most so many neighbouring sentences: enough for a rule and its exception, short enough to read."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence without markers, and the best quote for it in each passage that it can rest on, best first."""

    text: str
    citations: tuple[Citation, ...]
    support: float
    """Share of the sentence's stems that its quotes hold, with title and headings above them, 0 to 1."""
    invented: frozenset[str]
    """Numbers and names that stand neither in the quotes, nor above them, nor in the question. The question's numbers
    count only beside one that the quotes hold: what was asked is not confirmed by repeating it."""


def cite(sentence: str, passages: Sequence[Passage], question: str, stems: Stems, min_support: float) -> Cited:
    """Attribute one sentence. Markers that the model set are believed only if the passage holds the sentence's words.

    The citations' markers are the passages' numbers in the prompt (from 1); the caller numbers them for the reader.
    """
    text, marked = unmarked(sentence, passages)
    given = [n for n in dict.fromkeys(marked) if 1 <= n <= len(passages)]
    # what isn't seen parts no words: the model was shown them whole
    wanted = stems(seen(text))
    if not wanted and not numbers(text):
        return Cited(text, (), 0.0, frozenset())
    believed = _among(text, wanted, given, passages, question, stems)
    if believed and believed.support >= min_support and not believed.invented:
        return believed
    held = _among(text, wanted, range(1, len(passages) + 1), passages, question, stems)
    return held or Cited(text, (), 0.0, frozenset())


@dataclass(frozen=True, slots=True)
class _Held:
    """What one passage's best quote holds of a sentence, with what stands above it."""

    marker: int
    start: int
    end: int
    stems: frozenset[int]
    facts: frozenset[str]


def _among(
    text: str, wanted: frozenset[int], markers: Iterable[int], passages: Sequence[Passage], question: str, stems: Stems
) -> Cited | None:
    """The passage whose quote says most of the sentence, and others that it needs for facts which that one lacks."""
    figures = stated(text)
    facts_said = figures | names(text)
    asked = figures_of(question) | _told(question)
    held = [_held(text, wanted, marker, passages[marker - 1], stems) for marker in markers]
    if not held:
        return None
    held.sort(key=lambda one: (len(facts_said - asked - one.facts), -_share(wanted, one.stems), one.marker))
    if figures and not any(figures & one.facts for one in held):
        asked -= figures
    chosen, facts = held[:1], held[0].facts | asked
    for other in held[1:]:
        if len(chosen) < 3 and (facts_said - facts) & other.facts:
            chosen.append(other)
            facts |= other.facts
    support = _share(wanted, frozenset().union(*(one.stems for one in chosen)))
    citations = tuple(_citation(one, wanted, passages[one.marker - 1]) for one in chosen)
    return Cited(text, citations, support, frozenset(facts_said - facts))


def _held(text: str, wanted: frozenset[int], marker: int, passage: Passage, stems: Stems) -> _Held:
    start, end = best_quote(text, wanted, passage.text, stems)
    shown = seen(f"{above(passage)}\n{passage.text[start:end]}")
    figures = as_meant(figures_of(shown), shown, text)
    return _Held(marker, start, end, stems(shown), figures | _told(shown))


def _told(text: str) -> frozenset[str]:
    """The words of a text without its figures, which count with their signs."""
    return frozenset(word for word in words(text) if not word.isdigit())


def _share(wanted: frozenset[int], held: frozenset[int]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _citation(held: _Held, wanted: frozenset[int], passage: Passage) -> Citation:
    return Citation(
        marker=held.marker,
        source=passage.source,
        title=passage.title,
        heading=passage.heading,
        page=passage.page_at(passage.start + held.start),
        quote=passage.text[held.start : held.end],
        start=passage.start + held.start,
        end=passage.start + held.end,
        score=round(_share(wanted, held.stems), 3),
        document_id=passage.document_id,
        revision=passage.revision,
    )


def best_quote(text: str, wanted: frozenset[int], within: str, stems: Stems) -> tuple[int, int]:
    """(start, end) of the sentence, or two neighbours, of `within` that says most of `text`.

    A stated number that the quote holds weighs as much as two words, so that the row with the figure wins over the
    paragraph that talks about it.
    """
    wanted_figures = stated(text)
    pieces = spans(within)
    held = [(stems(within[start:end]), figures_of(within[start:end])) for start, end in pieces]
    best = (0, len(within))
    best_value = -1.0
    for length in range(1, _QUOTE_SENTENCES + 1):
        for first in range(len(pieces) - length + 1):
            run = held[first : first + length]
            found = frozenset().union(*(part[0] for part in run))
            figures = frozenset().union(*(part[1] for part in run))
            # a longer quote must earn its length: more than a word for each further sentence
            value = len(wanted & found) + 2 * len(wanted_figures & figures) - (length - 1) - 0.001 * len(found)
            if value > best_value:
                best_value = value
                best = (pieces[first][0], pieces[first + length - 1][1])
    return best


class Markers:
    """Numbers quotes for the reader, from 1 in the order of their first use; one number for one quote."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int, int, int], int] = {}

    def number(self, citation: Citation) -> tuple[Citation, bool]:
        """The citation with the reader's number, and whether it is new."""
        key = (citation.document_id, citation.revision, citation.start, citation.end)
        new = key not in self._numbers
        marker = self._numbers.setdefault(key, len(self._numbers) + 1)
        return replace(citation, marker=marker), new
