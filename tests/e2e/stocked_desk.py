"""What offices have done at the desk before a test looks at its pages: contacts, work, outcomes, files, lists."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from official_files import FAULTY, GOOD, HEADING, workbook

from matcher.jobs import Site, imports, opening
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.reading import Options
from matcher.records import Query
from matcher.store import pipeline, reminders
from matcher.store.desk import Desk
from matcher.store.pipeline_rows import ASSIGNMENT, INTERACTION, OUTCOME, SHORTLIST

PORT = "HCMC-034"
"""A project of the product's own data with partners of many countries."""


NOTE, STEP, REASON, LOSS = "Hẹn gửi hồ sơ đất", "Gửi phương án đất", "Đã làm cảng cùng quy mô", "Giá đất"
NEW_PROJECT = "Trung tâm dữ liệu thử"
ENTERED = (
    NOTE, STEP, REASON, LOSS, *(f"{NEW_PROJECT} {lang}" for lang in ("vi", "en")), "Dự án", *HEADING,
    *{cell for row in FAULTY for cell in row if isinstance(cell, str) and cell},
)  # fmt: skip
"""What people typed in, which stays in their own language."""


@dataclass(frozen=True)
class Stock:
    """Identifiers of what is there: partners of the project's list (the first two at home in Japan for the mission),
    and the records that the offices wrote."""

    first: str
    second: str
    third: str
    japanese: str
    other_japanese: str
    interaction: int
    assignment: int
    outcome: int
    faulty_import: int
    good_import: int


def stock(site: Site, maker: Matchmaker, accounts: dict[str, int]) -> Stock:
    """Writes what `Stock` tells of; gives it."""
    ranked = [m.partner_id for m in maker.match(Query(project_id=PORT), n=5).matches]
    japanese = [m.partner_id for m in maker.match(Query(countries=("JP",)), n=20).matches]
    first, *rest = dict.fromkeys(japanese)
    with opening.open_desk(site) as desk:
        assignment = _work(desk, accounts["mission"], first)
        with desk.acting(accounts["officer"]) as acting:
            day = reminders.today(acting.cursor)
            _make(acting.cursor, SHORTLIST, partner_id=ranked[0], project_id=PORT, reason=REASON)
            made = _make(
                acting.cursor, OUTCOME, partner_id=ranked[1], project_id=PORT, result="lost", lost_reason=LOSS,
                lost_to_country="SG", decided_on=day, source="https://example.org/news",
            )  # fmt: skip
            faulty, good = (_sent(acting, rows, name) for rows, name in ((FAULTY, "loi.xlsx"), (GOOD, "dung.xlsx")))
        with desk.acting(accounts["mission"]) as acting:
            contact = _make(
                acting.cursor, INTERACTION, partner_id=first, project_id=PORT, kind="meeting",
                held_on=day - timedelta(days=3), next_on=day - timedelta(days=1), note=NOTE,
            )  # fmt: skip
    return Stock(
        first=ranked[0], second=ranked[1], third=ranked[2], japanese=first, other_japanese=rest[0],
        interaction=contact, assignment=assignment, outcome=made, faulty_import=faulty, good_import=good,
    )  # fmt: skip


def _work(desk: Desk, account: int, partner: str) -> int:
    with desk.acting(account) as acting:
        day = reminders.today(acting.cursor)
        return _make(
            acting.cursor, ASSIGNMENT, partner_id=partner, project_id=PORT, stage="negotiating", status="active",
            lead=True, next_step=STEP, next_on=day - timedelta(days=2), value_usd=250e6,
        )  # fmt: skip


def _make(cursor: psycopg.Cursor, records: Any, **values: Any) -> int:
    return int(pipeline.create(cursor, records, values)["id"])


def _sent(acting: Any, rows: Any, name: str) -> int:
    content = workbook({"Dự án": [HEADING, *rows]})
    options = Options(source=name, source_on=None, licence=None, sheet=None, mapping={})
    return imports.preview(acting, content, file=name, kind="projects", options=options).id
