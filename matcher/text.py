"""How text is normalised, folded and printed; the same everywhere, so that search and ranking agree."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff"))
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def nfc(text: str) -> str:
    """Text in Unicode NFC, without zero-width or control characters, with single spaces and no margin."""
    if text.isascii() and text.isprintable():  # the common case, without a look at every character
        return _SPACE.sub(" ", text).strip()
    text = text.translate(_ZERO_WIDTH)  # before composing, for a mark may stand behind such a character
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


def fold(text: str) -> str:
    """Text in lower case without diacritics; Vietnamese đ becomes d, full-width forms become narrow.

    Hangul stays composed, so that one syllable is one character.
    """
    if text.isascii():
        return text.casefold()
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).replace("đ", "d")
    text = "".join(c for c in text if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", text)


def tokens(text: str) -> Iterator[str]:
    """Folded words of a text; a run of Chinese, Japanese or Korean characters gives its bigrams."""
    for word in _WORD.findall(fold(text)):
        cjk = _CJK.search(word)
        if not cjk or len(word) == 1:
            yield word
        else:
            yield from (word[i : i + 2] for i in range(len(word) - 1))


def number(value: float | Decimal, lang: str, digits: int = 0) -> str:
    """A number as readers of `lang` ('vi' or 'en') write it: 1.234,5 or 1,234.5."""
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if lang == "vi" else text


def day(value: date, lang: str) -> str:
    """A date as readers of `lang` write it: dd/mm/yyyy in Vietnamese, ISO 8601 in English."""
    return value.strftime("%d/%m/%Y") if lang == "vi" else value.isoformat()


def money_usd(value: float, lang: str) -> str:
    """An amount in US dollars in millions, with at most one decimal: '4.800 tr USD' or '4,800 M USD'."""
    millions = value / 1e6
    digits = 0 if millions >= 100 or millions == int(millions) else 1
    unit = "tr USD" if lang == "vi" else "M USD"
    return f"{number(millions, lang, digits)} {unit}"
