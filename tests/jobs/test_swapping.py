"""A newer engine or newer facts are opened while the ones before answer; nobody waits but for what he just wrote."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import AS_OF, BagEncoder, facts, frame
from test_matchmaker import fill

from matcher.errors import NotFoundError, SourceError
from matcher.jobs import Site, fitting
from matcher.jobs import matchmaker as module
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import MatchList, Query
from matcher.store import Store

PORT = Query(project_id="p-port")
NEW = {
    "partner_id": "jp-new",
    "name": "Novus",
    "country": "JP",
    "kind": "company",
    "isic": ["52"],
    "activities": ["ports"],
}


class GatedEncoder(BagEncoder):
    """Opens no facts while the gate is shut, as a real one takes its time for new texts."""

    gate = threading.Event()

    def encode(self, texts, *, progress=None):
        if len(texts) > 5 and not self.gate.wait(30):
            raise AssertionError("the gate was never opened")
        return super().encode(texts, progress=progress)


@pytest.fixture
def maker(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Matchmaker]:
    """The small world in a database of its own, served as the service does."""
    GatedEncoder.gate.set()
    for where in (fitting, module):
        monkeypatch.setattr(where, "open_encoder", lambda site, store: GatedEncoder())
    site = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Store.open(store_url) as store:
        fill(store, facts())
        fitting.fit(site, store, as_of=AS_OF, actor="tests")
    with Matchmaker(site, today=lambda: AS_OF, background=True, acting=1) as made:
        yield made


@pytest.fixture
def owner(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as store:
        yield store


def add(owner: Store) -> int:
    owner.append("partners", frame("partners", [NEW]), source="tests", actor="tests")
    return owner.revision()


def until(maker: Matchmaker, revision: int) -> MatchList:
    for _ in range(600):
        found = maker.match(PORT)
        if found.revision == revision:
            return found
        time.sleep(0.05)
    raise AssertionError(f"revision {revision} did not come into service")


def test_questions_go_on_while_newer_facts_and_a_newer_engine_are_opened(maker: Matchmaker, owner: Store) -> None:
    before = maker.match(PORT)
    wrong, seen, over = [], set(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                found = maker.match(PORT, n=99)
                seen.add((found.engine, found.revision, "jp-new" in {m.partner_id for m in found.matches}))
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    GatedEncoder.gate.clear()
    revision = add(owner)
    for _ in range(20):  # each of them is answered while nothing can be opened
        assert maker.match(PORT).revision == before.revision
    GatedEncoder.gate.set()
    until(maker, revision)
    made = fitting.fit(replace(maker._site, seed=2), owner, as_of=AS_OF, actor="tests")
    while maker.match(PORT).engine != made.engine:
        time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    # A list says what it was made of: nothing in between is ever seen.
    old, new = before.revision, revision
    assert seen <= {(before.engine, old, False), (before.engine, new, True), (made.engine, new, True)}
    assert {(before.engine, old, False), (before.engine, new, True)} <= seen


def test_a_damaged_engine_leaves_the_one_before_in_service(
    maker: Matchmaker, owner: Store, caplog: pytest.LogCaptureFixture
) -> None:
    before = maker.match(PORT).engine
    made = fitting.fit(replace(maker._site, seed=2), owner, as_of=AS_OF, actor="tests")
    (made.path / "centres.npz").write_bytes(b"damaged")
    with caplog.at_level(logging.ERROR, logger="matcher.swap"):
        for _ in range(100):
            assert maker.match(PORT).engine == before
            if maker.check()["artefact"] != "ok" and maker._swap.failure:
                break
            time.sleep(0.05)
        for _ in range(5):
            assert maker.match(PORT).engine == before
    assert "centres.npz" in maker.check()["artefact"]
    assert len([r for r in caplog.records if r.name == "matcher.swap"]) == 1
    (maker._site.artefacts / fitting.CURRENT).unlink()
    assert maker.match(PORT).engine == before
    fitting.fit(replace(maker._site, seed=2), owner, as_of=AS_OF, actor="tests")
    for _ in range(200):
        if maker.match(PORT).engine == made.engine:
            break
        time.sleep(0.05)
    assert maker.match(PORT).engine == made.engine
    assert maker.check()["artefact"] == "ok"


def test_what_was_just_stored_is_found(maker: Matchmaker, owner: Store) -> None:
    old = maker.match(PORT).revision
    GatedEncoder.gate.clear()
    revision = add(owner)
    assert maker.match(PORT).revision == old
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(maker.match(Query(partner_id="jp-new")).revision))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    with pytest.raises(SourceError, match="taken in"):  # one waits, or soon everybody would
        maker.match(Query(partner_id="jp-new"))
    assert maker.match(PORT).matches
    with pytest.raises(NotFoundError):  # what nobody stored is not waited for
        maker.match(Query(partner_id="jp-none"))
    GatedEncoder.gate.set()
    waiting.join()
    assert found == [revision]
    assert maker.match(PORT).revision == revision


def test_closing_ends_the_thread(maker: Matchmaker, owner: Store) -> None:
    others = {t for t in threading.enumerate() if t.name == "swap"}  # of servers that other tests keep running
    maker.match(PORT)
    add(owner)
    maker.match(PORT)
    begun = {t for t in threading.enumerate() if t.name == "swap"} - others
    assert begun
    maker.close()
    assert not [t for t in begun if t.is_alive()]
