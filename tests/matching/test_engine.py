"""Engine: the same facts give the same artefact, damage is named, nothing is read that was not known."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import (
    AS_OF,
    DEALS,
    FOOTPRINT,
    PARTNERS,
    PROJECTS,
    BagEncoder,
    deal,
    facts,
    large,
    small_trees,
    stay,
    with_rows,
)

from matcher.errors import ConflictError, InputError, SourceError, StaleArtefactError
from matcher.matching import describe, engine, kernel, learn, manifest, rank
from matcher.matching.calibrate import MIN_POSITIVES
from matcher.matching.engine import Engine
from matcher.matching.features import NAMES
from matcher.matching.rank import MIN_QUERIES, BoostedRanker, Group, LinearRanker
from matcher.records import Facts

ENCODER = BagEncoder()


def fit(known: Facts, out: Path, *, seed: int = 7) -> Engine:
    return Engine.fit(known, ENCODER, seed=seed, out=out)


def content(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


@pytest.fixture(scope="module")
def world() -> Facts:
    return large(90)


@pytest.fixture(scope="module")
def made(world: Facts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact of a world with enough labels for a tree."""
    out = tmp_path_factory.mktemp("engine") / "made"
    fit(world, out)
    return out


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    for name, data in content(made).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_the_same_facts_and_seed_give_the_same_bytes_and_name(world: Facts, made: Path, tmp_path: Path) -> None:
    again = fit(world, tmp_path / "again")
    assert content(tmp_path / "again") == content(made)
    assert again.manifest.engine == Engine.load(made).manifest.engine


def test_another_seed_or_another_day_is_another_engine(world: Facts, made: Path, tmp_path: Path) -> None:
    names = {
        Engine.load(made).manifest.engine,
        fit(world, tmp_path / "seed", seed=8).manifest.engine,
        fit(replace(world, as_of=date(2026, 11, 21)), tmp_path / "day").manifest.engine,
    }
    assert len(names) == 3


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    one, two = (
        facts(),
        facts(projects=PROJECTS[::-1], partners=PARTNERS[::-1], deals=DEALS[::-1], footprint=FOOTPRINT[::-1]),
    )
    fit(one, tmp_path / "one")
    fit(two, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_deals_of_later_days_do_not_change_an_engine(tmp_path: Path) -> None:
    early = date(2022, 12, 31)
    cut = facts(
        deals=[d for d in DEALS if d["counts_from"] is None or d["counts_from"] <= early],
        footprint=[f for f in FOOTPRINT if f["counts_from"] is None or f["counts_from"] <= early], as_of=early,
    )  # fmt: skip
    planted = with_rows(
        with_rows(cut, "deals",
        [deal(901, "x-port", "th-clinic", date(2023, 1, 1)), deal(902, "p-fab", "nobody", date(2024, 1, 1))]),
        "footprint", [stay("nobody", "VN", date(2023, 1, 1))],
    )  # fmt: skip
    fit(cut, tmp_path / "cut")
    opened = fit(planted, tmp_path / "planted").open(planted, ENCODER)
    assert content(tmp_path / "cut") == content(tmp_path / "planted")
    before = Engine.load(tmp_path / "cut").open(cut, ENCODER)
    for project in ("p-port", "p-fab"):
        assert opened.rank_all(project)[1].tobytes() == before.rank_all(project)[1].tobytes()


def test_a_loaded_engine_ranks_as_the_fitted_one(world: Facts, made: Path, tmp_path: Path) -> None:
    fitted, loaded = fit(world, tmp_path / "x").open(world, ENCODER), Engine.load(made).open(world, ENCODER)
    for project in ("p-port", "p-vague", "y0003"):
        assert fitted.rank_all(project)[1].tobytes() == loaded.rank_all(project)[1].tobytes()


def test_with_enough_labels_a_tree_is_fitted_and_measured_on_later_years(made: Path) -> None:
    loaded = Engine.load(made)
    assert isinstance(loaded.ranker, BoostedRanker)
    assert f"of {loaded.manifest.counts['labelled_queries']} labelled queries" in loaded.manifest.ranker_note
    # Each of the 90 deals is a label of the two origins before it; the deals of 2014 and 2015 have all theirs.
    assert loaded.manifest.counts["labelled_queries"] == 180
    assert loaded.manifest.counts["labels"] == 180
    assert {"linear", "experience", "chosen"} <= set(loaded.manifest.metrics)
    assert loaded.kernel.queries > 0
    assert loaded.manifest.ranker["kernel"] == loaded.kernel.to_json()
    for measures in loaded.manifest.metrics.values():
        assert "nDCG@10" in measures
        assert all(0 <= low <= mean <= high <= 1 for mean, low, high in measures.values())
    assert loaded.manifest.features == NAMES
    assert loaded.manifest.encoder == ENCODER.id
    assert loaded.manifest.describe == describe.VERSION
    assert (loaded.manifest.seed, loaded.manifest.as_of) == (7, AS_OF)
    assert {"python", "numpy", "lightgbm"} <= set(loaded.manifest.versions)


def test_with_fewer_labels_the_linear_model_stands_alone_and_says_so(tmp_path: Path) -> None:
    fitted = fit(large(20), tmp_path / "few")
    assert isinstance(fitted.ranker, LinearRanker)
    assert "40 labelled queries" in fitted.manifest.ranker_note
    assert "too few" in fitted.manifest.ranker_note
    assert fitted.manifest.metrics == {}
    assert fitted.manifest.counts["held_queries"] == 0
    assert "lambdamart.txt" not in content(tmp_path / "few")


@pytest.mark.parametrize("year", [2016, 2025])
def test_labels_of_one_year_cannot_be_split_and_the_note_says_so(year: int, tmp_path: Path) -> None:
    """Of 2016 all lie before the latest years, of 2025 all in them."""
    fitted = fit(large(MIN_QUERIES + 30, years=[year]), tmp_path / "one-year")
    assert isinstance(fitted.ranker, LinearRanker)
    assert "too few lie before or in the latest years" in fitted.manifest.ranker_note


def test_without_deals_the_linear_model_answers_and_abstains(tmp_path: Path) -> None:
    bare = facts(deals=[])
    fitted = fit(bare, tmp_path / "bare")
    assert isinstance(fitted.ranker, LinearRanker)
    assert fitted.manifest.counts["labelled_queries"] == 0
    assert fitted.manifest.metrics == {}
    assert fitted.calibrator.reason() is not None
    ids, scores = Engine.load(tmp_path / "bare").open(bare, ENCODER).rank_all("p-port")
    assert ids[int(np.argmax(scores))] == "jp-port"


@pytest.mark.parametrize("empty", ["projects", "partners"])
def test_nothing_to_fit_on_is_refused_and_leaves_nothing(empty: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"0 (projects|partners).*matcher (init|import)"):
        fit(facts(**{empty: [], "deals": [], "footprint": []}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_deal_on_a_record_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    odd = with_rows(
        facts(),
        "deals",
        [deal(900, "gone", "jp-port", date(2020, 1, 1)), deal(901, "x-port", "gone", date(2020, 1, 1))],
    )
    assert fit(odd, tmp_path / "odd").open(odd, ENCODER).rank_all("p-port")[0]


def test_an_artefact_is_never_written_over(made: Path, world: Facts) -> None:
    before = content(made)
    with pytest.raises(ConflictError, match=re.escape(str(made))):
        fit(world, made)
    assert content(made) == before


def test_an_artefact_is_whole_and_holds_no_pickle(made: Path) -> None:
    files = content(made)
    described = json.loads(files["manifest.json"])
    assert set(described["files"]) == set(files) - {"manifest.json"}
    assert set(files) == {"manifest.json", "lambdamart.txt", "centres.npz", "card.json", "card.md", "anchors.json"}
    with np.load(made / "centres.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype == np.float32 for name in stored.files)
    assert not any(
        b"sklearn" in data or data.startswith(b"\x80\x04") for name, data in files.items() if name != "manifest.json"
    )


@pytest.mark.parametrize("name", ["manifest.json", "lambdamart.txt", "centres.npz"])
@pytest.mark.parametrize("how", ["missing", "empty", "cut", "one byte"])
def test_every_damaged_file_is_named_with_the_way_out(copy: Path, name: str, how: str) -> None:
    file = copy / name
    data = bytearray(file.read_bytes())
    file.unlink()
    if how == "one byte":
        at = data.index(b'"weights"') + 30 if name == "manifest.json" else len(data) // 2
        digits = [i for i in range(at, len(data)) if chr(data[i]).isdigit()] if name == "manifest.json" else [at]
        data[digits[0]] = data[digits[0]] ^ 1
    if how != "missing":
        file.write_bytes({"empty": b"", "cut": bytes(data[: len(data) // 2]), "one byte": bytes(data)}[how])
    with pytest.raises(SourceError, match=rf"{re.escape(name)}.*matcher fit"):
        Engine.load(copy)


def test_a_folder_without_an_engine_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matcher fit"):
        Engine.load(tmp_path / "nowhere")


def _other_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "NAMES", (*NAMES[1:], "something_new"))


def _other_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "NAMES", NAMES[::-1])


def _other_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "PRIOR", {**kernel.PRIOR, "colour": 1.0})


def _other_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe, "VERSION", "another")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_other_features, "something_new"), (_other_order, "order"), (_other_texts, "another"),
        (_other_similarities, "similarities"),
    ],
)  # fmt: skip
def test_an_engine_of_another_program_is_stale(
    made: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], said: str
) -> None:
    change(monkeypatch)
    with pytest.raises(StaleArtefactError, match=rf"(?s){said}.*matcher fit"):
        Engine.load(made)


def test_an_engine_meets_no_other_encoder(world: Facts, made: Path) -> None:
    with pytest.raises(StaleArtefactError, match=r"another@2.*matcher fit"):
        Engine.load(made).open(world, BagEncoder("another@2"))


def test_facts_may_grow_under_an_engine(made: Path, world: Facts) -> None:
    more = with_rows(
        world,
        "partners",
        [{"partner_id": "zz-new", "name": "Novus", "kind": "company", "country": "JP", "isic": ["52"]}],
    )
    ids, scores = Engine.load(made).open(more, ENCODER).rank_all("p-port")
    assert "zz-new" in ids
    assert np.isfinite(scores).all()


def test_an_engine_opens_on_nothing(made: Path) -> None:
    opened = Engine.load(made).open(facts(partners=[], deals=[], footprint=[]), ENCODER)
    assert opened.rank_all("p-port")[0] == []


def test_progress_counts_every_query_and_ends(world: Facts, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    made = Engine.fit(world, ENCODER, seed=1, out=tmp_path / "x", progress=lambda *step: seen.append(step))
    steps = [s for s in seen if s[0] == "features"]
    assert [done for _, done, _ in steps] == list(range(1, len(steps) + 1))
    assert all(done <= total for _, done, total in steps)
    assert steps[-1][1] == steps[-1][2] <= made.manifest.counts["labelled_queries"]


def test_probabilities_are_fitted_on_queries_that_the_tree_did_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the tree on all labels is, the calibration rests on the tree of the earlier ones."""
    world, sizes = large(180, winners=8, announced=True), []
    fit_tree = rank.fit_tree

    def odd(groups: list[Group], *rest: Any, seed: int, **more: Any) -> Any:
        sizes.append(len(groups))
        return fit_tree(groups, *rest, seed=seed if len(sizes) % 2 else 999, **more)

    def last(ndcg: Mapping[str, Any], *, first: str) -> str:
        return [*ndcg][-1]

    monkeypatch.setattr(learn, "_choose", last)
    usual = fit(world, tmp_path / "usual")
    monkeypatch.setattr(rank, "fit_tree", odd)
    other = fit(world, tmp_path / "other")
    counts = usual.manifest.counts
    assert sizes[1] == counts["labelled_queries"]
    assert sizes[0] <= counts["labelled_queries"] - counts["held_queries"]
    assert usual.manifest.counts["trials"] > 0
    assert usual.calibrator.positives >= MIN_POSITIVES
    assert usual.calibrator.reason() is None
    assert usual.calibrator.to_json() == other.calibrator.to_json()
    assert content(tmp_path / "usual")["lambdamart.txt"] != content(tmp_path / "other")["lambdamart.txt"]


def test_manifest_reads_what_was_written(made: Path) -> None:
    read = manifest.read(made)
    assert read.to_json() == json.loads((made / "manifest.json").read_text(encoding="utf-8"))


def test_a_partner_known_only_from_a_deal_is_no_candidate_before_it(tmp_path: Path) -> None:
    """Its record was written from the deal that is asked for, so that ranking it right would prove nothing."""
    world = large(90)
    winner = world.deals["partner_id"].mode().sort()[0]
    own = world.deals.filter(pl.col("partner_id") == winner)
    told = pl.when(pl.col("partner_id") == winner).then(pl.lit(own["source"][0])).otherwise(pl.col("source"))
    born = replace(world, partners=world.partners.with_columns(source=told))
    before, after = fit(world, tmp_path / "a").manifest.counts, fit(born, tmp_path / "b").manifest.counts
    # Lost are the labels of the origins at which none of its deals had been made, two for each deal of the first year
    # and one for each of the year after it.
    years = own["closed_on"].dt.year().to_list()
    lost = sum(sum(origin < min(years) for origin in (year - 1, year - 2)) for year in years)
    assert lost >= 2
    assert after["labels"] == before["labels"] - lost
