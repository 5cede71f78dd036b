"""Leakage tests: each holds on honest code, and each fails when the leak that it looks for is planted.

A checker is a function that a test runs twice: on the program as it is, and with a fault put in.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_dataset import HOMES, HOSTS, SECTORS, write_small
from small_world import BagEncoder, features, small_trees

from evaluation import blind, checks, datasets, slices
from evaluation.datasets import Dataset
from evaluation.results import Scored
from evaluation.runs import Made
from matcher.matching import learn
from matcher.matching.corpus import Corpus
from matcher.matching.engine import Engine
from matcher.matching.sides import History, PartnerSide
from matcher.measures import Ranking
from matcher.records import Facts, Reference

ENCODER = BagEncoder()
PLANTED = "p0later"
Artefact = dict[str, bytes]
Patch = pytest.MonkeyPatch


def write_strong(folder: Path, *, seed: int = 0) -> Path:
    """A set in which past deals tell nearly everything: 30 partners, each true to one sector and one host.

    150 projects in fifteen years, split after ten; nothing but the deals tells who is true to what.
    """
    rng = np.random.default_rng(seed)
    likes = [(i % 5, i // 5 % 3) for i in range(30)]
    names = rng.permutation(30)
    folder.mkdir(parents=True)
    projects, deals = [], []
    for n in range(150):
        sector, host = int(rng.integers(5)), int(rng.integers(3))
        label, isic, _, words = SECTORS[sector]
        year = 2007 + n // 10
        projects.append(f"p{n:03d},{words} {n},{label},{isic},{HOSTS[host]},{year}-03-01,day")
        fits = [i for i in range(30) if likes[i] == (sector, host)]
        for i in (*fits, *([int(rng.integers(30))] if n % 3 == 0 else [])):
            deals.append(f"p{n:03d},o{names[i]:02d},equity,{year}-{4 + i % 9:02d}-15,day")
    partners = [f"o{i:02d},Firm {i:02d},{HOMES[i % 6]},company" for i in range(30)]
    deals = list(dict.fromkeys(deals))
    for name, head, rows in (
        ("projects", "project_id,name,sector,isic,country,announced_on,announced_precision", projects),
        ("partners", "partner_id,name,country,kind", partners),
        ("deals", "project_id,partner_id,role,closed_on,closed_precision", deals),
    ):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    (folder / "dataset.toml").write_text('name = "strong"\nsplit_on = "2016-12-31"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def strong_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_strong(tmp_path_factory.mktemp("sets") / "strong")


@pytest.fixture(scope="module")
def strong(strong_folder: Path) -> Dataset:
    return datasets.blind(datasets.read(strong_folder))


@pytest.fixture(autouse=True)
def few_rounds() -> Iterator[None]:
    with small_trees():
        yield


def ranked(dataset: Dataset, reference: Reference, *, seed: int = 0) -> Made:
    return blind.rank(dataset, reference, ENCODER, seed=seed)


def trained(dataset: Dataset, reference: Reference) -> Artefact:
    """The files of the engine that `blind` fits on a data set; nothing is ranked."""
    kept: Artefact = {}
    fit = Engine.fit

    class Fitted(Exception):  # noqa: N818 - no error: what is wanted is there
        pass

    def keep(*arguments: Any, out: Path, **more: Any) -> None:
        fit(*arguments, out=out, **more)
        kept.update({f.name: f.read_bytes() for f in sorted(out.iterdir())})
        raise Fitted

    with pytest.MonkeyPatch.context() as patch, suppress(Fitted):
        patch.setattr(Engine, "fit", keep)
        ranked(dataset, reference)
    return kept


def value(dataset: Dataset, reference: Reference, made: Made) -> Scored:
    return slices.score(dataset, reference, made.ranking, run=made.name, seed=0, resamples=20)


# What is asked, and what came of it, is not in the training.


def without_the_future(folder: Path, to: Path) -> Path:
    """The files without the query projects, all later deals, and the partners of these alone; one query is left."""
    shutil.copytree(folder, to)
    full = datasets.read(folder)
    gone = list(full.queries[1:])
    for name in ("projects", "deals", "partners"):
        cells = pl.read_csv(to / f"{name}.csv", infer_schema=False)
        if name == "partners":
            cells = cells.filter(pl.col("partner_id").is_in(full.train["partner_id"].to_list()))
        else:
            cells = cells.filter(~pl.col("project_id").is_in(gone))
        if name == "deals":
            cells = cells.join(full.train.select("project_id", "partner_id").unique(), on=["project_id", "partner_id"])
        cells.write_csv(to / f"{name}.csv")
    return to


def check_training_is_apart(folder: Path, reference: Reference, room: Path) -> None:
    """Removing the future from the files, or the answers from the data set, changes no byte of the artefact."""
    whole = trained(datasets.read(folder), reference)
    assert set(whole) >= {"manifest.json", "centres.npz"}
    assert trained(datasets.read(without_the_future(folder, room / "past")), reference) == whole
    form = datasets.blind(datasets.read(folder))
    assert trained(form, reference) == trained(replace(form, qrels=None), reference)


@pytest.mark.parametrize("which", ["small", "strong"])
def test_the_future_is_not_in_the_training(
    which: str, strong_folder: Path, real_reference: Reference, tmp_path: Path
) -> None:
    folder = strong_folder if which == "strong" else write_small(tmp_path / "small", vietnamese=True)
    check_training_is_apart(folder, real_reference, tmp_path)


def queries_too(patch: Patch) -> None:
    """The training facts have the query projects."""
    honest = datasets.facts
    patch.setattr(datasets, "facts", lambda d, r, *, with_queries, as_of: honest(d, r, with_queries=True, as_of=as_of))


def later_deals_too(patch: Patch) -> None:
    """The deals of the query period train, as if they had closed in time."""
    early = pl.min_horizontal("closed_on", pl.lit(date(2016, 6, 1))).alias("closed_on")
    patch.setattr(Dataset, "train", property(lambda d: d.deals.with_columns(early)))


def newcomers_too(patch: Patch) -> None:
    """Partners without a training deal stand among the wrong candidates."""
    honest = Engine.fit
    whole: list[Facts] = []
    facts = datasets.facts

    def remember(*arguments: Any, **more: Any) -> Facts:
        whole.append(facts(*arguments, **more))
        return whole[-1]

    def fit(known: Facts, *arguments: Any, **more: Any) -> Engine:
        return honest(replace(known, partners=whole[-2].partners), *arguments, **more)

    patch.setattr(datasets, "facts", remember)
    patch.setattr(Engine, "fit", fit)


@pytest.mark.parametrize("plant", [queries_too, later_deals_too, newcomers_too])
def test_a_future_in_the_training_is_noticed(
    plant: Callable[[Patch], None], real_reference: Reference, tmp_path: Path, monkeypatch: Patch
) -> None:
    folder = write_small(tmp_path / "small")
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_training_is_apart(folder, real_reference, tmp_path)


# The same seed gives the same run.


@pytest.fixture
def whole_tree(monkeypatch: Patch) -> None:
    """The largest share of the tree is taken, whatever it is worth: only the tree and its sample are random."""

    def last(ndcg: Mapping[str, Any], *, first: str) -> str:
        return [*ndcg][-1]

    monkeypatch.setattr(learn, "_choose", last)


def check_two_fits_agree(dataset: Dataset, reference: Reference) -> None:
    one, two = (ranked(dataset, reference, seed=3) for _ in range(2))
    assert one.note == two.note
    assert one.ranking.places.tobytes() == two.ranking.places.tobytes()
    assert one.ranking.scores.tobytes() == two.ranking.scores.tobytes()
    assert one.ranking.to_run() == two.ranking.to_run()


@pytest.mark.usefixtures("whole_tree")
def test_fitting_twice_gives_the_same_run(strong: Dataset, real_reference: Reference) -> None:
    assert "plus 1 of LambdaMART" in ranked(strong, real_reference).note  # else nothing random was done
    check_two_fits_agree(strong, real_reference)


@pytest.mark.usefixtures("whole_tree")
def test_a_run_that_forgets_the_seed_is_noticed(strong: Dataset, real_reference: Reference, monkeypatch: Patch) -> None:
    honest, drawn = Engine.fit, iter(range(100))
    monkeypatch.setattr(Engine, "fit", lambda *a, seed, **more: honest(*a, seed=seed + next(drawn), **more))
    with pytest.raises(AssertionError):
        check_two_fits_agree(strong, real_reference)


# What was not known on a day is in no feature of that day.

DAY = date(2013, 12, 31)


def with_future(facts: Facts) -> Facts:
    """The facts with later deals and footprints of a partner who had none, dated as our tables date them."""
    nobody, project = facts.partners["partner_id"][0], facts.projects["project_id"][0]
    deal = facts.deals.head(1).with_columns(
        deal_id=pl.lit("d9999999"), partner_id=pl.lit(nobody), project_id=pl.lit(project),
        closed_on=pl.lit(date(2014, 1, 1)), closed_precision=pl.lit("day"), counts_from=pl.lit(date(2014, 1, 1)),
    )  # fmt: skip
    undated = deal.with_columns(
        deal_id=pl.lit("d9999998"), closed_on=pl.lit(None, pl.Date), closed_precision=pl.lit("none"),
        project_id=pl.lit(facts.projects["project_id"][1]),
    )  # fmt: skip
    said = {"partner_id": nobody, "country": "VN", "what": "operations", "relation": "operates", "evidence": "web_page",
            "counts_from": date(2014, 1, 1)}  # fmt: skip
    footprint = pl.DataFrame([{c: said.get(c) for c in facts.footprint.columns}], schema=facts.footprint.schema)
    return replace(facts, deals=pl.concat([facts.deals, deal, undated]), footprint=footprint)


def check_the_day_is_kept(dataset: Dataset, reference: Reference) -> None:
    """Features of a query on a day are those without the deals and footprints that came after it."""
    known = datasets.facts(dataset, reference, with_queries=True)
    past = replace(known, deals=known.deals.filter(pl.col("counts_from") <= DAY))
    assert past.deals.height < known.deals.height
    planted = with_future(known)
    for project in (*dataset.queries[:4], dataset.train["project_id"][0]):
        np.testing.assert_equal(features(planted, project, as_of=DAY), features(past, project, as_of=DAY))
    # On the last day of all they do count, else this test would say nothing.
    last = dataset.queries[0]
    assert str(features(planted, last)) != str(features(known, last))


@pytest.fixture
def vietnam(tmp_path: Path) -> Dataset:
    """The small set with all projects in Viet Nam, where the planted footprint is."""
    dataset = datasets.blind(datasets.read(write_small(tmp_path / "small")))
    return replace(dataset, projects=dataset.projects.with_columns(country=pl.lit("VN")))


def test_the_future_is_in_no_feature(vietnam: Dataset, real_reference: Reference) -> None:
    check_the_day_is_kept(vietnam, real_reference)


def history_of_all_days(patch: Patch) -> None:
    honest = History.of
    patch.setattr(History, "of", lambda deals, projects, partners, as_of: honest(
        deals.with_columns(counts_from=pl.lit(date.min)), projects, partners, as_of))  # fmt: skip


def texts_of_all_days(patch: Patch) -> None:
    """Profiles tell deals, whenever they were made."""
    honest = Corpus.partner_texts.func

    def told(corpus: Corpus) -> list[str]:
        done = dict(corpus.facts.deals.group_by("partner_id").agg(pl.col("project_id").sort()).iter_rows())
        return [
            f"{text} {' '.join(done.get(partner, []))}"
            for partner, text in zip(corpus.partners["partner_id"].to_list(), honest(corpus), strict=True)
        ]

    patch.setattr(Corpus, "partner_texts", property(told))


def footprint_of_all_days(patch: Patch) -> None:
    honest = PartnerSide.of

    def of(frame: Any, sectors: Any, vectors: Any, footprint: pl.DataFrame, *rest: Any, **more: Any) -> PartnerSide:
        known = footprint.with_columns(counts_from=pl.lit(date.min))
        return honest(frame, sectors, vectors, known, *rest, **more)

    patch.setattr(PartnerSide, "of", of)


@pytest.mark.parametrize("plant", [history_of_all_days, texts_of_all_days, footprint_of_all_days])
def test_a_future_feature_is_noticed(
    plant: Callable[[Patch], None], vietnam: Dataset, real_reference: Reference, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_the_day_is_kept(vietnam, real_reference)


# Who knows nothing does no better than chance.


def check_of(dataset: Dataset, reference: Reference, rank: Callable[..., Made], *, seed: int) -> Any:
    """The check of a relabelled run, as the benchmark makes it."""
    made = rank(checks.relabelled(dataset, seed=seed), reference)
    return checks.at_chance(value(dataset, reference, made), checks.chance(dataset, seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_relabelled_deals_fall_to_chance(seed: int, strong: Dataset, real_reference: Reference) -> None:
    check = check_of(strong, real_reference, ranked, seed=seed)
    assert check.passed, check


def test_true_deals_are_far_above_chance(strong: Dataset, real_reference: Reference) -> None:
    _, high = checks.chance(strong, seed=0)
    found = value(strong, real_reference, ranked(strong, real_reference)).figures["warm"]["nDCG@10"]
    assert found.low > high + 0.1


def test_records_may_show_who_fits(tmp_path: Path, real_reference: Reference) -> None:
    """A relabelling of the deals alone would call an engine dishonest that reads what partners say of themselves."""
    dataset = datasets.blind(datasets.read(write_small(tmp_path / "small")))
    assert check_of(dataset, real_reference, ranked, seed=0).passed
    moved = checks.relabelled(dataset, seed=0)
    apart = replace(moved, partners=dataset.partners)
    _, high = checks.chance(dataset, seed=0)
    assert value(dataset, real_reference, ranked(apart, real_reference)).figures["warm"]["nDCG@10"].mean > high


def pushed(made: Made, wins: Callable[[str, str], bool]) -> Made:
    """The run with those pairs in front."""
    run = {q: {c: s + 1000.0 * wins(q, c) for c, s in scores.items()} for q, scores in made.ranking.to_run().items()}
    ranking = Ranking.of_run(run, queries=made.ranking.queries, candidates=made.ranking.candidates)
    return replace(made, ranking=ranking)


def reads_the_answers(dataset: Dataset, reference: Reference) -> Made:
    """An engine that has seen the answers."""
    answers = dataset.qrels or {}
    return pushed(ranked(dataset, reference), lambda q, c: c in answers[q])


def test_an_engine_that_reads_the_answers_is_caught(strong: Dataset, real_reference: Reference) -> None:
    check = check_of(strong, real_reference, reads_the_answers, seed=0)
    assert not check.passed
    assert check.value > check.high


# Names of partners do not decide.


def unnamed(dataset: Dataset, reference: Reference, rank: Callable[..., Made] = ranked) -> Any:
    """The check of a nameless run, as the benchmark makes it."""
    masked = checks.masked_names(dataset)
    return checks.unnamed(*(value(dataset, reference, rank(d, reference)) for d in (dataset, masked)))


@pytest.mark.parametrize("which", ["small", "strong"])
def test_names_do_not_matter(which: str, strong: Dataset, real_reference: Reference, tmp_path: Path) -> None:
    small = datasets.blind(datasets.read(write_small(tmp_path / "small")))
    check = unnamed(strong if which == "strong" else small, real_reference)
    assert check.passed, check


def test_names_that_betray_the_answer_are_noticed(strong: Dataset, real_reference: Reference) -> None:
    """Partners are called by the projects that they will win, and an engine looks."""
    assert strong.qrels is not None
    wins: dict[str, str] = {}
    for query, found in strong.qrels.items():
        wins |= {c: f"{wins.get(c, '')} {query}" for c in found}
    named = replace(strong, partners=strong.partners.with_columns(
        name=pl.col("partner_id").replace_strict(wins, default=pl.col("name"))
    ))  # fmt: skip

    def reads_names(dataset: Dataset, reference: Reference) -> Made:
        name_of = dict(dataset.partners.select("partner_id", "name").iter_rows())
        return pushed(ranked(dataset, reference), lambda q, c: q in name_of[c])

    check = unnamed(named, real_reference, reads_names)
    assert not check.passed
    assert check.value < check.low


# The same project on both sides of the split.


def test_projects_on_both_sides_of_the_split_are_counted(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "small")
    assert checks.across_the_split(datasets.blind(datasets.read(folder))).passed
    cells = pl.read_csv(folder / "projects.csv", infer_schema=False)
    late = pl.col("announced_on") > "2016-12-31"
    old = cells.filter(~late).head(1)
    told = {c: old[c][0] for c in ("name", "description", "country", "value_usd")}
    again = cells.with_columns(pl.when(late).then(pl.lit(v)).otherwise(pl.col(c)).alias(c) for c, v in told.items())
    again.write_csv(folder / "projects.csv")
    check = checks.across_the_split(datasets.blind(datasets.read(folder)))
    assert check.value == 1.0
    assert not check.passed
