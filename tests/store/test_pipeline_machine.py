"""The pipeline against a small model in memory: whatever people do in whatever order, both say the same."""

import threading
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from databases import create_database, database_url, drop_database
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from offices import AE, JP, PORT, TOKYO, UAE, WATER
from test_pipeline import TODAY, Office

from matcher.errors import ConflictError, ForbiddenError, InputError, MatcherError, NotFoundError
from matcher.store import pipeline
from matcher.store.embedded import ROLE, EmbeddedServer
from matcher.store.offices import at
from matcher.store.pipeline_rows import ASSIGNMENT, OUTCOME, get, page

Refusal = type[MatcherError] | None

OFFICERS, ADMIN = ("city.office", "city.second"), "keeper"
CITY = (*OFFICERS, ADMIN)
OFFICE = {**dict.fromkeys(CITY), "tokyo.desk": TOKYO, "tokyo.second": TOKYO, "uae.desk": UAE}
COVERS = {TOKYO: (JP,), UAE: (AE,)}
LOGINS = st.sampled_from(tuple(OFFICE))
PARTNERS, PROJECTS = st.sampled_from((JP, AE)), st.sampled_from((PORT, WATER))
STAGES = ("lead", "prospect", "engaged", "negotiating", "committed", "won")
ENDED = ("lost", "done")

CHANGES = st.one_of(
    st.sampled_from((
        {"lead": True}, {"lead": True}, {"lead": False}, {"stage": "prospect"}, {"next_step": "call"},
        {"value_usd": 5.0},
        {"stage": "negotiating", "next_step": "call", "value_usd": 5.0}, {"stage": "won", "value_usd": 5.0},
        {"status": "lost", "lost_reason": "x"}, {"status": "active", "lost_reason": None}, {"status": "paused"},
    )),
    st.fixed_dictionaries(
        {},
        optional={
            "stage": st.sampled_from(STAGES), "status": st.sampled_from(("active", "paused", "lost", "done")),
            "lead": st.booleans(), "next_step": st.sampled_from((None, "call")),
            "lost_reason": st.sampled_from((None, "x")), "value_usd": st.sampled_from((5.0, None)),
            "expected_on": st.sampled_from((TODAY, None)),
        },
    ),
)  # fmt: skip
INSIDE = st.sampled_from((True, True, True, False))


@dataclass(frozen=True)
class Version:
    values: dict[str, Any]
    login: str
    withdrawn: bool = False


@dataclass
class Record:
    kind: Any
    office: str | None
    partner: str
    project: str
    by_city: bool
    versions: list[Version] = field(default_factory=list)
    verdicts: dict[int, str] = field(default_factory=dict)

    @property
    def now(self) -> Version:
        return self.versions[-1]

    @property
    def verified(self) -> bool:
        return self.verdicts.get(len(self.versions)) == "verified"


def sees(login: str, record: Record) -> bool:
    return owns(login, record) or (record.kind is OUTCOME and login in OFFICERS)


def owns(login: str, record: Record) -> bool:
    given = record.by_city and record.kind is ASSIGNMENT and login in OFFICERS
    return login == ADMIN or record.office == OFFICE[login] or given


def stage_fits(values: dict[str, Any]) -> bool:
    running, place = values["status"] not in ENDED, STAGES.index(values["stage"])
    planned = not running or not 2 <= place <= 4 or values["next_step"] is not None
    valued = place < 3 or values["value_usd"] is not None
    dated = place != 4 or values["expected_on"] is not None
    return planned and valued and dated and (values["status"] == "lost") == (values["lost_reason"] is not None)


class PipelineMachine(RuleBasedStateMachine):
    """A rule asks the database and the model the same; both refuse for the same reason or say the same."""

    server: EmbeddedServer
    numbers = count(1)
    records: Bundle[int] = Bundle("records")

    def __init__(self) -> None:
        super().__init__()
        self.name = f"machine_{next(self.numbers)}"
        create_database(self.server.admin_url, self.name, owner=ROLE, template="filled")
        self.office = Office(database_url(self.server.url, self.name))
        self.model: dict[int, Record] = {}

    def teardown(self) -> None:
        self.office.desk.close()
        drop_database(self.server.admin_url, self.name)

    def led_elsewhere(self, record: Record, values: dict[str, Any]) -> bool:
        """Another office leads on the partner."""
        if record.kind is not ASSIGNMENT or not values["lead"] or values["status"] in ENDED:
            return False
        return any(r.office != record.office for r in self.leading(record.partner))

    def leading(self, partner: str) -> list[Record]:
        return [
            r for r in self.model.values()
            if r.kind is ASSIGNMENT and r.partner == partner and not r.now.withdrawn and r.now.values["lead"]
            and r.now.values["status"] not in ENDED
        ]  # fmt: skip

    def unfit(self, login: str, record: Record, values: dict[str, Any], before: Version | None) -> Refusal:
        if record.kind is ASSIGNMENT:
            if not stage_fits(values):
                return InputError
            fresh = values["stage"] == "won" and (before is None or before.values["stage"] != "won")
            if fresh and not any(
                r.kind is OUTCOME and sees(login, r) and not r.now.withdrawn and r.verified
                and (r.partner, r.project, r.now.values["result"]) == (record.partner, record.project, "won")
                for r in self.model.values()
            ):  # fmt: skip
                return InputError
        return ConflictError if self.led_elsewhere(record, values) else None

    def asked(self, work: Any, expected: Refusal) -> dict[str, Any] | None:
        """What the database answers, which refuses where the model does."""
        refusal = None
        told: dict[str, Any] | None = None
        try:
            told = work()
        except MatcherError as error:
            refusal = error
        assert (None if refusal is None else type(refusal)) is expected, refusal
        return told

    @initialize(target=records, lead=st.booleans())
    def begin(self, lead: bool) -> MultipleResults[int]:
        """Two offices work on one partner, and something has come of it; the rules go on from there."""
        made = [
            self.assign("tokyo.desk", JP, PORT, lead, None), self.assign("city.office", JP, PORT, False, None),
            self.assign("city.office", JP, WATER, False, TOKYO), self.assign("uae.desk", AE, PORT, not lead, None),
            self.report("tokyo.desk", JP, PORT, "won"), self.report("city.second", JP, PORT, "lost"),
        ]  # fmt: skip
        return multiple(*(n for one in made for n in one.values))

    @rule(target=records, login=LOGINS, partner=PARTNERS, project=PROJECTS, lead=st.booleans(),
          to=st.sampled_from((None, None, TOKYO, UAE)))  # fmt: skip
    def assign(self, login: str, partner: str, project: str, lead: bool, to: str | None) -> MultipleResults[int]:
        own = OFFICE[login]
        office = own if own is not None else to
        values = {
            "lead": lead, "stage": "lead", "status": "active", "next_step": None, "value_usd": None,
            "expected_on": None, "lost_reason": None,
        }  # fmt: skip
        record = Record(ASSIGNMENT, office, partner, project, login in CITY)
        expected: Refusal = self.unfit(login, record, values, None)
        if (own is not None and to not in (None, own)) or (office is not None and partner not in COVERS[office]):
            expected = ForbiddenError
        return self.create(login, record, values, expected, mission_id=to)

    @rule(target=records, login=LOGINS, partner=PARTNERS, project=PROJECTS, result=st.sampled_from(("won", "lost")))
    def report(self, login: str, partner: str, project: str, result: str) -> MultipleResults[int]:
        office = OFFICE[login]
        values = {
            "result": result, "role": "owner" if result == "won" else None, "decided_on": TODAY, "source": "x",
            "lost_reason": None if result == "won" else "x",
        }  # fmt: skip
        uncovered = office is not None and partner not in COVERS[office]
        record = Record(OUTCOME, office, partner, project, False)
        return self.create(login, record, values, ForbiddenError if uncovered else None)

    def create(
        self, login: str, record: Record, values: dict[str, Any], expected: Refusal, **more: Any
    ) -> MultipleResults[int]:
        pair = {"partner_id": record.partner, "project_id": record.project}
        told = self.asked(lambda: self.office.create(login, record.kind, **pair, **values, **more), expected)
        if told is None:
            return multiple()
        record.versions.append(Version(values, login))
        self.model[told["id"]] = record
        return multiple(int(told["id"]))

    def person(self, login: str, number: int, inside: bool) -> str:
        """The login, or, so that not every second step is refused, somebody of the record's office."""
        record = self.model.get(number)
        owners = [] if record is None or not inside else [o for o in OFFICE if owns(o, record)]
        return owners[tuple(OFFICE).index(login) % len(owners)] if owners else login

    def refused(self, login: str, number: int) -> Refusal:
        """Why a change is refused whatever it says."""
        record = self.model.get(number)
        if record is None or not sees(login, record) or record.now.withdrawn:
            return NotFoundError
        return None if owns(login, record) else ForbiddenError

    @rule(login=LOGINS, number=records, inside=INSIDE, changes=CHANGES)
    def change(self, login: str, number: int, inside: bool, changes: dict[str, Any]) -> None:
        login = self.person(login, number, inside)
        record = self.model.get(number)
        kind = ASSIGNMENT if record is None else record.kind
        if kind is OUTCOME:
            changes = {"value_usd": changes["value_usd"]} if "value_usd" in changes else {"source": "y"}
        expected = self.refused(login, number)
        values = {} if record is None else record.now.values | changes
        same = record is not None and all(values.get(k) == record.now.values.get(k) for k in values)
        if expected is None and not same:
            assert record is not None
            expected = self.unfit(login, record, values, record.now)
        told = self.asked(lambda: self.office.change(login, kind, number, **changes), expected)
        if told is not None and not same:
            assert record is not None
            record.versions.append(Version(values, login))

    @rule(login=LOGINS, number=records, lead=st.booleans())
    def take_lead(self, login: str, number: int, lead: bool) -> None:
        self.change(login, number, True, {"lead": lead})

    @rule(login=LOGINS, number=records, stage=st.sampled_from(STAGES))
    def move(self, login: str, number: int, stage: str) -> None:
        self.change(login, number, True, {"stage": stage, "value_usd": 5.0, "next_step": "call", "expected_on": TODAY})

    @rule(login=LOGINS, number=records, status=st.sampled_from(("active", "paused", "lost", "done")))
    def end(self, login: str, number: int, status: str) -> None:
        self.change(login, number, True, {"status": status, "lost_reason": "x" if status == "lost" else None})

    @rule(officer=st.sampled_from(CITY), number=records)
    def confirm(self, officer: str, number: int) -> None:
        self.verify(officer, number, "verified")

    @rule(login=LOGINS, number=records, inside=INSIDE)
    def race(self, login: str, number: int, inside: bool) -> None:
        """Two who have read the same version write at once: one of them does."""
        login = self.person(login, number, inside)
        record = self.model.get(number)
        if record is None or self.refused(login, number) is not None:
            return
        field_, seen = ("next_step" if record.kind is ASSIGNMENT else "lost_reason"), len(record.versions)
        if record.kind is OUTCOME and record.now.values["result"] == "won":
            field_ = "source"

        def fits(known: Any) -> None:
            if known["version"] != seen:
                raise ConflictError("read again")

        told: list[Any] = []

        def write(text: str) -> None:
            try:
                with self.office.as_(login) as cursor:
                    pipeline.change(cursor, record.kind, number, {field_: text}, fits=fits)
                told.append(text)
            except ConflictError as error:
                told.append(error)

        threads = [threading.Thread(target=write, args=(f"{seen}{side}",)) for side in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [t for t in told if isinstance(t, str)]
        assert len(told) == 2
        expected = self.unfit(login, record, record.now.values | {field_: "x"}, record.now)
        assert len(won) == (1 if expected is None else 0)
        if won:
            record.versions.append(Version(record.now.values | {field_: won[0]}, login))

    @rule(login=LOGINS, number=records, inside=INSIDE)
    def undo(self, login: str, number: int, inside: bool) -> None:
        login = self.person(login, number, inside)
        record = self.model.get(number)
        kind = ASSIGNMENT if record is None else record.kind
        expected: Refusal = NotFoundError
        if record is not None and sees(login, record):
            writer = record.now.login
            expected = None if owns(login, record) else ForbiddenError
            before = record.versions[-2] if len(record.versions) > 1 else Version(record.now.values, login, True)
            if expected is None and login != ADMIN and OFFICE[writer] != OFFICE[login]:
                expected = ConflictError
            if expected is None and not before.withdrawn and self.led_elsewhere(record, before.values):
                expected = ConflictError
        told = self.asked(lambda: self.office.undo(login, kind, number), expected)
        if told is not None:
            assert record is not None
            record.versions.append(Version(before.values, login, before.withdrawn))

    @rule(login=LOGINS, number=records, verdict=st.sampled_from(("verified", "rejected")))
    def verify(self, login: str, number: int, verdict: str) -> None:
        record = self.model.get(number)
        if record is not None and record.kind is ASSIGNMENT:
            return
        expected = self.refused(login, number)
        if expected is not NotFoundError:
            assert record is not None
            reported = any(v.login == login for v in record.versions)
            known = len(record.versions) in record.verdicts
            expected = ForbiddenError if reported else ConflictError if known else None
            if expected is None and login not in CITY:
                expected = ForbiddenError
        told = self.asked(lambda: self.office.verify(login, number, verdict, "why"), expected)
        if told is not None:
            assert record is not None
            record.verdicts[len(record.versions)] = verdict

    @invariant()
    def both_say_the_same(self) -> None:
        for login in OFFICE:
            with self.office.as_(login) as cursor:
                for kind in (ASSIGNMENT, OUTCOME):
                    listed = page(cursor, kind, filters={}, n=200).items
                    visible = {
                        n: r for n, r in self.model.items() if r.kind is kind and sees(login, r) and not r.now.withdrawn
                    }
                    assert {i["id"] for i in listed} == set(visible)
                    for item in listed:
                        record = visible[item["id"]]
                        assert item["version"] == len(record.versions)
                        assert item["mission_id"] == record.office
                        for name, value in record.now.values.items():
                            assert item[name] == (value.isoformat() if hasattr(value, "isoformat") else value), name
                        if kind is OUTCOME:
                            assert item["verified"] == record.verified
                for partner in (JP, AE):
                    leads = {r.office for r in self.leading(partner)}
                    assert len(leads) <= 1
                    found = at(cursor, partner)
                    assert (found.led, found.lead_mission_id) == (bool(leads), next(iter(leads), None))

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.office.as_(ADMIN) as cursor:
            for number, record in self.model.items():
                if record.now.withdrawn:
                    continue
                history = get(cursor, record.kind, number)["history"][::-1]
                assert [h["by"] for h in history] == [f"u{self.office.number(v.login)}" for v in record.versions]
                assert [h["withdrawn"] for h in history] == [v.withdrawn for v in record.versions]


def test_the_pipeline_and_its_model_say_the_same(embedded_server: EmbeddedServer, filled: dict[str, str]) -> None:
    PipelineMachine.server = embedded_server
    run_state_machine_as_test(
        PipelineMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # to shrink a failure takes minutes, and 20 steps can be read
        ),
    )
