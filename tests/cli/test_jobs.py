"""`matcher jobs`: what a job did is said in words; all jobs are listed and are in the guide."""

from pathlib import Path

from matcher.jobs.running import JOBS

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_what_a_job_did_is_said_with_its_numbers(write):
    assert write("jobs", "run", "tidy").out == "tidy: session 0, idempotency 0, attempt 0\n"
    assert write("jobs", "run", "tidy", "--format", "json").json["deleted"]["session"] == 0


def test_an_unknown_job_is_refused_and_all_are_listed(run):
    refused = run("jobs", "run", "tidi")
    assert refused.code == 1
    assert "tidy" in refused.err
    assert [j["job"] for j in run("jobs", "list", "--format", "json").json] == list(JOBS)


def test_every_job_is_in_the_guide():
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in JOBS if f"| `{name}` |" not in text] == []
