"""The records that can be listed: projects, partners, missions, sectors; searched, filtered and paged by id.

A `Directory` is one consistent reading of the facts; it is made anew when the facts change and never altered.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import orjson
import polars as pl

from api.filters import FILTER_COLUMNS, Values, amount, coverage, cursor_of, start_after
from api.nearby import nearest, one_of, unknown
from matcher.errors import NotFoundError
from matcher.records import OPEN_STATUSES, PROJECT_STATUSES, PROVENANCE, TABLES, Facts
from matcher.text import fold, nfc

PRESENT_STATUSES = tuple(s for s in PROJECT_STATUSES if s != "past")
"""What the project list shows when no status is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list.

    total: records that pass search and filters. filters: those that were applied, defaults included.
    coverage: filter -> how many records of the whole list carry the field, of how many.
    """

    items: tuple[dict[str, Any], ...]
    total: int
    filters: Mapping[str, object]
    coverage: Mapping[str, Mapping[str, int]]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One kind of record: a frame with `id`, `_folded` (searchable text) and the columns that filters read."""

    kind: str
    frame: pl.DataFrame
    names: Mapping[str, str]  # id -> name, for suggestions
    to_item: Callable[[Mapping[str, Any]], dict[str, Any]]


class Directory:
    """Every record of one reading of the facts.

    Args:
        facts: projects, partners, deals, footprint, classifications.
        missions, accreditation: frames of the `TABLES` entries of those names.
    """

    def __init__(self, facts: Facts, *, missions: pl.DataFrame, accreditation: pl.DataFrame) -> None:
        self.as_of: date = facts.as_of
        self.mark = object()
        """Told apart from every other reading; what was drawn of this one is known by it."""
        self.facts = facts
        reference = facts.reference
        self.countries: dict[str, dict[str, Any]] = {r["country"]: r for r in reference.countries.to_dicts()}
        self.isic: dict[str, dict[str, Any]] = {r["code"]: r for r in reference.isic.to_dicts()}
        self.city_sectors: dict[str, dict[str, Any]] = {r["sector"]: r for r in reference.city_sectors.to_dicts()}
        local = facts.partners.filter(pl.col("name_local").is_not_null()).select("partner_id", "name_local")
        self.local_names: dict[str, str] = dict(local.iter_rows())
        self._mission_names: dict[tuple[str, str], str] = {}
        self._below = _subtrees(self.isic)
        self._covers = _covers(missions, accreditation)
        self.shelves: dict[str, Shelf] = {
            "projects": self._projects(facts.projects),
            "partners": self._partners(facts.partners),
            "missions": self._missions(missions),
            "sectors": self._sectors(),
        }

    # One record

    def get(self, kind: str, record_id: str) -> dict[str, Any]:
        """The record of that id.

        Raises:
            NotFoundError: there is none; names those of a similar id or name.
        """
        shelf = self.shelves[kind]
        if record_id not in shelf.names:
            nearby = self.nearby(kind, record_id)
            hint = f" Nearby: {'; '.join(nearby)}." if nearby else ""
            raise NotFoundError(f'No {kind[:-1]} has the id "{record_id[:100]}".{hint}', nearby)
        row = shelf.frame.row(by_predicate=pl.col("id") == record_id, named=True)
        return shelf.to_item(row)

    def nearby(self, kind: str, record_id: str) -> list[str]:
        """Up to five 'id (name)' whose id or name resembles what was asked for."""
        names = self.shelves[kind].names
        return nearest(record_id[:100], {i: f"{i} {n}" for i, n in names.items()}, lambda i: f"{i} ({names[i]})")

    def country(self, code: str, pointer: str) -> str:
        """A known ISO 3166-1 alpha-2 code in capitals.

        Raises:
            InputError: not in our table of countries; names those of a similar code or name.
        """
        if code.upper() in self.countries:
            return code.upper()
        raise unknown(code, pointer, "a country as ISO 3166-1 alpha-2", self.countries_near(code))

    def countries_near(self, code: str) -> list[str]:
        """'code (name)' of countries whose code or name resembles what was asked for."""
        named = {c: f"{c} {r['iso3'] or ''} {r['name_en']} {r['name_vi']}" for c, r in self.countries.items()}
        return nearest(code, named, lambda c: f"{c} ({self.countries[c]['name_en']})")

    def sector(self, code: str, pointer: str) -> str:
        """A known city sector, ISIC section letter or ISIC code.

        Raises:
            InputError: unknown; names sectors of a similar code or name.
        """
        if code in self.city_sectors or code in self.isic:
            return code
        if code.upper() in self.isic:
            return code.upper()
        titles = {c: f"{c} {r['name_en']} {r['name_vi']}" for c, r in self.city_sectors.items()}
        near = nearest(code, titles, lambda c: f"{c} ({self.city_sectors[c]['name_en']})")
        if not near:
            titles = {c: f"{c} {r['title_en']}" for c, r in self.isic.items()}
            near = nearest(code, titles, lambda c: f"{c} ({self.isic[c]['title_en']})")
        raise unknown(code, pointer, "a city sector or an ISIC code (GET /v1/sectors lists them)", near)

    def isic_code(self, code: str, pointer: str) -> str:
        """A known ISIC Rev.4 section, division, group or class.

        Raises:
            InputError: unknown.
        """
        known = self.sector(code, pointer)
        if known in self.isic:
            return known
        raise unknown(code, pointer, "an ISIC Rev.4 code", list(self.city_sectors[known]["isic"]))

    def region(self, name: str, pointer: str) -> str:
        """A known UN region or subregion, ASEAN or EU.

        Raises:
            InputError: unknown; names those nearby.
        """
        known = {r[k] for r in self.countries.values() for k in ("region", "subregion") if r[k]} | {"ASEAN", "EU"}
        return self.choice(name, known, pointer)

    def choice(self, value: str, known: set[str], pointer: str) -> str:
        """The known value that equals this one but for case.

        Raises:
            InputError: there is none; names those nearby.
        """
        return one_of(value, known, pointer)

    def under(self, code: str) -> frozenset[str]:
        """ISIC codes that a sector stands for, subtrees included."""
        roots = self.city_sectors[code]["isic"] if code in self.city_sectors else [code]
        return frozenset().union(*(self._below.get(r, {r}) for r in roots or ()))

    # Names and counts for the page

    def country_name(self, code: str | None, lang: str) -> str:
        """A country's name in Vietnamese or English, '' when unknown."""
        row = self.countries.get(code or "")
        return str(row[f"name_{lang}"]) if row is not None else code or ""

    def country_names(self, lang: str) -> list[tuple[str, str]]:
        """(code, name) of every country, by name."""
        return sorted(((code, self.country_name(code, lang)) for code in self.countries), key=lambda c: fold(c[1]))

    def project_name(self, project_id: str, lang: str) -> str:
        """A project's name in Vietnamese or English, else in the other; its identifier where it has none."""
        if project_id not in self.shelves["projects"].names:
            return project_id
        name = self.get("projects", project_id)["name"]
        return str(name[lang] or name["vi"] or name["en"] or project_id)

    def mission_name(self, mission_id: str | None, lang: str) -> str:
        """A mission's name in Vietnamese or English, '' when there is none of that id."""
        if mission_id is None or mission_id not in self.shelves["missions"].names:
            return ""
        if (mission_id, lang) not in self._mission_names:  # every page of a mission's reader has it
            self._mission_names[mission_id, lang] = str(self.get("missions", mission_id)["name"][lang])
        return self._mission_names[mission_id, lang]

    def sector_name(self, code: str | None, lang: str) -> str:
        """Name of a city sector or an ISIC class; an unlisted one stays as it is."""
        city = self.city_sectors.get(code or "")
        if city is not None:
            return str(city[f"name_{lang}"])
        row = self.isic.get(code or "")
        return str(row[f"title_{lang}"] or row["title_en"]) if row is not None else code or ""

    def present_projects(self) -> pl.DataFrame:
        """The projects of the city, past investments left out."""
        return self.shelves["projects"].frame.filter(pl.col("status") != "past")

    def partners_by_country(self) -> dict[str, int]:
        """Home country -> number of partners compiled."""
        return dict(self.facts.partners["country"].drop_nulls().value_counts().iter_rows())

    # Lists

    def page(self, kind: str, *, q: str | None, filters: Mapping[str, object], n: int, cursor: str | None) -> Page:
        """Records of a kind that pass search and filters, by id, after the cursor.

        Past investments are listed among the projects only when their status is asked for.

        Args:
            filters: name -> values (tuple of str), amount or flag; None and empty mean no filter.

        Raises:
            InputError: a value is unknown, or the cursor belongs to another list.
        """
        shelf = self.shelves[kind]
        asked = {k: v for k, v in filters.items() if v not in (None, ())}
        listed = shelf.frame
        if kind == "projects":
            asked = {"status": PRESENT_STATUSES} | asked
            if "past" not in cast(Values, asked["status"]):
                listed = self.present_projects()
        conditions = self._conditions(kind, asked)
        if q is not None:
            conditions += [pl.col("_folded").str.contains(w, literal=True) for w in fold(nfc(q)).split()]
        frame = listed.filter(conditions) if conditions else listed
        total = frame.height
        digest = hashlib.sha256(orjson.dumps([kind, q, asked], option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
        if cursor is not None:
            frame = frame.filter(pl.col("id") > start_after(cursor, digest))
        rows = frame.head(n).to_dicts()
        more = frame.height > n
        return Page(
            items=tuple(shelf.to_item(r) for r in rows),
            total=total,
            filters=asked,
            coverage=coverage(kind, listed),
            next=cursor_of(digest, rows[-1]["id"]) if more else None,
        )

    def _conditions(self, kind: str, asked: Mapping[str, object]) -> list[pl.Expr]:
        out = []
        for name, value in asked.items():
            pointer = f"?{name}"
            columns = FILTER_COLUMNS[kind][name]
            if isinstance(value, bool):
                out.append(pl.col(columns[0]) == value)
            elif isinstance(value, (int, float)):
                out.append(amount(name, float(value), columns))
            elif name == "sector":
                codes = [self.sector(v, pointer) for v in cast(Values, value)]
                out.append(pl.any_horizontal([self._in_sector(kind, c) for c in codes]))
            else:
                out.append(self._one_of(kind, name, columns, cast(Values, value)))
        return out

    def _in_sector(self, kind: str, code: str) -> pl.Expr:
        within = pl.col("isic").list.set_intersection(sorted(self.under(code))).list.len() > 0
        within = within.fill_null(value=False)
        return (pl.col("sector") == code) if kind == "projects" and code in self.city_sectors else within

    def _one_of(self, kind: str, name: str, columns: Values, values: Values) -> pl.Expr:
        pointer = f"?{name}"
        if name == "region" and kind == "partners":
            values = tuple(self.region(v, pointer) for v in values)
        elif name in ("country", "origin_country", "covers"):
            values = tuple(self.country(v, pointer) for v in values)
        else:
            frame = self.shelves[kind].frame
            known = set(TABLES[kind].choices.get(columns[0], ()) if kind in TABLES else ())
            for column in () if known else columns:
                series = frame[column].explode() if frame.schema[column] == pl.List(pl.String()) else frame[column]
                known |= set(series.drop_nulls().to_list())
            values = tuple(one_of(v, known, pointer) for v in values)
        tests = [
            pl.col(c).list.set_intersection(list(values)).list.len() > 0
            if self.shelves[kind].frame.schema[c] == pl.List(pl.String())
            else pl.col(c).is_in(list(values))
            for c in columns
        ]
        return pl.any_horizontal(tests).fill_null(value=False)

    # Shelves

    def _projects(self, frame: pl.DataFrame) -> Shelf:
        frame = frame.with_columns(pl.col("project_id").alias("id")).sort("id")
        names = {r["id"]: r["name_vi"] or r["name_en"] or r["id"] for r in frame.iter_rows(named=True)}
        text = ("id", "name_vi", "name_en", "description", "sector", "city", "place", "agency", "proponent")
        return Shelf(kind="projects", frame=self._searchable(frame, text), names=names, to_item=_project_item)

    def _partners(self, frame: pl.DataFrame) -> Shelf:
        places = pl.DataFrame(
            [
                {
                    "country": c,
                    "_regions": [
                        r["region"], r["subregion"], *(["ASEAN"] if r["asean"] else []), *(["EU"] if r["eu"] else [])
                    ],
                }
                for c, r in self.countries.items()
            ],
            schema={"country": pl.String(), "_regions": pl.List(pl.String())},
        ).with_columns(pl.col("_regions").list.drop_nulls())  # fmt: skip
        frame = frame.with_columns(pl.col("partner_id").alias("id")).join(places, on="country", how="left").sort("id")
        names = {r["id"]: r["name"] for r in frame.iter_rows(named=True)}
        text = ("id", "name", "name_local", "city", "sector", "sector_local", "activities", "description")
        return Shelf(kind="partners", frame=self._searchable(frame, text), names=names, to_item=_partner_item)

    def _missions(self, frame: pl.DataFrame) -> Shelf:
        covers = [[c["country"] for c in self._covers[m]] for m in frame["mission_id"].to_list()]
        frame = frame.with_columns(
            pl.col("mission_id").alias("id"), pl.Series("covers", covers, dtype=pl.List(pl.String()))
        ).sort("id")
        names = {r["id"]: r["name_vi"] for r in frame.iter_rows(named=True)}

        def item(row: Mapping[str, Any]) -> dict[str, Any]:
            covered = self._covers[row["id"]]
            return {
                "id": row["id"],
                "name": {"vi": row["name_vi"], "en": row["name_en"]},
                **{k: row[k] for k in ("type", "country", "city", "status", "confidence", "note")},
                "covers": [dict(c) for c in covered],
                "accreditation_known": len(covered) > 1,
                **_provenance(row),
            }

        return Shelf(
            kind="missions",
            frame=self._searchable(frame, ("id", "name_vi", "name_en", "city")),
            names=names,
            to_item=item,
        )

    def _sectors(self) -> Shelf:
        projects = self.facts.projects.filter(pl.col("status").is_in(OPEN_STATUSES))
        project_codes = projects["isic"].to_list()
        project_sectors = projects["sector"].to_list()
        partner_codes = self.facts.partners["isic"].to_list()
        rows = []
        for code, r in [*self.city_sectors.items(), *self.isic.items()]:
            city = code in self.city_sectors
            under = self.under(code)
            n_projects = (
                project_sectors.count(code) if city else sum(1 for c in project_codes if c and under.intersection(c))
            )
            rows.append(
                {
                    "id": code,
                    "scheme": "city" if city else "isic",
                    "name_vi": r["name_vi"] if city else r["title_vi"],
                    "name_en": r["name_en"] if city else r["title_en"],
                    "level": None if city else r["level"],
                    "parent": None if city else r["parent"],
                    "isic": r["isic"] if city else [code],
                    "green": r["green"] if city else None,
                    "open_projects": n_projects,
                    "partners": sum(1 for c in partner_codes if c and under.intersection(c)),
                    **{k: r[k] for k in PROVENANCE},
                }
            )
        schema = {
            "id": pl.String(), "scheme": pl.String(), "name_vi": pl.String(), "name_en": pl.String(),
            "level": pl.Int64(), "parent": pl.String(), "isic": pl.List(pl.String()), "green": pl.Boolean(),
            "open_projects": pl.Int64(), "partners": pl.Int64(), "source": pl.String(), "source_on": pl.Date(),
            "licence": pl.String(),
        }  # fmt: skip
        frame = pl.DataFrame(rows, schema=schema, orient="row").sort("id")
        names = {r["id"]: r["name_vi"] or r["name_en"] for r in rows}
        return Shelf(
            kind="sectors", frame=self._searchable(frame, ("id", "name_vi", "name_en")), names=names, to_item=_named
        )

    def _searchable(self, frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """The frame with `_folded`: searchable columns and the names of its countries, without diacritics."""
        placed = [c for c in ("country", "covers") if c in frame.columns]
        texts = []
        for row in frame.select([*columns, *placed]).iter_rows(named=True):
            countries = row.get("covers") or [row.get("country")]
            named = [self.countries[c] for c in countries if c in self.countries]
            parts = [row[c] for c in columns] + [r[k] for r in named for k in ("name_vi", "name_en")]
            texts.append(fold(nfc(" ".join(" ".join(p) if isinstance(p, list) else p for p in parts if p))))
        return frame.with_columns(pl.Series("_folded", texts, dtype=pl.String()))


def _subtrees(isic: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Code -> itself and every code below it."""
    below: dict[str, set[str]] = {c: {c} for c in isic}
    for code in isic:
        above = isic[code]["parent"]
        seen = {code}
        while above is not None and above in below and above not in seen:
            below[above].add(code)
            seen.add(above)
            above = isic[above]["parent"]
    return below


def _covers(missions: pl.DataFrame, accreditation: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Mission -> its countries with the source of the accreditation; the host comes first."""
    out: dict[str, list[dict[str, Any]]] = {
        r["mission_id"]: [{"country": r["country"], "host": True, "note": None, **_provenance(r)}]
        for r in missions.iter_rows(named=True)
    }
    for r in accreditation.sort("mission_id", "country").iter_rows(named=True):
        listed = out.get(r["mission_id"])
        if listed is not None and all(c["country"] != r["country"] for c in listed):
            listed.append({"country": r["country"], "host": False, "note": r["note"], **_provenance(r)})
    return out


def _provenance(row: Mapping[str, Any]) -> dict[str, Any]:
    on = row["source_on"]
    return {
        "source": row["source"],
        "source_on": on.isoformat() if isinstance(on, date) else on,
        "licence": row["licence"],
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON object: `name_vi`, `name_en` become `name`; dates become ISO text; working columns go."""
    item: dict[str, Any] = {"id": row["id"]}
    if "name_en" in row:
        item["name"] = {"vi": row["name_vi"], "en": row["name_en"]}
    for key, value in row.items():
        if key not in item and key not in ("name_vi", "name_en") and not key.startswith("_"):
            item[key] = value.isoformat() if isinstance(value, date) else value
    return item


def _project_item(row: Mapping[str, Any]) -> dict[str, Any]:
    item = _named(row)
    del item["project_id"]
    return item


def _partner_item(row: Mapping[str, Any]) -> dict[str, Any]:
    item = _named(row)
    del item["partner_id"]
    return item
