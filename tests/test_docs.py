"""The documents say what the program does: features, commands, links and figures that can be checked."""

import re
from pathlib import Path

import pytest

from matcher.matching.features import FEATURES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"]


def features_table() -> str:
    """The table of features in docs/matching.md, as the program has them."""
    lines = ["| feature | reason | neutral | weight | says |", "|---|---|--:|--:|---|"]
    for f in FEATURES:
        says = (f.compute.__doc__ or "").strip().split("\n", 1)[0]
        lines.append(f"| `{f.name}` | {f.reason} | {f.neutral:g} | {f.weight:g} | {says} |")
    return "\n".join(lines)


def test_every_feature_is_documented_as_it_is() -> None:
    text = (ROOT / "docs" / "matching.md").read_text(encoding="utf-8")
    written = text.split("<!-- features:start -->\n")[1].split("\n<!-- features:end -->")[0]
    assert written == features_table()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_uses_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make (\w+)", text):
        if target not in ("and",):
            assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"
    documented = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `matcher ([a-z ]+)`\n(.*?)(?=^## |\Z)", documented, re.MULTILINE | re.DOTALL))
    for words in re.findall(r"\.venv/bin/matcher ([^\n#]*)", text):
        first, second, *_ = words.split()
        command = f"{first} {second}" if f"{first} {second}" in sections else first
        assert command in sections, f"matcher {words}"
        for option in re.findall(r"--[a-z-]+", words):
            assert f"`{option}" in sections[command], f"matcher {command} {option}"
