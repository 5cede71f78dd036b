"""Every address, asked with whatever its description allows and with much that it does not: only documented answers."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from offices import AE, JP, KR, PORT, TOKYO, WATER, Offices

TESTS = Path(__file__).resolve().parents[1]
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "ignored_auth",
)  # fmt: skip
"""All that Schemathesis has but those that take an unknown identifier or a broken rule of the trade for a fault."""


@contextmanager
def listening(offices: Offices) -> Iterator[str]:
    """Address at which the application of the offices answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            offices.client.app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


def records(offices: Offices) -> dict[str, list[object]]:
    """Identifiers of records that exist, by the name under which they are asked for."""
    pair = {"partner_id": JP, "project_id": PORT}
    bodies = {
        "interactions": {**pair, "kind": "meeting", "held_on": "2026-11-01", "note": "x"},
        "shortlists": pair,
        "assignments": {**pair, "lead": False, "stage": "lead", "status": "active"},
        "outcomes": {**pair, "result": "abandoned", "decided_on": "2026-11-01", "source": "minutes"},
    }
    ids: list[object] = []
    for kind, body in bodies.items():
        made = offices.post("city.office", f"/v1/{kind}", body)
        assert made.status_code == 201, made.text
        ids.append(made.json()["id"])
    assert offices.post("city.office", "/v1/match", {"text": "cảng"}).status_code == 200
    return {
        "id": [*ids, 1], "project_id": [PORT, WATER], "partner_id": [JP, AE, KR], "mission_id": [TOKYO],
        "iso2": ["JP", "VN"], "country": ["JP"], "lost_to_country": ["TH"],
    }  # fmt: skip


@pytest.mark.parametrize("examples", [8, pytest.param(200, marks=[pytest.mark.torture, pytest.mark.timeout(4 * 3600)])])
def test_only_documented_answers(offices: Offices, tmp_path: Path, examples: int) -> None:
    known = records(offices)
    with listening(offices) as address:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json",
                "--max-examples", str(examples),
                "--phases", "examples,fuzzing" if examples < 50 else "examples,coverage,fuzzing,stateful",
                "--checks", ",".join(CHECKS), "--continue-on-failure", "--suppress-health-check", "all", "--no-color",
                "--request-timeout", "30", "-H", f"Authorization: Bearer {offices.keys['keeper']}", "--seed", "1",
                "--generation-database", "none",
            ],
            env={
                **os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(TESTS), "NO_COLOR": "1",
                "MATCHER_TEST_KNOWN": json.dumps(known), "PYTHONWARNINGS": "ignore",
            },
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-60_000:] + done.stderr[-3000:]
