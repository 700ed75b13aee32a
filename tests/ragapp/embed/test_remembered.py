"""Vectors come as the encoder makes them, but each text is embedded once while it is remembered."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragapp.embed.remembered import RememberedVectors


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.asarray([[len(text), 1] for text in texts], np.float32)


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "ccc", "dddd"]), min_size=1, max_size=6), max_size=8))
def test_vectors_are_the_encoders_in_any_order(asked: list[list[str]]) -> None:
    remembered = RememberedVectors(lengths, kept=2)
    for texts in asked:
        assert np.array_equal(remembered(texts), lengths(texts))


def test_a_text_is_embedded_once_while_it_is_remembered() -> None:
    embedded: list[str] = []

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        embedded.extend(texts)
        return lengths(texts)

    remembered = RememberedVectors(encode, kept=2)
    remembered(["a", "bb", "a"])
    remembered(["bb", "a"])
    assert embedded == ["a", "bb"]
    remembered(["ccc"])
    remembered(["bb"])
    assert embedded == ["a", "bb", "ccc", "bb"]


def test_no_text_is_remembered() -> None:
    remembered = RememberedVectors(lengths)
    remembered(["the old salary"])
    assert "salary" not in repr(vars(remembered))
