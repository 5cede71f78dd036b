"""The command line: `matcher ...`."""

from matcher.cli.app import app

__all__ = ["app"]
