"""BM25 treats documents and questions of every language alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragapp.embed.sparse import Bm25

BM25 = Bm25()


def words(text: str) -> set[int]:
    return set(BM25.encode_query(text).indices)


def in_document(text: str) -> set[int]:
    (sparse,) = BM25.encode_documents([text])
    return set(sparse.indices)


@pytest.mark.parametrize(
    ("document", "question"),
    [
        ("The dogs were running through policies and warranties.", "running dog policy warranty"),
        ("Die Gewährleistung für Größen über 40 beträgt drei Jahre.", "Gewährleistung Größen drei Jahre"),
        ("Die Gewährleistung für Größen über 40 beträgt drei Jahre.", "GEWAHRLEISTUNG grossen BETRÄGT"),
        ("L'élève a été à l'école près du café.", "eleve ecole cafe"),
        ("El año pasado, la compañía pagó según el índice.", "ano compañia PAGO indice"),
        ("产品的保修期为三年，自购买之日起计算。", "保修期"),
        ("产品的保修期为三年，自购买之日起计算。", "保修"),
        ("产品的保修期为三年，自购买之日起计算。", "三"),
        ("製品の保証期間は三年です。サポートセンターまで。", "保証期間 サポート"),
        ("การรับประกันสินค้าสามปี", "รับประกัน"),
        ("제품 보증 기간은 3년입니다", "보증"),
        ("Гарантия на изделие составляет три года", "ГАРАНТИЯ изделие"),
        ("Η εγγύηση διαρκεί τρία χρόνια", "εγγύηση"),
        ("مدة الضمان ثلاث سنوات", "الضمان"),
        ("VL-2040 costs 3.5% more since 2024-05-01", "vl-2040 2024-05-01"),
        ("e\u0301te\u0301 und u\u0308ber", "été über"),
        ("Ｆｕｌｌ－ｗｉｄｔｈ ﬁnance", "full width finance"),
        ("Kontakt: max.mustermann@firma.example", "mustermann firma"),
        ("Mixed: the Kündigungsfrist is 三个月 (trois mois)", "kundigungsfrist 三个月 mois"),
    ],
)
def test_words_are_found_by_themselves_in_every_language(document: str, question: str) -> None:
    asked = words(question)
    assert asked
    assert asked <= in_document(document)


def test_words_that_a_document_lacks_are_not_found() -> None:
    document = in_document("产品的保修期为三年 Die Gewährleistung")
    assert not words("汽车") & document
    assert not words("Kündigung") & document


def test_english_stop_words_say_nothing() -> None:
    assert words("what is the of and to") == set()
    assert words("") == set()
    assert words(" \n?!… 🙂") == set() or words("🙂") <= in_document("🙂")


def test_a_rarer_repetition_weighs_more_but_saturates() -> None:
    once, thrice, often = (
        BM25.encode_documents([("corvus " * count) + "pump " * (50 - count)])[0] for count in (1, 3, 40)
    )
    (corvus,) = words("corvus")
    weights = [dict(zip(sparse.indices, sparse.values, strict=True))[corvus] for sparse in (once, thrice, often)]
    assert weights == sorted(weights)
    assert weights[2] < 2.2 + 1e-6, "k + 1 bounds what repetition can bring"


def test_half_of_a_surrogate_pair_breaks_nothing() -> None:
    assert words("warranty\udcff pump") >= words("pump")


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_is_found_by_itself_whatever_stands_around_it(text: str, around: str) -> None:
    assert words(text) <= in_document(f"{around} {text} {around}")


@given(st.lists(st.text(max_size=40), max_size=5))
def test_every_text_gets_its_vector_in_order_with_positive_weights(texts: list[str]) -> None:
    sparse = BM25.encode_documents(texts)
    assert len(sparse) == len(texts)
    for text, vector in zip(texts, sparse, strict=True):
        assert set(vector.indices) == words(text)
        assert all(weight > 0 for weight in vector.values)
