"""What is told when a value is unknown: what was expected, and what exists nearby."""

from collections.abc import Callable, Mapping

from rapidfuzz import fuzz, process

from matcher.errors import InputError
from matcher.text import fold, nfc

NEARBY = 5
KEY_ALIKE, TEXT_ALIKE, PART_ALIKE = 70, 75, 80
"""From 0 to 100, how alike what was asked for and a record are, so that it is worth naming: below them anything may
come. Source: our choice, on unknown codes and names in Vietnamese and English."""


def one_of(value: str, known: set[str], pointer: str) -> str:
    """The known value that equals this one but for case."""
    if value in known:
        return value
    same = [k for k in known if k.casefold() == value.casefold()]
    if same:
        return same[0]
    near = nearest(value, {k: k for k in sorted(known)}, str)
    raise unknown(value, pointer, "one of " + ", ".join(sorted(known)[:40]), near)


def unknown(value: str, pointer: str, expected: str, near: list[str]) -> InputError:
    """The refusal of an unknown value: where it stood, what was expected, what exists nearby."""
    hint = f"; nearby: {', '.join(near)}" if near else ""
    text = f'{pointer} is "{value[:100]}"; expected {expected}{hint}'
    return InputError(text, [{"pointer": pointer, "seen": value[:100], "expected": f"{expected}{hint}"}])


def nearest(value: str, choices: Mapping[str, str], label: Callable[[str], str]) -> list[str]:
    """Labels of the choices whose key or text resembles a value, best first; empty when none does."""
    wanted = fold(nfc(value))
    by_key = process.extract(
        wanted, {c: fold(c) for c in choices}, scorer=fuzz.ratio, limit=NEARBY, score_cutoff=KEY_ALIKE
    )
    texts = {c: fold(text) for c, text in choices.items()}
    by_text = process.extract(wanted, texts, scorer=fuzz.WRatio, limit=NEARBY, score_cutoff=TEXT_ALIKE)
    found = [*by_key, *by_text]
    if not found:
        by_part = process.extract(wanted, texts, scorer=fuzz.partial_ratio, limit=NEARBY, score_cutoff=PART_ALIKE)
        found = list(by_part)
    return [label(key) for key in list(dict.fromkeys(key for _, _, key in found))[:NEARBY]]
