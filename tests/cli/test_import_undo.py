"""`matcher import` of a workbook and `matcher undo`, as an official meets them; `init` after an undo."""

import json

import pytest
from official_files import FAULTY, GOOD, HEADING, workbook
from small_site import PORT

from matcher.records import TABLES


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "Dự án.xlsx"
    path.write_bytes(workbook({"Dự án": [HEADING, *GOOD], "Khác": [("Mã dự án", "Tên dự án"), (PORT, "Tên khác")]}))
    return path


def test_a_workbook_is_imported_and_undone(write, book):
    words = ["import", str(book), "--kind", "projects"]
    done = write(*words, "--sheet", "Dự án")
    assert done.code == 0, done.err
    assert "3 were added" in done.out
    batch = int(done.out.split("matcher undo ")[1])
    assert 'column "STT"' in done.err
    undone = write("undo", str(batch), "--format", "json")
    assert undone.code == 0, undone.err
    told = json.loads(undone.out)
    assert (told["undone"], told["kind"], told["rows"]) == (batch, "projects", 3)
    again = write("undo", str(batch))
    assert again.code == 1
    assert "undone already" in again.err
    assert json.loads(write(*words, "--sheet", "Dự án", "--format", "json").out)["new"] == 3


def test_every_error_of_a_workbook_is_printed(write, tmp_path):
    path = tmp_path / "sai.xlsx"
    path.write_bytes(workbook({"Dự án": [HEADING, *FAULTY]}))
    done = write("import", str(path), "--kind", "projects")
    assert done.code == 1
    assert len([line for line in done.err.splitlines() if line.startswith('Sheet "Dự án", row ')]) == 8


def test_a_record_that_resembles_another_is_warned_of(write, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("project_id,name,country\nnew-1,Mot cang moi,VN\n", encoding="utf-8")
    assert write("import", str(path), "--kind", "projects").code == 0
    path.write_text("project_id,name,country\nnew-2,Một cảng mới,VN\n", encoding="utf-8")
    done = write("import", str(path), "--kind", "projects")
    assert 'row 2: new-2 "Một cảng mới" has almost the name of new-1' in done.err


def test_the_reference_files_count_again_after_an_undo(write, writable, tmp_path):
    import polars as pl

    from matcher.store import Store

    with Store.open(writable["MATCHER_DATABASE_URL"]) as store:
        before = store.read("projects")
        path = tmp_path / "p.csv"
        path.write_text(f"project_id,name_en\n{PORT},Corrected by hand\n", encoding="utf-8")
        done = write("import", str(path), "--kind", "projects")
        batch = done.out.split("matcher undo ")[1].strip()
        assert "kept" in write("init").out
        assert store.read("projects").filter(pl.col("project_id") == PORT)["name_en"][0] == "Corrected by hand"
        assert write("undo", batch).code == 0
        assert store.read("projects").equals(before)
        told = json.loads(write("init", "--format", "json").out)
        (projects,) = (t for t in told["tables"] if t["table"] == "projects")
        assert (projects["written"], projects["kept"]) == (0, 0)
        assert store.read("projects").equals(before)
        assert set(before.columns) == set(TABLES["projects"].columns)
        (reference,) = (b for b in store.batches(table="projects") if b.source.startswith("reference files"))
        refused = write("undo", str(reference.id))
        assert refused.code == 1
        assert "cannot be undone" in refused.err
