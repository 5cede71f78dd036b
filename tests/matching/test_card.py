"""The model card: written by the fit, held in its files, true to its figures, plain about chance."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import BagEncoder, facts, frame, large, small_trees

from matcher.errors import SourceError
from matcher.matching import card, card_text, held, manifest
from matcher.matching.engine import Engine
from matcher.matching.features import REASONS
from matcher.matching.kernel import PRIOR
from matcher.records import Facts, Query

ENCODER = BagEncoder()


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


def shuffled(known: Facts, seed: int) -> Facts:
    """The facts with the partners of all deals dealt out anew: who did what is random, how often is not."""
    order = np.random.default_rng(seed).permutation(known.deals.height)
    return replace(known, deals=known.deals.with_columns(partner_id=known.deals["partner_id"].gather(order)))


def fit(known: Facts, out: Path) -> tuple[Engine, dict[str, Any]]:
    made = Engine.fit(known, ENCODER, seed=7, out=out)
    return made, json.loads((out / card.JSON).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("card") / "engine"


@pytest.fixture(scope="module")
def made(folder: Path) -> tuple[Engine, dict[str, Any]]:
    return fit(large(90), folder)


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, dict[str, Any]]:
    """An engine fitted on relabelled partners."""
    return fit(shuffled(large(90), 0), tmp_path_factory.mktemp("shuffled") / "engine")


def test_the_card_is_among_the_files_of_the_engine(made: tuple[Engine, Any], folder: Path) -> None:
    assert {card.JSON, card.TEXT} <= set(made[0].manifest.files)
    (damaged := folder.parent / "damaged").mkdir()
    for file in folder.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / card.TEXT).write_text("much better")
    with pytest.raises(SourceError, match=r"card\.md is damaged"):
        manifest.read(damaged)


def test_the_card_agrees_with_the_manifest(made: tuple[Engine, dict[str, Any]]) -> None:
    engine, found = made
    chosen = engine.manifest.metrics["chosen"]
    for measure in ("nDCG@10", "R@50", "RR"):
        assert found["held"]["measures"][measure] == pytest.approx(chosen[measure], abs=1e-6)
    counts = engine.manifest.counts
    assert found["held"]["queries"] == counts["held_queries"]
    assert found["learning"]["queries"] == counts["labelled_queries"]
    assert {k: found["data"][k] for k in ("projects", "partners", "deals", "positive_deals")} == {
        k: counts[k] for k in ("projects", "partners", "deals", "positive_deals")
    }
    assert {r["reason"] for r in found["reasons"]} == set(REASONS)


def test_an_engine_that_learned_something_says_so(made: tuple[Engine, dict[str, Any]]) -> None:
    engine, found = made
    assert found["bound"]["state"] == "above"
    assert engine.manifest.warning is None
    assert "AT CHANCE" not in card.words(found, "en")


@pytest.mark.parametrize("seed", range(3))
def test_an_engine_fitted_on_relabelled_partners_says_that_it_is_at_chance(seed: int, tmp_path: Path) -> None:
    engine, found = fit(shuffled(large(90, seed=seed), seed), tmp_path / "engine")
    assert found["bound"]["state"] in card.AT_CHANCE
    assert engine.manifest.warning is not None
    assert engine.manifest.warning["en"].startswith("AT CHANCE")
    text = (tmp_path / "engine" / card.TEXT).read_text(encoding="utf-8")
    assert engine.manifest.warning["en"] in text
    assert engine.manifest.warning["vi"] in text


def test_every_list_of_an_engine_at_chance_warns(guessed: tuple[Engine, Any], made: tuple[Engine, Any]) -> None:
    warned = guessed[0].open(large(90), ENCODER).match(Query(project_id="p-port"))
    assert warned.notes[0] == guessed[0].manifest.warning
    assert len(warned.matches) == 10
    silent = made[0].open(large(90), ENCODER).match(Query(project_id="p-port"))
    assert not any("CHANCE" in note["en"] for note in silent.notes)


def test_too_few_deals_are_said_to_be_too_few(tmp_path: Path) -> None:
    engine, found = fit(facts(), tmp_path / "engine")
    assert found["held"] is None
    assert found["bound"] == {"state": "untested"}
    assert engine.manifest.warning is None
    assert "NOT TESTED" in card.words(found, "en")
    assert "CHƯA KIỂM CHỨNG" in card.words(found, "vi")
    assert "Too little data" in card.words(found, "en")


def test_the_data_section_counts_deals_by_year_host_and_publisher() -> None:
    told = card.data(facts())
    assert told["dated_deals"] == sum(told["years"].values())
    assert list(told["years"]) == sorted(told["years"])
    assert told["positive_deals"] == sum(told["hosts"].values())
    assert told["hosts"]["VN"] > told["hosts"]["TH"] > 0
    assert told["sources"][0]["source"] == "example.org"
    assert told["sources"][0]["rows"]["partners"] == 12
    assert told["sources"][0]["latest"] == date(2024, 6, 30).isoformat()


def test_publishers_are_sites_and_repositories_and_the_small_ones_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "SOURCES", 2)
    pages = ["https://www.a.org/1", "https://a.org/2 ; https://b.org/1", "x/y@0123456789:f.csv", "x/y@abcdef0:g.csv",
             "A report", "https://c.org/1"]  # fmt: skip
    rows = [{"project_id": f"p{i}", "status": "past", "country": "VN", "source": s} for i, s in enumerate(pages)]
    known = replace(facts(partners=[], deals=[], footprint=[]), projects=frame("projects", rows))
    found = card.sources(known)
    assert [(r["source"], r["rows"]) for r in found[:2]] == [("a.org", {"projects": 2}), ("x/y", {"projects": 2})]
    assert found[2]["source"] is None
    assert found[2]["publishers"] == 2
    assert found[2]["rows"] == {"projects": 2}


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_text_says_everything_that_a_reader_must_know(made: tuple[Engine, dict[str, Any]], lang: str) -> None:
    text = card.words(made[1], lang)
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(heads) == 9
    assert "None" not in text
    assert "nan" not in text.lower().split()
    for must in {"vi": ("Không dùng để", "2014–2025", "Giới hạn"), "en": ("Not for", "2014–2025", "Limits")}[lang]:
        assert must in text


def test_every_slice_and_state_has_words_in_both_languages(made: tuple[Engine, dict[str, Any]]) -> None:
    named = {name for name in made[1]["slices"] if ":" not in name}
    assert named == set(card_text._SLICES)
    assert set(card_text._STATE) | set(card.AT_CHANCE) == {"above", "untested", "random", "popularity"}
    assert set(card_text._SIMILARITIES) == set(PRIOR)
    assert set(card_text._WORDS["vi"]) == set(card_text._WORDS["en"])


def test_numbers_follow_the_language(made: tuple[Engine, dict[str, Any]]) -> None:
    assert re.search(r"nDCG@10 \| \d,\d{3} \(", card.words(made[1], "vi"))
    assert re.search(r"nDCG@10 \| \d\.\d{3} \(", card.words(made[1], "en"))
    assert "22/11/2026" in card.words(made[1], "vi")


def test_the_card_holds_no_number_that_json_does_not_know(folder: Path, made: tuple[Engine, Any]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((folder / card.JSON).read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_checked_probability_stands_in_the_text(made: tuple[Engine, dict[str, Any]]) -> None:
    check = {
        "pairs": 1000, "positives": 40, "predicted": 0.05, "observed": 0.04, "brier_skill": [0.1, 0.05, 0.15],
        "bins": [[0.01, 0.0, 500], [0.1, 0.09, 500]],
    }  # fmt: skip
    told = {**made[1], "calibration": {"abstained": None, "check": check}}
    assert "Brier skill 0.100 (0.050 – 0.150)" in card.words(told, "en")
    assert "0,0900" in card.words(told, "vi")
    assert "too few deals to check" in card.words({**told, "calibration": {"abstained": None, "check": None}}, "en")


def test_slices_below_the_threshold_show_no_figure(made: tuple[Engine, dict[str, Any]]) -> None:
    text = card.words(made[1], "en")
    few = [told for told in made[1]["slices"].values() if told["queries"] < held.ENOUGH]
    assert few
    assert text.count("too few to say") == len(few)


def test_unknown_hosts_are_told(tmp_path: Path) -> None:
    known = facts()
    nowhere = replace(known, projects=known.projects.with_columns(country=pl.lit(None, dtype=pl.String)))
    assert set(card.data(nowhere)["hosts"]) == {"?"}
