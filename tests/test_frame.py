"""The house itself: what is installed, what is pinned, what no file may say, who imports whom."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, version = re.fullmatch(r"([\w.-]+)==([\w.!]+)", line).groups()
            assert canonicalize_name(name) not in found
            found[canonicalize_name(name)] = version
    return found


def installed() -> set[str]:
    return {canonicalize_name(d.metadata["Name"]) for d in metadata.distributions()}


def needed() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]["dev"]
    return [Requirement(line) for line in [*PROJECT["dependencies"], *extras]]


def test_no_gpu_library_is_installed() -> None:
    heavy = {name for name in installed() if name.startswith(("nvidia-", "cuda-")) or name in ("triton", "torchvision")}
    assert not heavy


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    pinned = pins()
    assert pinned["torch"] == "2.13.0"
    for requirement in needed():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_everything_that_comes_along_is_pinned() -> None:
    pinned, seen = pins(), set()
    waiting = [(canonicalize_name(r.name), frozenset(r.extras)) for r in needed()]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name == "pip":  # what installs the others is there before them
            continue
        assert name in pinned
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras)):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))


def test_the_supported_pythons_are_those_of_the_makefile() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(9, 17) if f"3.{minor}" in supported] == [11, 12, 13]
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_layer_rule_holds() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Written in two halves, so that this file passes its own test.
HOSTS = [
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("deb.debian", "org"),
    ("download.pytorch", "org"), ("registry.yarnpkg", "com"),
]  # fmt: skip
FORBIDDEN = {
    "names a package registry's host": re.compile("|".join(rf"\b{re.escape(f'{a}.{b}')}\b" for a, b in HOSTS)),
    "holds an absolute path of one machine": re.compile(r"(?<![\w.~/-])/(?:" + "work|root|home" + r")/[\w.-]+"),
}


@pytest.mark.parametrize("rule", list(FORBIDDEN))
def test_no_file_ties_the_product_to_one_machine(rule: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{path.relative_to(ROOT)} {rule}: {hit.group()}" for hit in FORBIDDEN[rule].finditer(text)]
    assert not found


def test_what_the_program_makes_is_not_tracked() -> None:
    made = ("data/models/", "data/artefacts/", "data/runs/", "data/pgdata/", ".venv/")
    assert not [p for p in tracked() if p.relative_to(ROOT).as_posix().startswith(made)]


def test_pre_commit_fetches_nothing_and_runs_what_ci_runs() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    entries = {hook["entry"] for repo in repos for hook in repo["hooks"]}
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert entries == {line for line in lines if line.startswith("make ")}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_set_up_tree_installs_nothing_again() -> None:
    if not (ROOT / ".venv" / "installed").exists():
        pytest.skip("the environment was not made by make")
    done = subprocess.run(["make", "--question", "setup"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, "pyproject.toml or constraints.txt is newer than the environment; run make setup"


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_every_dependency_has_its_reason_written_down() -> None:
    table = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8").split("Why each dependency", 1)[1]
    named = set(re.findall(r"[a-z][a-z0-9-]+", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))))
    assert {canonicalize_name(requirement.name) for requirement in needed()} <= named


def test_no_two_test_modules_share_a_name() -> None:
    """Of two with one name pytest collects neither."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})
