"""Verified outcomes leave the store as files: what counts, what does not, and nothing from after the day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from databases import create_database, database_url, drop_database
from offices import JP, PEOPLE, PORT, WATER

from evaluation.outcomes import export
from matcher.errors import InputError
from matcher.store import Store, pipeline
from matcher.store.desk import Desk
from matcher.store.embedded import ROLE, EmbeddedServer
from matcher.store.pipeline_rows import OUTCOME

TODAY = datetime.now(UTC).date()  # noqa: TID251 - compared with the database's clock
LONG_AGO = TODAY - timedelta(days=400)
ACCOUNT = {login: number for number, login in enumerate(PEOPLE, start=11)}
_number = count(1)


@pytest.fixture
def stocked(embedded_server: EmbeddedServer, filled: dict[str, str]) -> Iterator[Store]:
    """A pair that was won, one that was lost, and one that nobody verified."""
    name = f"outcomes_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE, template="filled")
    url = database_url(embedded_server.url, name)
    desk = Desk.open(url)
    won = {"partner_id": JP, "result": "won", "role": "owner", "decided_on": LONG_AGO, "source": "=x"}
    lost = {**won, "result": "lost", "role": None, "lost_reason": "price"}
    numbers = []
    for values in ({**won, "project_id": PORT}, {**lost, "project_id": WATER}, {**won, "project_id": "HCMC-003"}):
        with desk.acting(ACCOUNT["tokyo.desk"]) as work:
            numbers.append(pipeline.create(work.cursor, OUTCOME, values)["id"])
    for number in numbers[:2]:
        with desk.acting(ACCOUNT["city.office"]) as work:
            pipeline.verify(work.cursor, number, "verified", None)
    desk.close()
    with Store.open(url) as store:
        yield store
    drop_database(embedded_server.admin_url, name)


def test_what_was_won_and_verified_is_relevant(stocked: Store, tmp_path: Path) -> None:
    out = tmp_path / "won.qrels"
    assert export(stocked, out) == 1
    assert out.read_text(encoding="utf-8") == f"{PORT} 0 {JP} 3\n"


def test_what_was_decided_long_ago_but_verified_later_is_not_known_before(stocked: Store, tmp_path: Path) -> None:
    assert export(stocked, tmp_path / "a.qrels", as_of=TODAY - timedelta(days=1)) == 0
    assert export(stocked, tmp_path / "b.qrels", as_of=TODAY) == 1


def test_tables_have_every_verified_outcome(stocked: Store, tmp_path: Path) -> None:
    assert export(stocked, tmp_path / "o.csv") == 2
    rows = pl.read_csv(tmp_path / "o.csv").to_dicts()
    assert [(r["project_id"], r["result"], r["reported_by"], r["verified_by"]) for r in rows] == [
        (PORT, "won", "u15", "u12"), (WATER, "lost", "u15", "u12"),
    ]  # fmt: skip
    assert rows[0]["source"] == "'=x", "no spreadsheet runs it"
    assert export(stocked, tmp_path / "o.xlsx") == 2
    with pytest.raises(InputError, match=r"\.qrels"):
        export(stocked, tmp_path / "o.pdf")
