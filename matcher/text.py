"""How text is normalised, folded and printed; the same everywhere, so that search and ranking agree."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff"))
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
# Letters that hardly any other language of ours has.
_VIETNAMESE = re.compile("[ăđơưảạấầẩẫậắằẳẵặẻẽẹếềểễệỉĩịỏọốồổỗộớờởỡợủũụứừửữựỳỷỹỵ]")

FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    lang: frozenset(words.split())
    for lang, words in {
        "plain": "va cua cac cho tai la co duoc trong voi tu den mot nhung de khi nay do theo ve bang se da dang cung "
        "chung toi gom vao ra tren duoi nhu nhieu hon moi rat phai nguoi con hoac o thi ma nen vi boi sau "
        "truoc giua",
        "en": "the of and for to in with is are by a an on from we our that this its it as at be or which their has "
        "have was were will more than into also not they who these each under over such all other some "
        "between most",
        "fr": "le la les des du de et une un pour dans par sur avec nous est au aux en nos notre qui que il elle ce "
        "ces son sa ses leur leurs plus ainsi afin dont ou sont ont se ne pas lui cette deja aussi sous entre "
        "chez vers d l",
        "de": "der die das und mit von fur den dem des ein eine einer eines einem einen im zu zur zum auf wir ist "
        "sind bei aus auch als nach unser unsere wird werden durch uber sowie oder am vom ihre ihren deren "
        "sich nicht bis unter wie",
    }.items()
}
"""Folded words without a subject of their own: they tell the language of a text and nothing else."""

_TOLD = 2
"""Function words that tell the language of a text; one alone may be a word of another language."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With what a text begins that a spreadsheet would run."""


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


def language(text: str) -> str | None:
    """The language of a text: vi, en, ja, ko, zh, fr, de, or plain for Vietnamese without diacritics; None: not told.

    Told by letters and, among the languages of Latin letters, by the function words that occur most.
    """
    signs = _CJK.findall(text)
    if 4 * len(signs) > sum(map(str.isalpha, text)):  # a name in other letters does not make a text foreign
        return "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh"
    if _VIETNAMESE.search(nfc(text).lower()):
        return "vi"
    words = _WORD.findall(fold(text))
    found = {lang: sum(w in known for w in words) for lang, known in FUNCTION_WORDS.items()}
    first, second = sorted(found, key=lambda lang: -found[lang])[:2]
    return first if found[first] >= _TOLD and found[first] > found[second] else None


def number(value: float | Decimal, lang: str, digits: int = 0) -> str:
    """A number as readers of `lang` ('vi' or 'en') write it: 1.234,5 or 1,234.5."""
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if lang == "vi" else text


def day(value: date, lang: str) -> str:
    """A date as readers of `lang` write it: dd/mm/yyyy in Vietnamese, ISO 8601 in English."""
    return value.strftime("%d/%m/%Y") if lang == "vi" else value.isoformat()


def money_usd(value: float, lang: str) -> str:
    """An amount in millions of US dollars, at most one decimal, never broken: '4.800 tr USD' or '4,800 M USD'."""
    millions = value / 1e6
    digits = 0 if millions >= 100 or millions == int(millions) else 1
    unit = "tr\u00a0USD" if lang == "vi" else "M\u00a0USD"
    return f"{number(millions, lang, digits)}\u00a0{unit}"
