"""The service on a PostgreSQL server of the kind an administrator runs: the same, unchanged."""

from databases import create_database, database_url, tcp_server
from offices import AE, JP, fill, serving

from matcher.store import Store


def test_offices_are_kept_apart_on_a_server_of_ones_own() -> None:
    with tcp_server() as server:
        create_database(server, "outside")
        url = database_url(server, "outside")
        with Store.open(url) as store:
            store.migrate()
        keys = fill(url)
        with serving(url, keys) as offices:
            # The login is a superuser, to whom no policy applies; the service works as somebody else.
            with offices.client.app.state.service.desk.acting(1) as work:  # type: ignore[attr-defined]
                role = work.cursor.execute(
                    "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
            assert role == ("matcher_app", False, False)
            meeting = {"partner_id": JP, "kind": "meeting", "held_on": "2026-11-01", "note": "only for Tokyo"}
            made = offices.post("tokyo.desk", "/v1/interactions", meeting)
            assert made.status_code == 201
            path = made.headers["location"]
            assert offices.get("tokyo.second", path).json()["note"] == "only for Tokyo"
            for login in ("uae.desk", "city.office"):
                assert offices.get(login, path).status_code == 404
                assert "only for Tokyo" not in offices.get(login, "/v1/interactions").text
            assert offices.post("uae.desk", "/v1/interactions", meeting).status_code == 403
            assert offices.get("uae.desk", f"/v1/partners/{JP}/offices").json()["others"] is True
            assert offices.get("uae.desk", f"/v1/partners/{AE}/offices").json()["others"] is False
            assert offices.get("tokyo.desk", "/v1/missions/id-jakarta/matches?n=2").headers["x-exposure-id"] == "1"
