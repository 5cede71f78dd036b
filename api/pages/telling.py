"""What was expected, what was seen and what to do, in the reader's language.

Errors are worded in English where they arise. Their patterns, with named slots, stand in `telling_values`,
`telling_refusals` and `telling_files`, each with the Vietnamese sentence that tells the same; the catalogue has it in
plain English. What fits no pattern is told in general words and keeps the original as a technical detail.
"""

import gettext
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache, partial
from typing import Any

from api.language import RESULT_NAMES, STAGE_NAMES, USER_ROLE_NAMES, _, read_catalogue
from api.pages.telling_files import FILES, PARTS
from api.pages.telling_names import (
    FIELD_NAMES,
    FILE_CODES,
    FILE_LABELS,
    OF_KIND,
    OWN_CODES,
    TABLE_NAMES,
    UNIT_NAMES,
    VERDICT_NAMES,
)
from api.pages.telling_refusals import GENERAL, REFUSALS
from api.pages.telling_values import EXPECTED, WHYS
from api.schemas import Lang
from matcher.ingest.headings import code_of
from matcher.text import day, number

Pattern = tuple[re.Pattern[str], str]

_SLOT = re.compile(r"\{([a-z_]+)\}")
_SHAPES = {
    "n": r"[\d.,e+-]+", "least": r"[\d.e+-]+", "most": r"[\d.,e+-]+",
    "literals": r"'[^']*'(?:, '[^']*')*(?: or '[^']*')?",
    "field": r"[\w-]+", "key": r"\w+", "fields": r"\w+(?:(?: or |, )\w+)*", "day": r"\d{4}-\d\d-\d\d",
    "pointer": r"\??[/\w.-]*", "column": r"[^\n]+?",
}  # fmt: skip
"""Slot -> what it may hold; any text where none stands here."""

VALUE_UNKNOWN = _("Giá trị này chưa dùng được. Hãy xem chi tiết kỹ thuật.")
REFUSAL_UNKNOWN = _("Chưa làm được việc này. Hãy xem chi tiết kỹ thuật.")
NEARBY = _("%(sentence)s Gần giống: %(near)s.")
MEANT = _("%(sentence)s Có phải là “%(near)s”?")
IN_CELL = _("Trang tính “%(sheet)s”, dòng %(row)s, cột “%(column)s”: %(why)s")
IN_ROW = _("Dòng %(row)s, cột “%(column)s”: %(why)s")
YES, NO = _("có"), _("không")
NO_COUNTRY = _("chưa có nước nào")
LABEL_AND_CODE = _("%(name)s (%(code)s)")


class Told(str):
    """A sentence for the reader.

    Attributes:
        original: the English words that no pattern knows, to be shown as a technical detail; else ''.
    """

    __slots__ = ("original",)
    original: str

    def __new__(cls, sentence: str, original: str = "") -> "Told":
        """The sentence, with what could not be told."""
        made = super().__new__(cls, sentence)
        made.original = original
        return made


def told(expected: str, lang: Lang) -> Told:
    """What a value should have been, as a sentence that says what to do."""
    head, joint, near = expected.partition("; nearby: ")
    if joint:
        return _with(NEARBY, told(head, lang), near, lang)
    head, joint, near = expected.partition("; did you mean ")
    if joint:
        return _with(MEANT, told(head, lang), near.removesuffix("?"), lang)
    found = _fill(_expected(), expected, lang)
    return Told(found) if found is not None else _unknown(VALUE_UNKNOWN, expected, lang)


def sentence(message: str, lang: Lang) -> Told:
    """Why something was refused, and the way out."""
    several = re.split(r"; (?=[/?][\w/.-]* is \")", message)
    if len(several) > 1:
        return _joined(sentence(part, lang) for part in several)
    found = _fill(_sentences(), message, lang)
    return Told(found) if found is not None else _unknown(REFUSAL_UNKNOWN, message, lang)


def told_by_field(errors: Iterable[Mapping[str, str]], lang: Lang) -> dict[str, Told]:
    """Name of a field -> what its first error expects; what is about no field stands under ''."""
    found: dict[str, Told] = {}
    for error in errors:
        name = error["pointer"].strip("/?").partition("/")[0]
        if name not in found:
            found[name] = told(error["expected"], lang)
    return found


def cell(wrong: Mapping[str, Any], lang: Lang) -> Told:
    """What is wrong in a file: sheet, row, column, and what to do; `wrong` is an entry of an import's `errors`."""
    why = cell_reason(wrong, lang)
    if wrong["row"] is None or wrong["column"] is None:
        return why
    place = {"sheet": wrong["sheet"], "row": wrong["row"], "column": wrong["column"], "why": why}
    return Told(say(IN_CELL if wrong["sheet"] else IN_ROW, lang) % place, why.original)


def cell_reason(wrong: Mapping[str, Any], lang: Lang) -> Told:
    """What is wrong with a cell, or with the file as a whole, without its place."""
    if wrong["row"] is None or wrong["column"] is None:
        return sentence(wrong["message"], lang)
    found = _fill(_reasons(), wrong["message"].rpartition(f'"{wrong["seen"]}" ')[2], lang)
    return told(wrong["expected"], lang) if found is None else Told(found)


def field_name(pointer: str, lang: Lang, of: str = "") -> str:
    """The label of a field that an error points to; one that is no field of ours stays as it is.

    Args:
        of: the kind of record, where a field has another label there than elsewhere: 'outcomes'.
    """
    parts = [p for p in re.split(r"[/?.]", pointer) if p and not p.isdigit()]
    name = parts[-1] if parts else ""
    label = OF_KIND.get(f"{of}.{name}") or FIELD_NAMES.get(name)
    return say(label, lang) if label else name


# Inside


def say(text: str, lang: Lang) -> str:
    """A text of the catalogues in a language."""
    return _catalogue(lang).gettext(text)


@cache
def _catalogue(lang: Lang) -> gettext.NullTranslations:
    return read_catalogue(lang)


@cache
def _patterns(rows: tuple[tuple[str, str], ...]) -> tuple[Pattern, ...]:
    return tuple((_compiled(text), said) for text, said in rows)


def _compiled(text: str) -> re.Pattern[str]:
    """The pattern as an expression; a slot that is not told may stand in it several times."""
    pieces = _SLOT.split(text)
    made = [
        re.escape(piece) if i % 2 == 0 else ".+" if piece == "_" else f"(?P<{piece}>{_SHAPES.get(piece, '.*?')})"
        for i, piece in enumerate(pieces)
    ]
    return re.compile("".join(made), re.DOTALL)


def _expected() -> tuple[Pattern, ...]:
    return _patterns(EXPECTED)


def _reasons() -> tuple[Pattern, ...]:
    return _patterns(WHYS)


def _sentences() -> tuple[Pattern, ...]:
    return (*_patterns(FILES), *_patterns(REFUSALS), *_patterns(GENERAL))


def _fill(patterns: tuple[Pattern, ...], text: str, lang: Lang) -> str | None:
    """The sentence of the first pattern that fits, its slots told; None when none does."""
    for pattern, said in patterns:
        found = pattern.fullmatch(text)
        if found:
            slots = {name: _SLOTS.get(name, _as_it_is)(value, lang) for name, value in found.groupdict().items()}
            return say(said, lang) % slots
    return None


def _unknown(general: str, original: str, lang: Lang) -> Told:
    return Told(original) if lang == "en" else Told(say(general, lang), original)


def _with(frame: str, said: Told, near: str, lang: Lang) -> Told:
    return Told(say(frame, lang) % {"sentence": said, "near": near}, said.original)


def _joined(said: Iterable[Told]) -> Told:
    parts = list(said)
    originals = " ".join(dict.fromkeys(p.original for p in parts if p.original))
    return Told(" ".join(dict.fromkeys(parts)), originals)


# How slots are told


def _as_it_is(value: str, _lang: Lang) -> str:
    return value


def _named(value: str, lang: Lang, *, names: Mapping[str, str]) -> str:
    return say(names[value], lang) if value in names else value


def _choices(value: str, lang: Lang, *, joint: str = " or ") -> str:
    return codes(value.split(joint), lang)


def codes(values: list[str], lang: Lang) -> str:
    """Codes by their names; where they are written into files, with the code unless the name is understood, too."""
    for names in OWN_CODES:
        if set(values) <= set(names):
            return ", ".join(say(names[v], lang) for v in values)
    for place, labels in FILE_LABELS.items():
        if set(values) <= set(labels):
            return ", ".join(_label(v, labels[v][lang], place, lang) for v in values)
    for place, names in FILE_CODES.items():
        if set(values) <= set(names):
            return ", ".join(_label(v, say(names[v], lang), place, lang) for v in values)
    return ", ".join(values)


def code_name(code: str, place: str, lang: Lang) -> str:
    """The name of a code of a table's column; one without a name stays as it is."""
    if code in ("true", "false", "True", "False"):
        return say(YES if code.lower() == "true" else NO, lang)
    names = FILE_LABELS.get(place, {})
    if code in names:
        return names[code][lang]
    return say(FILE_CODES.get(place, {}).get(code, code), lang)


def cell_word(code: str, place: str, lang: Lang) -> str:
    """What a reader may write for a code into a file's column `place`: a word of his language that is understood."""
    table, _dot, column = place.partition(".")
    names = FILE_LABELS.get(place, {})
    return names[code][lang] if code in names and code_of(names[code][lang], table, column) == code else code


def _label(code: str, name: str, place: str, lang: Lang) -> str:
    table, _dot, column = place.partition(".")
    if code_of(name, table, column) == code:
        return name
    return say(LABEL_AND_CODE, lang) % {"name": name, "code": code}


def _fields(value: str, lang: Lang) -> str:
    return ", ".join(field_name(name, lang) for name in re.split(r" or |, ", value))


def _key(value: str, lang: Lang) -> str:
    return field_name(value, lang, f"{value.removesuffix('_id')}s")


def _day(value: str, lang: Lang) -> str:
    return day(date.fromisoformat(value), lang)


def _number(value: str, lang: Lang) -> str:
    plain = value.replace(",", "")
    try:
        return number(float(plain), lang, 0 if float(plain) == int(float(plain)) else 2)
    except (ValueError, OverflowError):
        return value


def _literals(value: str, lang: Lang) -> str:
    return codes(re.findall(r"'([^']*)'", value), lang)


def _parts(value: str, lang: Lang) -> str:
    return ", ".join(_fill(_patterns(PARTS), part, lang) or part for part in re.split(r"; |, ", value))


def _sentences_of(value: str, lang: Lang) -> str:
    return " ".join(sentence(part, lang) for part in value.split("; "))


_SLOTS: Mapping[str, Callable[[str, Lang], str]] = {
    "stage": partial(_named, names=STAGE_NAMES), "result": partial(_named, names=RESULT_NAMES),
    "role": partial(_named, names=USER_ROLE_NAMES), "table": partial(_named, names=TABLE_NAMES),
    "other_table": partial(_named, names=TABLE_NAMES), "record": partial(_named, names=TABLE_NAMES),
    "verdict": partial(_named, names=VERDICT_NAMES), "unit": partial(_named, names=UNIT_NAMES),
    "other": partial(_named, names=UNIT_NAMES), "field": field_name, "pointer": field_name, "fields": _fields,
    "key": _key,
    "codes": partial(_choices, joint=", "), "choices": _choices, "literals": _literals, "day": _day, "n": _number,
    "most": _number, "least": _number, "rate": _number, "limit": _number,
    "countries": lambda value, lang: say(NO_COUNTRY, lang) if value == "no country" else value,
    "rows": lambda value, _lang: ", ".join(value.split(" and ")), "expected": told, "sentence": sentence,
    "sentences": _sentences_of, "parts": _parts,
}  # fmt: skip
