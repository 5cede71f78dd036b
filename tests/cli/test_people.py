"""Accounts and keys from the command line, on a real database."""

import json

import pytest
from cli_processes import process
from offices import fill

from matcher.store import Store


@pytest.fixture
def env(store_url: str) -> dict[str, str]:
    fill(store_url)
    return {"MATCHER_DATABASE_URL": store_url, "MATCHER_LANG": "en"}


def test_the_first_administrator_and_a_mission_with_its_key(env: dict[str, str]) -> None:
    made = process(env, "user", "add", "first.keeper", "--role", "admin", "--format", "json")
    assert made.code == 0, made.err
    assert made.json["role"] == "admin"
    assert len(made.json["password"]) == 20
    key = process(env, "key", "add", "tokyo.program", "--role", "mission", "--mission", "id-jakarta", "--days", "7",
                  "--scope", "read", "--format", "json")  # fmt: skip
    assert key.code == 0, key.err
    assert key.json["key"].startswith("mk_")
    assert key.json["scopes"] == ["read"]
    listed = process(env, "key", "list", "--format", "json")
    assert key.json["key"] not in listed.out
    assert listed.json[0]["login"] == "tokyo.program"
    revoked = process(env, "key", "revoke", str(key.json["id"]), "--format", "json")
    assert revoked.json["revoked_at"] is not None
    with Store.open(env["MATCHER_DATABASE_URL"]) as store:
        actions = [(e.action, e.actor.partition(":")[0]) for e in store.audit_log(limit=4)]
    assert actions == [("api_key changed", "cli"), ("api_key", "cli"), ("account", "cli"), ("credential", "cli")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["user", "add", "Nguyễn Văn A", "--role", "officer"], "not usable"),
        (["user", "add", "tokyo.desk", "--role", "officer"], "taken"),
        (["user", "add", "new.desk", "--role", "mission"], "needs a mission"),
        (["user", "add", "new.desk", "--role", "mission", "--mission", "jakarta"], "id-jakarta"),
        (["user", "add", "new.desk", "--role", "king"], "mission, officer, analyst, admin"),
        (["user", "disable", "nobody.here"], "tokyo.desk"),
        (["key", "add", "figures", "--scope", "everything"], "read, write, export, admin"),
        (["key", "add", "service"], "no account"),
        (["key", "revoke", "99"], "no key 99"),
    ],
)
def test_refusals_name_the_way_out_and_change_nothing(env: dict[str, str], words: list[str], said: str) -> None:
    before = process(env, "user", "list", "--format", "json").out
    done = process(env, *words)
    assert done.code == 1
    assert said in done.err
    assert process(env, "user", "list", "--format", "json").out == before


def test_a_disabled_account_is_told_in_the_list_and_can_come_back(env: dict[str, str]) -> None:
    process(env, "user", "disable", "figures")
    found = {a["login"]: a for a in process(env, "user", "list", "--format", "json").json}
    assert found["figures"]["disabled_at"] is not None
    assert json.loads(process(env, "user", "enable", "figures", "--format", "json").out)["disabled_at"] is None
