"""`matcher card`: the card of the engine in use or of a named one, and what is refused."""

import json
from pathlib import Path

from matcher.jobs.fitting import CURRENT


def engines(env: dict[str, str]) -> Path:
    return Path(env["MATCHER_DATA_DIR"]) / "artefacts"


def test_the_card_of_the_engine_in_use_is_printed(run, settings_of_site):
    folder = engines(settings_of_site)
    name = (folder / CURRENT).read_text(encoding="utf-8").strip()
    shown = run("card", "--lang", "en")
    assert shown.code == 0
    assert shown.out.startswith("# Model card · 2026-11-01")
    assert shown.out.rstrip().endswith(name)
    assert "Thẻ mô hình" in run("card").out
    found = run("card", "--format", "json").json
    assert found.pop("engine") == name
    assert found == json.loads((folder / name / "card.json").read_text(encoding="utf-8"))


def test_another_engine_is_named_or_its_folder_given(run, settings_of_site):
    folder = engines(settings_of_site)
    name = (folder / CURRENT).read_text(encoding="utf-8").strip()
    assert run("card", name).out == run("card", str(folder / name)).out == run("card").out


def test_an_unknown_engine_is_refused_with_those_that_exist(run, settings_of_site):
    name = (engines(settings_of_site) / CURRENT).read_text(encoding="utf-8").strip()
    for asked in (name[:-2], "../artefacts", ""):
        done = run("card", asked)
        assert done.code == 1
        assert f'no engine "{asked}"' in done.err
    assert name in run("card", name[:-2]).err


def test_a_damaged_card_is_refused(run, settings_of_site, tmp_path):
    folder = engines(settings_of_site)
    source = folder / (folder / CURRENT).read_text(encoding="utf-8").strip()
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "card.json").write_text("{}", encoding="utf-8")
    done = run("card", str(tmp_path))
    assert done.code == 1
    assert "card.json is damaged" in done.err


def test_without_an_engine_the_next_step_is_said(run, tmp_path):
    done = run("card", MATCHER_DATA_DIR=str(tmp_path))
    assert done.code == 1
    assert "matcher fit" in done.err
