"""Settings: what is refused, what is masked, and that everything is documented."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from matcher import config
from matcher.cli import app
from matcher.errors import InputError

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MATCHER_PORT", "eighty", "a whole number"),
        ("MATCHER_PORT", "99999", "65535"),
        ("MATCHER_LANG", "fr", "'vi' or 'en'"),
        ("MATCHER_SEED", "-1", "0"),
        ("MATCHER_DATABASE_URL", "mysql://u:hidden@h/x", "postgresql://"),
    ],
)
def test_a_bad_value_names_variable_value_and_expectation(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as refusal:
        config.load()
    assert name in str(refusal.value)
    assert said in str(refusal.value)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hidden@h:5433/x", "postgresql://u:***@h:5433/x"),
        ("postgresql://u:hidden@/x?host=/run/s", "***"),
        ("postgresql://h/x?password=hidden", "***"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
    ],
)
def test_passwords_are_masked(run, url, shown):
    listing = run("settings", "--format", "json", MATCHER_DATABASE_URL=url).json
    [database] = [s for s in listing if s["setting"] == "MATCHER_DATABASE_URL"]
    assert database["value"] == shown
    assert "hidden" not in run("settings", MATCHER_DATABASE_URL=url).out


def test_a_variable_that_sets_nothing_is_named(run):
    done = run("settings", MATCHER_DATABASEURL="postgresql://h/x")
    assert "did you mean MATCHER_DATABASE_URL" in done.err


def test_every_setting_is_documented():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    for name, info in config.Settings.model_fields.items():
        assert f"`{config.variable(name)}`" in text
        default = "" if info.default in (None, ()) else str(info.default)
        assert default in text or default == str(config.REPOSITORY / "data")
    documented = set(re.findall(r"^\| `(MATCHER_[A-Z_]+)`", text, re.MULTILINE))
    assert documented == {config.variable(name) for name in config.Settings.model_fields}


def _commands(group, prefix: str = "matcher"):
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_every_command_and_option_is_documented():
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(matcher [a-z ]+?)`.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    commands = dict(_commands(get_command(app)))
    assert sections.keys() == commands.keys()
    for name, command in commands.items():
        options = {o for p in command.params if not p.hidden for o in p.opts if o.startswith("--")} - {"--help"}
        assert options <= set(re.findall(r"`(--[a-z-]+)", sections[name])), name
