"""Setting up, importing, fitting, settings and serving, through the command line and through processes of their own."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from cli_processes import command, process
from databases import reachable_folder
from small_site import PORT

from matcher import config
from matcher.errors import ConflictError, SourceError
from matcher.jobs.fitting import CURRENT, current, fit
from matcher.matching.engine import Engine
from matcher.store import Store

NEUTRAL = "project_id,name,country,sector,value_usd\nx1,Nhà máy điện rác,VN,,2000000\n"


def test_help_is_quick(tmp_path):
    best = 9.9
    for _ in range(3):
        begin = time.monotonic()
        assert process({}, "--help").code == 0
        best = min(best, time.monotonic() - begin)
    assert best < 0.5


def test_a_second_init_writes_nothing(write, writable):
    done = write("init", "--format", "json").json
    assert {t["state"] for t in done["tables"]} == {"unchanged"}
    assert not any(t["written"] for t in done["tables"])
    assert done["migrated"] is False


def test_init_keeps_what_was_imported(write, writable, tmp_path):
    reference = tmp_path / "reference"
    reference.mkdir()
    for path in Path(writable["MATCHER_REFERENCE_DIR"]).iterdir():
        (reference / path.name).write_bytes(path.read_bytes())
    (tmp_path / "p.csv").write_text(f"project_id,name_en\n{PORT},Corrected by an officer\n")
    assert write("import", str(tmp_path / "p.csv"), "--kind", "projects").code == 0
    table = reference / "projects.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("571 ha", "572 ha").replace(",calling,", ",preparing,"),
        encoding="utf-8",
    )
    done = write("init", "--format", "json", MATCHER_REFERENCE_DIR=str(reference)).json
    [projects] = [t for t in done["tables"] if t["table"] == "projects"]
    assert projects["kept"] == 1
    with Store.open(writable["MATCHER_DATABASE_URL"]) as store:
        found = {r["project_id"]: r for r in store.read("projects").iter_rows(named=True)}
    assert found[PORT]["name_en"] == "Corrected by an officer"
    assert "calling" not in {r["status"] for i, r in found.items() if i != PORT}


def test_init_names_a_missing_table(write, tmp_path):
    done = write("init", MATCHER_REFERENCE_DIR=str(tmp_path))
    assert done.code == 1
    assert "isic.csv is missing" in done.err


def test_import_prints_counts_and_its_dry_run_writes_nothing(write, tmp_path):
    (tmp_path / "p.csv").write_text(NEUTRAL, encoding="utf-8")
    words = ("import", str(tmp_path / "p.csv"), "--kind", "projects")
    assert "1 would be added" in write(*words, "--dry-run").out
    assert write(*words, "--source", "Department", "--format", "json").json["source"] == "Department"
    assert write(*words, "--source", "Department", "--format", "json").json["equal"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("import", "nowhere.csv", "--kind", "projects"), 1, "nowhere.csv"),
        (("import", "nowhere.csv", "--kind", "screening"), 1, "later version"),
        (("import", "nowhere.csv"), 2, "--kind"),
        (("import", "nowhere.csv", "--kind", "people"), 2, "people"),
        (("import", "nowhere.csv", "--kind", "projects", "--map", "name"), 2, "COL=FIELD"),
        (("brief",), 2, "No such command"),
        (("digest",), 2, "No such command"),
        (("serve", "--host", "0.0.0.0"), 1, "MATCHER_HOSTS"),
        (("db", "status"), 1, "MATCHER_DATABASE_URL is set"),
    ],
)
def test_exit_codes_of_real_processes(settings_of_site, words, code, said):
    done = process(settings_of_site, *words)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_database_that_does_not_answer_is_a_message(settings_of_site):
    done = process(
        {**settings_of_site, "MATCHER_DATABASE_URL": "postgresql://a:secret@127.0.0.1:1/x"}, "match", "--project", PORT
    )
    assert done.code == 1
    assert "does not answer" in done.err
    assert "secret" not in done.err


def test_a_damaged_engine_says_how_to_refit(run, settings_of_site, tmp_path):
    artefacts = Path(settings_of_site["MATCHER_DATA_DIR"]) / "artefacts"
    engine = (artefacts / CURRENT).read_text().strip()
    copy = tmp_path / "artefacts" / engine
    copy.mkdir(parents=True)
    for path in (artefacts / engine).iterdir():
        (copy / path.name).write_bytes(path.read_bytes()[:-1])
    (tmp_path / "artefacts" / CURRENT).write_text(engine)
    done = run("match", "--project", PORT, MATCHER_DATA_DIR=str(tmp_path))
    assert done.code == 1
    assert "matcher fit" in done.err


def test_no_engine_says_how_to_fit(run, tmp_path):
    done = run("match", "--project", PORT, MATCHER_DATA_DIR=str(tmp_path))
    assert done.code == 1
    assert "run `matcher fit`" in done.err


def test_fit_elsewhere_leaves_the_engine_in_use(run, settings_of_site, tmp_path):
    before = (Path(settings_of_site["MATCHER_DATA_DIR"]) / "artefacts" / CURRENT).read_text()
    done = run("fit", "--as-of", "2025-11-01", "--out", str(tmp_path), "--format", "json").json
    assert done["in_use"] is False
    assert Engine.load(Path(done["path"])).manifest.as_of.isoformat() == "2025-11-01"
    assert (Path(settings_of_site["MATCHER_DATA_DIR"]) / "artefacts" / CURRENT).read_text() == before


@pytest.fixture
def site(settings_of_site, monkeypatch) -> config.Site:
    for name, value in settings_of_site.items():
        monkeypatch.setenv(name, value)
    return config.load().site()


def test_the_same_facts_give_the_same_engine(site, tmp_path):
    with Store.open(site.database_url) as store:
        engines = [
            fit(site, store, as_of=date(2026, 10, 1), actor="test", out=tmp_path / place).engine for place in ("a", "b")
        ]
    assert engines[0] == engines[1]


def test_two_fits_do_not_mix(site):
    with (site.artefacts / ".lock").open("w") as file, Store.open(site.database_url) as store:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="Another fit"):
            fit(site, store, as_of=date(2026, 11, 1), actor="test")


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.torture)])
def test_kill_during_fit_leaves_no_half_engine(writable, tmp_path, times):
    env = {**writable, "MATCHER_DATA_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    (tmp_path / "models").symlink_to(Path(writable["MATCHER_DATA_DIR"]) / "models")
    site = config.Site(
        data_dir=tmp_path, reference_dir=tmp_path, database_url=writable["MATCHER_DATABASE_URL"],
        encoder="multilingual-e5-small", seed=0,
    )  # fmt: skip
    begin = time.monotonic()
    assert process(env, "fit", "--as-of", "2026-10-01").code == 0
    duration = time.monotonic() - begin
    rng = np.random.default_rng(times)
    for turn in range(times):
        child = subprocess.Popen(
            command("fit", "--as-of", f"2026-09-{turn + 1:02}"), env={**os.environ, **env},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(float(rng.uniform(0, duration)))
        child.send_signal(signal.SIGKILL)
        child.wait()
        engine = current(site)
        assert Engine.load(engine).manifest.engine == engine.name
        assert process(env, "match", "--project", PORT, "--n", "1", "--format", "json").code == 0
    done = process(env, "fit", "--as-of", "2026-10-01", "--format", "json")
    assert done.code == 0
    assert current(site).name == done.json["engine"]
    assert not list(site.artefacts.glob(".partial-*"))
    for folder in site.artefacts.iterdir():
        if folder.is_dir():
            Engine.load(folder)


def test_the_pointer_names_an_engine_or_says_so(tmp_path):
    site = config.Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=None, encoder="x", seed=0)
    (tmp_path / "artefacts").mkdir()
    for name in ("../elsewhere", "gone", ""):
        (tmp_path / "artefacts" / CURRENT).write_text(name)
        with pytest.raises(SourceError, match="matcher fit"):
            current(site)


def test_ctrl_c_ends_without_a_traceback(settings_of_site):
    child = subprocess.Popen(
        command("fit", "--as-of", "2024-01-01"),
        env={**os.environ, **settings_of_site},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    child.stderr.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_said(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "cannot be used" in done.err


def test_the_embedded_server_starts_stays_and_stops():
    with reachable_folder() as folder:
        env = {"MATCHER_DATA_DIR": str(folder / "data")}
        assert process(env, "db", "status", "--format", "json").json["running"] is False
        assert process(env, "db", "start", "--format", "json").json["kept"] is True
        assert process(env, "db", "status", "--format", "json").json["running"] is True
        assert process(env, "db", "stop", "--format", "json").json["running"] is False
