"""Sentences that results carry in English: how they read in Vietnamese."""

import re
from collections.abc import Callable, Container
from functools import cache

SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "The ranker gives no probabilities",
        "Cách xếp hạng này không nêu xác suất",
    ),
    (
        "There are no answers to score against",
        "Không có đáp án để chấm",
    ),
    (
        "There are no partners to rank",
        "Không có đối tác để xếp hạng",
    ),
    (
        "Not given: {}",
        "Dữ liệu không có: {}",
    ),
    (
        "deals have no date and train because the set is in its blind form: {}",
        "thương vụ không có ngày, vẫn được dùng để học vì bộ dữ liệu ở dạng ẩn đáp án: {}",
    ),
    (
        "deals have no date and do not train: {}",
        "thương vụ không có ngày, không được dùng để học: {}",
    ),
    (
        "rows of {} are alike in {} and count once: {}",
        "dòng của {} trùng nhau ở {}, chỉ tính một lần: {}",
    ),
    (
        "cells of {} were not in Unicode NFC or had blanks around them: {}",
        "ô của {} không ở dạng Unicode NFC hoặc có khoảng trắng thừa: {}",
    ),
    (
        '{}: the {} "{}" is in none of our tables: {}',
        '{}: {} "{}" không có trong bảng nào của chúng tôi: {}',
    ),
    (
        "{} on {}; the engine fitted on deals whose partners were permuted, against {} permutations of popularity",
        "{} trên lát cắt {}; mô hình học từ thương vụ bị đánh tráo đối tác, so với {} lần đánh tráo cách Phổ biến",
    ),
    (
        "change of {} on {} when the names of partners are masked in all texts",
        "thay đổi của {} trên lát cắt {} khi tên đối tác bị che trong mọi văn bản",
    ),
    (
        "share of queries with the name, host, description and value of a training project: {} of {}",
        "tỷ lệ truy vấn trùng tên, nước, mô tả và số vốn với một dự án đã học: {} trên {}",
    ),
    (
        "Too few data: {} dated deals, {} needed",
        "Chưa đủ dữ liệu: {} thương vụ có ngày, cần {}",
    ),
)
"""English, Vietnamese; `{}` stands for a value that stays as it is. A full stop at the end may be there or not."""


def told(text: str, lang: str, slices: Container[str], named: Callable[[str], str]) -> str | None:
    """A sentence of `SENTENCES` in a language ('vi' or 'en'), with slices by name; None for any other."""
    for pattern, both in _patterns():
        if found := pattern.fullmatch(text.removesuffix(".")):
            values = (f"“{named(v)}”" if v in slices else v for v in found.groups())
            return both[lang].format(*values) + ("." if text.endswith(".") else "")
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    return tuple(
        (re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL), {"en": english, "vi": vietnamese})
        for english, vietnamese in SENTENCES
    )
