"""`make audit` fails on a known vulnerability, and says so when it could not look."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1", "2.0"]}]}
UNFIXED = {"name": "worse", "version": "0.1", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


@pytest.fixture
def audit(tmp_path):
    def run(script: str):
        auditor = tmp_path / "auditor"
        auditor.write_text(f"#!/bin/sh\n{script}\n")
        auditor.chmod(0o755)
        words = ["make", "-o", ".venv/installed", "audit", f"AUDITOR={auditor}", "AUDIT_SECONDS=2"]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    return run


def answer(*dependencies: object, code: int = 0) -> str:
    return f"echo '{json.dumps({'dependencies': dependencies})}'; exit {code}"


def test_a_vulnerability_fails_and_is_named_with_its_cure(audit):
    done = audit(answer(GOOD, BAD, UNFIXED, code=1))
    assert done.returncode != 0
    assert "bad 1.0: CVE-1, fixed in 1.1, 2.0\nworse 0.1: CVE-2, fixed in no version yet\n" in done.stdout


def test_sound_dependencies_pass_without_a_word(audit):
    done = audit(answer(GOOD))
    assert (done.returncode, done.stderr) == (0, "")


def test_some_that_are_unknown_are_counted(audit):
    done = audit(answer(GOOD, UNKNOWN))
    assert (done.returncode, done.stderr) == (0, "WARNING: 1 of 2 dependencies were not audited\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'ERROR: could not connect' >&2; exit 1", "could not connect"),
        ("sleep 60", "no answer within 2 s"),
        (answer(UNKNOWN, UNKNOWN), "knows none of our packages"),
        ("exec /no/such/program", "no"),
    ],
)
def test_a_service_that_is_not_reached_is_one_loud_line(audit, script, reason):
    done = audit(script)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("WARNING: the dependencies were NOT AUDITED")
    assert reason in line
