import unicodedata
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from matcher.text import day, fold, money_usd, nfc, number, tokens

# Letters of the languages that facts come in, with marks, widths, controls and invisible characters.
TEXT = st.text(
    st.sampled_from("aAđĐếỆưƠ ßİıéﬁＡ㎒№ℌ株式会社호찌민ｶﾞ\u0301\u0323\u031b\u200b\u00ad\ufeff\t\n\u2028\x00.-")
    | st.characters(codec="utf-8"),
    max_size=40,
)


@given(TEXT)
@example("e\u200b\u0301")  # the mark joins its letter once nothing stands between
def test_normal_text_is_composed_visible_and_stays_as_it_is(text: str) -> None:
    once = nfc(text)
    assert unicodedata.is_normalized("NFC", once)
    assert nfc(once) == once
    assert once == once.strip()
    assert "  " not in once
    assert not any(c in once for c in "\u200b\ufeff\n\t\x00")


@given(TEXT)
def test_composed_and_decomposed_text_are_one(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    assert nfc(apart) == nfc(unicodedata.normalize("NFC", text))
    assert fold(apart) == fold(text)


@given(TEXT)
@example("℡ ㎒ №")
def test_folded_text_has_no_case_and_stays_as_it_is(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert once.casefold() == once


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ĐƯỜNG SẮT ĐÔ THỊ", "duong sat do thi"), ("Cảng Cần Giờ", "cang can gio"),
        ("Électricité de France", "electricite de france"),
        ("ＡＢＣ 半導体", "abc 半導体"), ("호찌민", "호찌민"), ("50 ㎒", "50 mhz"), ("№ 1", "no 1"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_folding_removes_marks_case_and_width(text: str, plain: str) -> None:
    assert fold(text) == plain


def test_chinese_japanese_and_korean_words_give_their_bigrams() -> None:
    assert list(tokens("Cảng container Cần-Giờ, 2025!")) == ["cang", "container", "can", "gio", "2025"]
    assert list(tokens("半導体工場 fab")) == ["半導", "導体", "体工", "工場", "fab"]
    assert list(tokens("港")) == ["港"]
    assert list(tokens("?! … — 。")) == []


@given(TEXT)
def test_words_are_found_with_and_without_diacritics(text: str) -> None:
    assert list(tokens(text)) == list(tokens(fold(text)))


def test_numbers_days_and_amounts_are_written_as_readers_write_them() -> None:
    assert (number(1234567.5, "vi", 1), number(1234567.5, "en", 1)) == ("1.234.567,5", "1,234,567.5")
    assert (day(date(2026, 3, 9), "vi"), day(date(2026, 3, 9), "en")) == ("09/03/2026", "2026-03-09")
    assert (money_usd(4.8e9, "vi"), money_usd(4.8e9, "en")) == ("4.800\u00a0tr\u00a0USD", "4,800\u00a0M\u00a0USD")
    assert (money_usd(12.5e6, "vi"), money_usd(12.5e6, "en")) == ("12,5\u00a0tr\u00a0USD", "12.5\u00a0M\u00a0USD")
