"""A match dataset made by hand: six partners, four of them with training deals, and six queries.

| partner | home, kind | training projects | in |
|---|---|---|---|
| oa | JP company | pa, pb, pc | VN, TH, VN |
| ob | KR fund | pa, pb | VN, TH |
| oc | JP company | pb | TH |
| od | – bank | pd | US |
| oe | SG company | none (a deal after the split) | |
| of | SG company | none | |
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

import polars as pl

from evaluation.datasets import Dataset

SPLIT = date(2019, 12, 31)

_COLUMNS = {
    "projects": "project_id name sector isic country announced_on description region city announced_precision",
    "partners": "partner_id name country kind sector description",
    "deals": "project_id partner_id role closed_on value_usd closed_precision",
}
"""Columns of the format; a row gives the first ones."""

PROJECTS = [
    ("pa", "Cảng Cái Mép mở rộng", "Ports", "52", "VN", date(2015, 1, 1)),
    ("pb", "Deep sea port", "Ports", "52", "TH", date(2016, 1, 1)),
    ("pc", "River port", "Ports", "52", "VN", date(2017, 1, 1)),
    ("pd", "Gas power station", "Energy", "35", "US", date(2018, 1, 1)),
    ("pe", "Beach resort", "Tourism", "55", "US", date(2019, 1, 1)),
    ("q1", "Bến cảng container mới", "Ports", "52", "VN", date(2020, 1, 1)),
    ("q2", "Solar farm", "Energy", "D", "TH", date(2020, 1, 1)),
    ("q3", "リゾートホテル", "Tourism", "55", "US", date(2020, 1, 1)),
    ("q4", "반도체 공장", None, None, None, date(2020, 1, 1)),
    ("q5", "集装箱码头", "Ports", "52", "VN", date(2020, 1, 1)),
    ("q6", "2020", "Ports", None, "VN", date(2020, 1, 1)),
]
PARTNERS = [
    ("oa", "Alpha", "JP", "company"), ("ob", "Beta", "KR", "fund"), ("oc", "Gamma", "JP", "company"),
    ("od", "Delta", None, "bank"), ("oe", "Epsilon", "SG", "company"), ("of", "Phi", "SG", "company"),
]  # fmt: skip
DEALS = [
    ("pa", "oa", "equity", date(2015, 6, 1)), ("pa", "oa", "loan", date(2015, 6, 1)),
    ("pa", "ob", "equity", date(2015, 6, 1)),
    ("pb", "oa", "equity", date(2016, 6, 1)), ("pb", "ob", "equity", date(2016, 6, 1)),
    ("pb", "oc", "equity", date(2016, 6, 1)), ("pc", "oa", "owner", date(2017, 6, 1)),
    ("pd", "od", "loan", date(2018, 6, 1)), ("pe", "oe", "equity", date(2021, 6, 1)),
]  # fmt: skip
QRELS = {"q1": "oa oc oe", "q2": "ob od", "q3": "od", "q4": "oa of", "q5": "of"}


def matches(
    *,
    projects: Iterable[tuple[object, ...]] = PROJECTS,
    partners: Iterable[tuple[object, ...]] = PARTNERS,
    deals: Iterable[tuple[object, ...]] = DEALS,
    qrels: Mapping[str, str] = QRELS,
) -> Dataset:
    """The small dataset or another made of rows: identifier, name, sector, isic, country, day; and so on."""
    rows = {"projects": list(projects), "partners": list(partners), "deals": list(deals)}
    frames = {name: _frame(columns.split(), rows[name]) for name, columns in _COLUMNS.items()}
    queries = tuple(sorted(frames["projects"].filter(pl.col("announced_on") > SPLIT)["project_id"]))
    return Dataset(
        name="small", about={}, **frames, queries=queries, split_on=SPLIT, undated="drop", digest="0",
        qrels={q: frozenset(found.split()) for q, found in qrels.items()},
    )  # fmt: skip


def _frame(columns: list[str], rows: list[tuple[object, ...]]) -> pl.DataFrame:
    types = {c: pl.Date() if c.endswith("_on") else pl.Float64() if c == "value_usd" else pl.String() for c in columns}
    full = [(*row, *(None,) * (len(columns) - len(row))) for row in rows]
    frame = pl.DataFrame(full, schema=types, orient="row")
    return frame.with_columns(pl.lit("day").alias(c) for c in columns if c.endswith("_precision"))


def withheld(dataset: Dataset) -> Dataset:
    """The dataset without its answers."""
    return replace(dataset, qrels=None)
