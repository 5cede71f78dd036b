"""Signing in: sessions, cookies, form tokens, lock-out; keys that expire, are revoked or were given too little."""

import re
import time

import psycopg
import pytest
from offices import PASSWORD, Offices
from starlette.testclient import TestClient

from api.guard import COOKIE, KNOWN_SECONDS
from matcher.store import Store, accounts


def sign_in(offices: Offices, login: str = "tokyo.desk", password: str = PASSWORD):
    return offices.post(None, "/v1/session", {"login": login, "password": password})


def test_a_session_reads_and_writes_only_with_its_token(offices: Offices) -> None:
    done = sign_in(offices)
    assert done.status_code == 201
    assert done.json() | {"csrf": ""} == {
        "account": "u15", "login": "tokyo.desk", "role": "mission", "mission_id": "id-jakarta", "may_export": True,
        "scopes": ["admin", "export", "read", "write"], "via": "session", "csrf": "",
    }  # fmt: skip
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert offices.get(None, "/v1/session").json()["login"] == "tokyo.desk"
    refused = offices.ask(None, "DELETE", "/v1/session")
    assert refused.status_code == 403
    gone = offices.ask(None, "DELETE", "/v1/session", headers={"X-CSRF-Token": done.json()["csrf"]})
    assert gone.status_code == 204
    assert offices.get(None, "/v1/session").status_code == 401


def test_an_unknown_address_knows_the_session_and_names_its_mission(offices: Offices) -> None:
    token = sign_in(offices).json()["csrf"]
    assert offices.get(None, "/projects", headers={"accept": "text/html"}).status_code == 200
    page = offices.get(None, "/nowhere", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert token in page.text  # the form that signs out
    assert "tokyo.desk · Đại sứ quán Việt Nam tại Nhật Bản" in page.text
    offices.ask(None, "DELETE", "/v1/session", headers={"X-CSRF-Token": token})
    assert "tokyo.desk" not in offices.get(None, "/nowhere", headers={"accept": "text/html"}).text


def test_a_session_that_was_signed_out_elsewhere_is_gone(offices: Offices) -> None:
    token = sign_in(offices).json()["csrf"]
    stolen = offices.client.cookies[COOKIE]
    offices.ask(None, "DELETE", "/v1/session", headers={"X-CSRF-Token": token})
    offices.client.cookies.set(COOKIE, stolen)
    assert offices.get(None, "/v1/session").status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "é", "0" * 5000])
def test_a_forged_cookie_is_nobody(offices: Offices, cookie: str) -> None:
    answer = offices.get(None, "/v1/session", headers={"cookie": f"{COOKIE}={cookie}".encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_wrong_passwords_lock_the_account_longer_and_longer(offices: Offices) -> None:
    said = [sign_in(offices, password="wrong wrong wrong").status_code for _ in range(6)]
    assert said == [401, 401, 401, 401, 429, 429]
    locked = sign_in(offices)
    assert locked.status_code == 429, "the right password opens nothing while the account is locked"
    assert 0 < int(locked.headers["retry-after"]) <= 2
    time.sleep(2.1)
    assert sign_in(offices).status_code == 201


def test_an_unknown_login_is_told_what_a_known_one_is(offices: Offices) -> None:
    for _ in range(5):
        unknown, wrong = sign_in(offices, "nobody.here"), sign_in(offices, password="wrong wrong wrong")
        assert (unknown.status_code, unknown.json()["detail"]) == (wrong.status_code, wrong.json()["detail"])
    assert unknown.status_code == 429


@pytest.mark.parametrize("login", ["x\x00y", "tokyo.desk\n", "'; DROP TABLE account; --", "tokyo.desk\u200b", "é" * 60])
def test_a_strange_login_is_an_unknown_one(offices: Offices, login: str) -> None:
    assert sign_in(offices, login).status_code == 401


def test_the_audit_says_which_account_was_tried_and_what_was_taken_away(offices: Offices) -> None:
    sign_in(offices, password="wrong wrong wrong")
    offices.get("tokyo.desk", "/v1/interactions?format=csv&q=secret")
    trail = offices.get("keeper", "/v1/audit?n=5").json()["audit"]
    told = {(e["action"], e["account_id"]) for e in trail}
    assert {("sign-in refused", 15), ("exported", 15)} <= told
    exported = next(e for e in trail if e["action"] == "exported")
    assert exported["details"] == {"list": "interactions", "format": "csv"}
    assert "wrong wrong" not in str(trail)


def test_demo_accounts_are_of_no_use_behind_a_proxy(offices: Offices) -> None:
    with psycopg.connect(offices.url, autocommit=True) as connection:
        connection.execute("UPDATE account SET demo = true WHERE login = 'figures'")
    assert sign_in(offices, "figures").status_code == 201
    passed = {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {offices.keys['figures']}"}
    assert offices.get(None, "/v1/projects", headers=passed).status_code == 400
    far = TestClient(offices.client.app, client=("203.0.113.9", 1), base_url="http://testserver")
    assert far.get("/v1/projects", headers={"Authorization": passed["Authorization"]}).status_code == 401
    assert far.post("/v1/session", json={"login": "figures", "password": PASSWORD}).status_code == 403


def test_another_site_cannot_sign_a_reader_in(offices: Offices) -> None:
    body = {"login": "tokyo.desk", "password": PASSWORD}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert offices.post(None, "/v1/session", body, headers=headers).status_code == 403
        assert offices.ask(None, "POST", "/sign-in", data=body, headers=headers).status_code == 403


def test_keys_that_are_unknown_revoked_or_expired_let_nobody_in(offices: Offices) -> None:
    assert offices.get("figures", "/v1/projects").status_code == 200
    with Store.open(offices.url) as store, store._cursor() as cursor:
        key = next(k for k in accounts.keys(cursor) if k.login == "figures")
        assert key.last_used_at is not None
        accounts.revoke(cursor, key.key_id)
        cursor.execute("UPDATE api_key SET expires_at = now() - interval '1 second' WHERE key_id <> %s", [key.key_id])
    time.sleep(KNOWN_SECONDS + 0.1)
    for login in ("figures", "keeper"):
        answer = offices.get(login, "/v1/projects")
        assert answer.status_code == 401, login
    stranger = offices.get(None, "/v1/projects", headers={"Authorization": "Bearer mk_unknown"})
    assert stranger.status_code == 401


def test_a_disabled_account_is_shut_out_with_its_keys_and_sessions(offices: Offices) -> None:
    sign_in(offices)
    with Store.open(offices.url) as store, store._cursor() as cursor:
        accounts.disable(cursor, "tokyo.desk")
    time.sleep(KNOWN_SECONDS + 0.1)
    assert offices.get(None, "/v1/session").status_code == 401
    assert offices.get("tokyo.desk", "/v1/projects").status_code == 401
    assert sign_in(offices).status_code == 401


def test_a_key_does_no_more_than_its_scopes(offices: Offices) -> None:
    with Store.open(offices.url) as store, store._cursor() as cursor:
        secret, _ = accounts.add_key(cursor, "keeper", label="reader", scopes=("read",), days=1)
    reads = {"Authorization": f"Bearer {secret}"}
    assert offices.get(None, "/v1/projects", headers=reads).status_code == 200
    assert offices.get(None, "/v1/projects?format=csv", headers=reads).status_code == 403
    assert offices.get(None, "/v1/audit", headers=reads).status_code in (403, 404)


def test_lists_leave_the_house_only_with_the_right_to_export(offices: Offices) -> None:
    assert offices.get("tokyo.desk", "/v1/projects?format=csv").status_code == 200
    for wanted in ("csv", "xlsx"):
        refused = offices.get("uae.desk", f"/v1/projects?format={wanted}")
        assert refused.status_code == 403
        assert "export" in refused.json()["detail"]


def test_the_page_asks_strangers_to_sign_in_and_leads_them_back(offices: Offices) -> None:
    asked = offices.get(None, "/projects/HCMC-001?sort=both", headers={"accept": "text/html"})
    assert asked.status_code == 303
    assert asked.headers["location"] == "/sign-in?next=%2Fprojects%2FHCMC-001%3Fsort%3Dboth"
    form = {"login": "tokyo.desk", "password": PASSWORD, "next": "/projects/HCMC-001?sort=both"}
    wrong = offices.ask(None, "POST", "/sign-in", data=form | {"password": "x" * 12}, headers={"accept": "text/html"})
    assert wrong.status_code == 401
    assert "không đúng" in wrong.text
    done = offices.ask(None, "POST", "/sign-in", data=form, headers={"accept": "text/html"})
    assert (done.status_code, done.headers["location"]) == (303, "/projects/HCMC-001?sort=both")
    page = offices.get(None, "/help", headers={"accept": "text/html"})
    token = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert token is not None
    out = offices.ask(None, "POST", "/sign-out", data={"csrf": "0" * 64}, headers={"accept": "text/html"})
    assert out.status_code == 403
    out = offices.ask(None, "POST", "/sign-out", data={"csrf": token[1]}, headers={"accept": "text/html"})
    assert out.status_code == 303
    assert offices.get(None, "/", headers={"accept": "text/html"}).status_code == 303


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "\t//e.example"])
def test_nobody_is_sent_to_another_site(offices: Offices, elsewhere: str) -> None:
    done = offices.ask(None, "POST", "/sign-in", data={"login": "figures", "password": PASSWORD, "next": elsewhere})
    assert (done.status_code, done.headers["location"]) == (303, "/")


def test_secrets_are_kept_as_hashes_only(offices: Offices) -> None:
    sign_in(offices)
    cookie = offices.client.cookies[COOKIE].partition(".")[0]
    with psycopg.connect(offices.url) as connection:
        tables = [r[0] for r in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        whole = "".join(str(connection.execute(f'SELECT * FROM "{t}"').fetchall()) for t in tables)
    assert "$argon2id$" in whole
    for secret in (PASSWORD, cookie, *offices.keys.values()):
        assert secret not in whole
