"""Files in, records out: which files hold which table of facts, and readers for them."""

from matcher.records import TABLES

SOURCES: dict[str, tuple[str, ...]] = {name: (f"{name}.csv",) for name in TABLES} | {
    "projects": ("projects.csv", "past_projects.csv"),
}
"""Table of facts -> the files of `data/` that hold it, in the order in which they are concatenated."""
