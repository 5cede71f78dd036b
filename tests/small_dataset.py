"""A small match data set in the neutral format, made up: partners keep to their sectors and hosts.

Sixty projects, 25 partners, about 150 deals from 2008 to 2020, split at the end of 2016. The last three partners deal
in the query period only. The same arguments give the same bytes.
"""

import csv
import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

SPLIT_ON = date(2016, 12, 31)
SECTORS = (
    ("Food processing", "10", "nhà máy chế biến thực phẩm", "food processing plant"),
    ("Solar power", "35", "nhà máy điện mặt trời", "solar power plant"),
    ("Software", "62", "trung tâm phần mềm", "software centre"),
    ("Logistics", "H", "trung tâm kho vận", "logistics centre with warehouses"),
    ("Hotels", "55", "khách sạn nghỉ dưỡng", "hotel and resort"),
)
HOSTS = ("VN", "TH", "ID", "NA")
HOMES = ("JP", "KR", "SG", "DE", "US", "NA", "")
KINDS = ("company", "company", "fund", "bank", "unknown")
PROJECTS = ("project_id", "name", "description", "sector", "isic", "country", "region", "city", "value_usd",
            "announced_on", "announced_precision", "colour")  # fmt: skip
PARTNERS = ("partner_id", "name", "country", "kind", "sector", "description")
DEALS = ("project_id", "partner_id", "role", "closed_on", "closed_precision", "value_usd")


def write_small(
    folder: Path, *, without: Sequence[str] = (), undated: float = 0.0, vietnamese: bool = False, deals: bool = True,
    seed: int = 0,
) -> Path:  # fmt: skip
    """Writes the full form and returns its folder.

    Args:
        without: columns to leave out, such as `projects.region`, or `dataset.licence`.
        undated: share of the deals of the training period that lose their date.
        vietnamese: projects have Vietnamese names and descriptions.
        deals: False makes a text-only set: no split, empty partners and deals, and the column investor_country.
    """
    rng = np.random.default_rng(seed)
    projects = [_project(rng, i, vietnamese=vietnamese) for i in range(60)]
    partners = [_partner(rng, i) for i in range(25)]
    about = ['name = "small_world"', 'licence = "CC0-1.0"', "notes = []"]
    columns: tuple[str, ...] = PROJECTS
    if deals:
        about.append(f'split_on = "{SPLIT_ON}"')
        rows = _deals(rng, projects, partners, undated)
    else:
        about += ['split_on = ""', "no_deals = true"]
        columns = (*PROJECTS[:-1], "investor_country")
        projects = [
            {**p, "announced_on": "", "announced_precision": "none", "investor_country": "JP|KR"} for p in projects
        ]
        partners, rows = [], []
    folder.mkdir(parents=True, exist_ok=True)
    about = [line for line in about if f"dataset.{line.split(' ')[0]}" not in without]
    (folder / "dataset.toml").write_text("\n".join(about) + "\n", encoding="utf-8")
    for name, head, table in (
        ("projects", columns, projects),
        ("partners", PARTNERS, partners),
        ("deals", DEALS, rows),
    ):
        kept = [c for c in head if f"{name}.{c}" not in without]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, kept, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(table)
    return folder


def _id(prefix: str, number: int) -> str:
    return prefix + hashlib.sha1(f"{prefix}{number}".encode()).hexdigest()[:8]


def _project(rng: np.random.Generator, number: int, *, vietnamese: bool) -> dict[str, str]:
    # Thirteen years of 60 projects; the last 18 are announced after the split.
    year = 2008 + number * 13 // 60
    day = date(year, int(rng.integers(1, 13)), int(rng.integers(1, 29)))
    precision = ("day", "day", "month", "year")[int(rng.integers(4))]
    sector, isic, vi, en = SECTORS[number % len(SECTORS)]
    host = HOSTS[int(rng.integers(len(HOSTS)))]
    words = vi if vietnamese else en
    return {
        "project_id": _id("p", number),
        "name": f"Dự án {words} số {number}" if vietnamese else f"{words.capitalize()} no. {number}",
        "description": f"{words}, {host}, {number * 10} ha",
        "sector": sector,
        "isic": isic if number % 7 else "",
        "country": host,
        "region": f"{host} north" if number % 2 else "",
        "city": "",
        "value_usd": str(1_000_000 * (number + 1)) if number % 3 else "",
        "announced_on": _written(day, precision),
        "announced_precision": precision,
        "colour": "green" if number % 2 else "",
    }


def _partner(rng: np.random.Generator, number: int) -> dict[str, str]:
    sector, _, _, en = SECTORS[number % len(SECTORS)]
    return {
        "partner_id": _id("o", number),
        "name": f"Investor {chr(65 + number)}{number}",
        "country": HOMES[int(rng.integers(len(HOMES)))],
        "kind": KINDS[number % len(KINDS)],
        "sector": sector if number % 4 else "",
        "description": f"builds {en}s" if number % 3 else "",
    }


def _deals(
    rng: np.random.Generator, projects: list[dict[str, str]], partners: list[dict[str, str]], undated: float
) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for number, project in enumerate(projects):
        late = project["announced_on"] > SPLIT_ON.isoformat()
        among = np.arange(25 if late else 22)
        same_sector = among % len(SECTORS) == number % len(SECTORS)
        same_host = among % len(HOSTS) == HOSTS.index(project["country"])
        weight = 1.0 + 12.0 * same_sector + 4.0 * same_host + 8.0 * (among >= 22)
        chosen = rng.choice(among, size=int(rng.integers(1, 5)), replace=False, p=weight / weight.sum())
        for place, partner in enumerate(chosen):
            # Every ninth old project has a deal that comes after the split.
            year = 2018 if not late and number % 9 == 8 and place == 0 else int(project["announced_on"][:4])
            precision = ("day", "month", "year")[int(rng.integers(3))]
            closed = _written(date(year, int(rng.integers(1, 13)), int(rng.integers(1, 29))), precision)
            blank = not late and rng.random() < undated
            rows.append({
                "project_id": project["project_id"], "partner_id": partners[int(partner)]["partner_id"],
                "role": ("equity", "owner", "loan", "insurance")[int(rng.integers(4))],
                "closed_on": "" if blank else closed, "closed_precision": "none" if blank else precision,
                "value_usd": project["value_usd"],
            })  # fmt: skip
    return rows


def _written(day: date, precision: str) -> str:
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[precision].isoformat()
