"""A small site cut out of the product's own tables, so that set-up and fit take seconds."""

from pathlib import Path

import polars as pl

from matcher.ingest import SOURCES, tables
from matcher.records import TABLES

DATA = Path(__file__).resolve().parents[1] / "data"
PORT = "HCMC-034"
TOKYO = "jp-tokyo-embassy"


def to_csv(name: str, frame: pl.DataFrame) -> str:
    """Rows of a table as our CSV files hold them."""
    columns = TABLES[name].columns
    return frame.select(
        pl.col(c).list.join("|") if isinstance(kind, pl.List) else pl.col(c) for c, kind in columns.items()
    ).write_csv()


def write_reference(directory: Path) -> None:
    """The product's tables with 12 open projects and 24 partners, half of them with a deal."""
    whole = tables.read_all(DATA)
    deals = whole["deals"].filter((pl.col("status") == "done") & pl.col("closed_on").is_not_null())
    dealt = deals["partner_id"].unique(maintain_order=True).head(12)
    others = whole["partners"].filter(~pl.col("partner_id").is_in(dealt.implode()) & pl.col("parent_id").is_null())
    japanese = others.filter(pl.col("country") == "JP").head(6)["partner_id"]
    kept = pl.concat([dealt, japanese, others.filter(pl.col("country") != "JP").head(6)["partner_id"]])
    partners = whole["partners"].filter(pl.col("partner_id").is_in(kept.implode()))
    partners = partners.with_columns(
        pl.when(pl.col("parent_id").is_in(partners["partner_id"].implode()))
        .then(pl.col("parent_id"))
        .alias("parent_id")
    )
    deals = deals.filter(pl.col("partner_id").is_in(kept.implode()))
    open_ = whole["projects"].filter(pl.col("status") != "past")
    chosen = [*open_["project_id"].head(11), PORT, *deals["project_id"]]
    projects = whole["projects"].filter(pl.col("project_id").is_in(chosen))
    footprint = whole["footprint"].filter(
        pl.col("partner_id").is_in(kept.implode())
        & (pl.col("deal_id").is_null() | pl.col("deal_id").is_in(deals["deal_id"].implode()))
    )
    small = {**whole, "partners": partners, "deals": deals, "projects": projects, "footprint": footprint}
    assert not tables.validate(small)
    directory.mkdir(parents=True, exist_ok=True)
    for name, files in SOURCES.items():
        for place, file in enumerate(files):
            part = small[name] if place == 0 else small[name].clear()
            (directory / file).write_text(to_csv(name, part), encoding="utf-8")
