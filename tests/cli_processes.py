"""Commands in processes of their own."""

import os
import subprocess
import sys
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return orjson.loads(self.out)


def command(*words: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-c", "from matcher.cli import app; app()", *words]


def process(env: dict[str, str], *words: str) -> Done:
    """Runs a command in a process of its own, as a shell would."""
    done = subprocess.run(
        command(*words), env={**os.environ, **env}, capture_output=True, text=True, timeout=300, check=False
    )
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)
