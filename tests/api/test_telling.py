"""What the English errors of the sources become in front of a reader: nothing falls through silently."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from api import refusals
from api.language import WEB
from api.pages import telling
from api.pages.telling_files import FILES, PARTS
from api.pages.telling_names import FIELD_NAMES
from api.pages.telling_refusals import GENERAL, REFUSALS
from api.pages.telling_values import EXPECTED, WHYS
from api.schemas_pipeline import NewAssignment, NewInteraction, NewOutcome, NewShortlist
from api.schemas_projects import NewProject
from matcher.ingest import neutral, tables
from matcher.ingest.headings import code_of
from matcher.ingest.spoken import WHY_NOT
from matcher.records import PARTNER_KINDS, TABLES

ROOT = Path(__file__).parents[2]
WALKED = (
    "api", "matcher/stages.py", "matcher/ingest/csvfile.py", "matcher/ingest/neutral.py", "matcher/ingest/spoken.py",
    "matcher/ingest/tables.py", "matcher/ingest/xlsxfile.py", "matcher/jobs/asking.py", "matcher/jobs/changes.py",
    "matcher/jobs/importing.py", "matcher/jobs/imports.py", "matcher/jobs/matchmaker.py", "matcher/jobs/nearby.py",
    "matcher/jobs/reading.py", "matcher/jobs/resembling.py", "matcher/matching/catalogue.py",
    "matcher/matching/drafts.py", "matcher/matching/retrieve.py", "matcher/store/desk.py",
    "matcher/store/feedback_pages.py", "matcher/store/imports.py", "matcher/store/offices.py",
    "matcher/store/pipeline.py", "matcher/store/pipeline_rows.py", "matcher/store/undoing.py",
)  # fmt: skip
"""Where what a page shows is refused or remarked."""

REFUSALS_OF_OURS = {
    "InputError", "ConflictError", "ForbiddenError", "NotFoundError", "SourceError", "StaleArtefactError", "BusyError",
    "StaleMatchError", "MissingMatchError", "TooManyError", "UnauthenticatedError", "MatcherError", "CellsError",
}  # fmt: skip
EXPECTED_AT = {"_error": 2, "unknown": 2, "_unknown": 2, "_refusal": 2}
"""Function -> place of the words that say what was expected."""
ELSEWHERE = (
    "is too short or others may read it", "permissions.csv", "restore it from the repository", "both have",
    "FIELD=VALUE, such as", "is hidden; come back",
)  # fmt: skip
"""Parts of messages that no page shows: of commands, of the start, or whole only where they are completed."""
SAMPLES = {
    "_SAVE": 'save it as "CSV UTF-8 (comma delimited)" and try again',
    "day.isoformat()": "2026-11-22", "today.isoformat()": "2026-11-22", "kind.table": "outcome", "table": "partners",
    "target": "partners", "kind": "partners", "kind[:-1]": "partner", "stage": "won", "field": "status",
    "' or '.join(choice)": "next_step or next_on", "' or '.join(reasoned)": "lost or abandoned",
    "', '.join(ROLES)": "owner, lender", "who": "The city", "what": "a key of partners",
    "nearest(value, keys)": " (nearest: P1, P2)", "nearest(sheet, names)": " (nearest: P1, P2)", "cells": "3",
    "', '.join(covered) or 'no country'": "JP, KR", "where": "is at home in US", "expected": "a value",
    "why": "is hidden", "csvfile:expected": "3", "at": ' of the sheet "x"', "writes:seen": "12 characters",
    "pointer": "/held_on", "error": 'There is no partner "x".', "hint": "", "low": "value_min", "high": "value_max",
    "'; '.join(said)": 'the sheet "x" is not read: it is hidden', "_difference(found.report, now)": "1 new then, 2 now",
    "', '.join(said)": "3 of deals", "newest['verdict']": "rejected", "column": "project_id", "day": "2026-11-22",
    "', '.join(unknown)": "value_usd, form", "missing[0]": "partner_id", "near[0]": "name", "twice[0]": "name",
    "likely": "name", "unit.of": "usd", "meant": "vnd", "offices:who": "Your mission",
}  # fmt: skip
"""Expression in a template -> what may stand there; 12 where it is not here."""


def sample(value: ast.FormattedValue, file: str) -> str:
    expression = ast.unparse(value.value)
    text = SAMPLES.get(f"{file}:{expression}", SAMPLES.get(expression, "12"))
    return repr(text) if value.conversion == ord("r") else text


def template(node: ast.expr | None, file: str) -> str | None:
    """The text that a node makes, with samples for what is filled in; None when it is no text of its own."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(
                str(v.value) if isinstance(v, ast.Constant) else sample(v, file)
                for v in values
                if isinstance(v, ast.Constant | ast.FormattedValue)
            )
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            a, b = template(left, file), template(right, file)
            return None if a is None else a + (b or "")
        case _:
            return None


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def words(tree: ast.AST, file: str) -> Iterator[tuple[int, str, str]]:
    """Line, where it is told, and the words."""
    for node in ast.walk(tree):
        found: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.Call):
            name = name_of(node)
            args = node.args
            if name in REFUSALS_OF_OURS and args:
                found.append(("sentence", args[0]))
            elif name == "HTTPException" and len(args) > 1:
                found.append(("sentence", args[1]))
            elif name == "ValueError" and args:
                found.append(("expected", args[0]))
            elif name in ("refuse", "_refuse") and len(args) > 1 and template(args[1], file):
                joint = "x.csv: " if name == "refuse" else ""
                end = "" if name == "refuse" else "; come back in 12 s."
                found.append(("sentence", ast.Constant(f"{joint}{template(args[1], file)}{end}")))
            elif name == "add" and len(args) == 4:
                found += [("cell", args[2]), ("expected", args[3])]
            elif name == "note" and len(args) == 5:
                found += [("cell", args[3]), ("expected", args[4])]
            if name in EXPECTED_AT and len(args) > EXPECTED_AT[name]:
                found.append(("expected", args[EXPECTED_AT[name]]))
            found += [("expected", k.value) for k in node.keywords if k.arg == "expected"]
        elif isinstance(node, ast.Dict):
            keys = [k.value if isinstance(k, ast.Constant) else None for k in node.keys]
            found += [("expected", v) for k, v in zip(keys, node.values, strict=True) if k == "expected"]
        elif isinstance(node, ast.Assign | ast.AugAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "expected":
                found.append(("expected", node.value))
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                if target.value.id == "warnings":
                    found.append(("sentence", target.slice))
                if target.value.id == "left":
                    text = template(node.value, file)
                    found.append(("sentence", ast.Constant(f'the sheet "x" is not read: it {text}') if text else None))
        for where, part in found:
            text = template(part, file)
            if text and text not in ("x", "12"):
                yield getattr(node, "lineno", 0), where, text


def sources() -> list[Path]:
    found = [f for p in WALKED for f in (sorted((ROOT / p).rglob("*.py")) if (ROOT / p).is_dir() else [ROOT / p])]
    return [f for f in found if not f.stem.startswith("telling")]


ALL = [(f.relative_to(ROOT), *w) for f in sources() for w in words(ast.parse(f.read_text(encoding="utf-8")), f.stem)]


def test_every_refusal_of_the_sources_has_its_words() -> None:
    """A new message without a pattern fails here; add one to `api/pages/telling_*.py`."""
    assert len(ALL) > 150
    silent = []
    for file, line, where, text in ALL:
        tell = {"sentence": telling.sentence, "expected": telling.told, "cell": None}[where]
        if tell is None:
            wrong = {"sheet": "S", "row": 2, "column": "c", "seen": "x", "message": f'row 2: "x" {text}',
                     "expected": "no words for this"}  # fmt: skip
            original = telling.cell(wrong, "vi").original
        else:
            original = tell(text, "vi").original
        if original and not any(part in text for part in ELSEWHERE):
            silent.append(f"{file}:{line}: {where}: {text}")
    assert not silent, "\n".join(silent)


def test_the_walk_finds_what_it_is_for() -> None:
    texts = {text for _file, _line, _where, text in ALL}
    assert "This pair is on the shortlist already, as 12." in texts
    assert "is required and may not be empty" in texts
    assert any(t.startswith("a day that has come") for t in texts)
    assert any("is protected by a password" in t for t in texts)
    assert 'the sheet "x" is not read: it is hidden' in texts


@pytest.mark.parametrize(
    "message",
    [
        *(why for _pattern, why in tables._PATTERNS.values()), *WHY_NOT.values(),
        "can be two dates; write 2026-02-01 or 2026-01-02", f"is not one of {', '.join(PARTNER_KINDS)}",
    ],
)  # fmt: skip
def test_every_reason_of_a_cell_has_its_words(message: str) -> None:
    wrong = {"sheet": None, "row": 2, "column": "Vốn", "seen": "x", "message": f'f, row 2, column "Vốn": "x" {message}',
             "expected": "no words for this"}  # fmt: skip
    told = telling.cell(wrong, "vi")
    assert told.startswith("Dòng 2, cột “Vốn”: ")
    assert not told.original


@pytest.mark.parametrize("kind", sorted(refusals._EXPECTED))
def test_every_refusal_of_a_form_has_its_words(kind: str) -> None:
    context = {"min_length": 1, "max_length": 500, "expected": "'contact', 'meeting' or 'visit'"}
    told = telling.told(refusals.expected({"type": kind, "ctx": context, "msg": "?"}), "vi")
    assert not told.original, told.original


@pytest.mark.parametrize(
    "text", ["greater than or equal to 0", "less than 9223372036854775808", "String should match pattern '^[A-Z]{3}$'"]
)
def test_words_of_the_validator_are_told(text: str) -> None:
    assert not telling.told(text, "vi").original


def test_every_field_of_a_form_or_file_has_a_label() -> None:
    fields = {n for m in (NewInteraction, NewShortlist, NewAssignment, NewOutcome, NewProject) for n in m.model_fields}
    fields |= {f for kind in ("projects", "partners", "deals", "activities") for f in neutral.fields_of(kind)}
    assert fields - set(FIELD_NAMES) == set()
    assert telling.field_name("/held_on", "vi") == "Ngày tiếp xúc"
    assert telling.field_name("/isic/0", "vi") == "Mã ngành ISIC"
    assert telling.field_name("?q", "en") == "Words to search for"
    assert telling.field_name("/source", "vi", "outcomes") == "Căn cứ"
    assert telling.field_name("/Dự án/14/Vốn (tỷ đồng)", "vi") == "Vốn (tỷ đồng)"


def test_slots_are_told_in_the_reader_s_words() -> None:
    expected = "a value: the stage engaged needs next_step or next_on"
    assert telling.told(expected, "vi") == (
        "Giai đoạn “tiếp cận” cần có: Bước tiếp theo, Ngày hẹn tiếp theo. Hãy điền mục này."
    )
    assert "Next step" in telling.told(expected, "en")
    assert "22/11/2026" in telling.told("a day that has come; today is 2026-11-22 (UTC)", "vi")
    near = telling.told("the id of one of the partners; nearby: P1 (Kobe Port), P2 (Kobe Bank)", "vi")
    assert near.endswith("Gần giống: P1 (Kobe Port), P2 (Kobe Bank).")
    assert "quốc gia" not in near
    both = telling.sentence('/held_on is "2027-01-01", expected a day; /kind is "x", expected a value', "vi")
    assert "“Ngày tiếp xúc”" in both
    assert "“Loại hình”" in both


def test_codes_that_a_file_may_hold_are_told_so_that_they_can_be_written() -> None:
    for lang in ("vi", "en"):
        for place, labels in telling.FILE_LABELS.items():
            table, _dot, column = place.partition(".")
            words = telling.codes(list(labels), lang).split(", ")
            assert [code_of(word, table, column) for word in words] == list(labels), (
                f"{place}: every word is understood"
            )


def test_what_nobody_knows_keeps_its_english_for_the_technical_detail() -> None:
    told = telling.told("something quite new", "vi")
    assert told == "Giá trị này chưa dùng được. Hãy xem chi tiết kỹ thuật."
    assert told.original == "something quite new"
    assert telling.sentence("A fault nobody foresaw.", "vi").original == "A fault nobody foresaw."
    assert telling.told("something quite new", "en") == "something quite new"


def test_a_cell_is_told_with_sheet_row_and_column() -> None:
    wrong = {
        "sheet": "Dự án", "row": 14, "column": "Vốn (tỷ đồng)", "seen": "12,5 ty", "expected": "write 12.5 or 12,5",
        "message": 'Sheet "Dự án", row 14, column "Vốn (tỷ đồng)": "12,5 ty" is not a number; write 12.5 or 12,5',
    }  # fmt: skip
    assert telling.cell(wrong, "vi") == (
        "Trang tính “Dự án”, dòng 14, cột “Vốn (tỷ đồng)”: Đây không phải là số. Hãy ghi như 12,5."
    )
    assert telling.cell(wrong, "en").startswith("Sheet “Dự án”, row 14, column “Vốn (tỷ đồng)”: This is not a number.")


def test_no_pattern_stands_behind_one_that_takes_its_place() -> None:
    """Of several patterns the first counts: each must be the first for its own example."""
    for rows in (EXPECTED, WHYS, (*FILES, *REFUSALS, *GENERAL), PARTS):
        compiled = [telling._compiled(pattern) for pattern, _said in rows]
        for i, (pattern, said) in enumerate(rows):
            text = re.sub(r"\{([a-z_]+)\}", lambda m: EXAMPLES.get(m[1], "12"), pattern)
            first = next(j for j, c in enumerate(compiled) if c.fullmatch(text))
            assert first == i or rows[first][1] == said, f"{pattern} is hidden by {rows[first][0]}"


EXAMPLES = {
    "field": "status", "fields": "next_step", "day": "2026-11-22", "literals": "'a' or 'b'", "least": "1", "most": "9",
    "pointer": "/x", "codes": "a, b", "seen": "x", "sentence": "Something is wrong", "_": "x",
}  # fmt: skip


def test_both_catalogues_hold_every_sentence() -> None:
    with (WEB / "locale" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        english = {m.id: m.string for m in read_po(file, locale="en") if isinstance(m.id, str)}
    said = {s for rows in (EXPECTED, WHYS, FILES, REFUSALS, GENERAL, PARTS) for _pattern, s in rows}
    assert {s for s in said if not english.get(s)} == set()
    for text in said:
        assert set(re.findall(r"%\((\w+)\)s", text)) == set(re.findall(r"%\((\w+)\)s", str(english[text])))


def test_tables_of_files_are_covered() -> None:
    assert {"projects", "partners", "deals", "activities"} <= set(TABLES)
