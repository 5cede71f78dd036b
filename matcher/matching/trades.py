"""Text -> the trades that it names, in seven languages: a word for a thing finds the same thing in another language.

A trade is finer than an ISIC division: offshore wind, batteries and hydrogen are all division 35. The vocabulary is our
own, of general knowledge (2026-11-22), one line a trade in `trades.csv`; phrases are separated by ";".
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from matcher.text import fold

Floats = npt.NDArray[np.float64]

LANGUAGES = ("vi", "en", "ja", "ko", "zh", "fr", "de")

_SIGNS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[^\W_{_SIGNS}]+")
_CJK = re.compile(rf"[{_SIGNS}]")
_SPACE = re.compile(r"\s+")
_KEY = 3
_LONG = 5
"""Words of so many letters are found with an ending of up to two more, shorter ones of three or four with an s."""
_OPEN = "*"
"""Marks the beginning of a word that may go on as it likes."""


class Trades:
    """Finds the phrases of a vocabulary in texts: words by their beginnings, Chinese, Japanese and Korean anywhere.

    Case, width and diacritics do not matter, nor do blanks between Korean words.
    """

    def __init__(self, phrases: Sequence[tuple[str, str]]) -> None:
        """Args: phrases: (trade, phrase) pairs."""
        self.names = tuple(sorted({trade for trade, _ in phrases}))
        self._words: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._signs: dict[str, list[tuple[str, str]]] = {}
        for trade, phrase in phrases:
            folded = fold(phrase)
            if _CJK.search(folded):
                whole = _SPACE.sub("", folded)
                self._signs.setdefault(whole[:1], []).append((whole, trade))
            elif words := tuple(re.findall(r"[^\W_]+\*?", folded)):
                self._words.setdefault(words[0].rstrip(_OPEN)[:_KEY], []).append((words, trade))

    def of(self, text: str) -> dict[str, int]:
        """Trade -> by how many different phrases a text names it, > 0."""
        folded = fold(text)
        found = {*self._by_words(_WORD.findall(folded)), *self._by_signs(folded)}
        return dict(Counter(trade for _, trade in found))

    def vectors(self, texts: Sequence[str]) -> Floats:
        """log(1 + number of phrases) of each trade in each text, shape (n_texts, n_trades), >= 0."""
        column = {trade: i for i, trade in enumerate(self.names)}
        out = np.zeros((len(texts), len(column)))
        for row, text in enumerate(texts):
            for trade, phrases in self.of(text).items():
                out[row, column[trade]] = np.log1p(phrases)
        return out

    def _by_words(self, words: list[str]) -> Iterator[tuple[object, str]]:
        for place, word in enumerate(words):
            for phrase, trade in self._words.get(word[:_KEY], ()):
                if place + len(phrase) <= len(words) and all(map(_same, phrase, words[place:])):
                    yield phrase, trade

    def _by_signs(self, folded: str) -> Iterator[tuple[object, str]]:
        if not _CJK.search(folded):
            return
        signs = _SPACE.sub("", folded)
        for place, sign in enumerate(signs):
            for phrase, trade in self._signs.get(sign, ()):
                if signs.startswith(phrase, place):
                    yield phrase, trade


def _same(known: str, seen: str) -> bool:
    """A word of the vocabulary is this word, perhaps with an ending."""
    if known.endswith(_OPEN):
        return seen.startswith(known[:-1])
    more = len(seen) - len(known)
    if len(known) < _LONG:
        return seen == known or (len(known) > 2 and seen == known + "s")
    return 0 <= more <= 2 and seen.startswith(known)


@lru_cache(maxsize=1)
def known() -> Trades:
    """The vocabulary of the program."""
    text = resources.files(__package__).joinpath("trades.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return Trades(
        [
            (row["trade"], phrase)
            for row in rows
            for lang in LANGUAGES
            for phrase in row[lang].split(";")
            if phrase.strip()
        ]
    )
