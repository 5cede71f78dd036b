"""Profiles: what a record does and has done, in words, without the names that would betray the answer."""

import unicodedata
from datetime import date

import pytest
from small_world import HERE, PARTNERS, PROJECTS, REFERENCE, BagEncoder, deal, facts, frame, large

from matcher.matching.corpus import Corpus
from matcher.matching.describe import Glossary, Names, describe_partners, describe_projects, mask
from matcher.records import empty
from matcher.text import tokens


def project_texts(rows: list[dict], participants: dict[str, list[str]] | None = None) -> dict[str, tuple[str, str]]:
    known = Names.of([q["name"] for q in PARTNERS])
    made = describe_projects(frame("projects", rows), REFERENCE, participants or {}, known)
    return {p: (vi, en) for p, vi, en in made.iter_rows()}


def partner_texts(rows: list[dict]) -> dict[str, str]:
    return dict(describe_partners(frame("partners", rows), REFERENCE).iter_rows())


def test_a_project_is_told_in_each_language_that_is_known() -> None:
    texts = project_texts(PROJECTS)
    assert texts["p-port"][0] == "Cảng trung chuyển container Cần Giờ. cảng biển"
    assert texts["p-port"][1] == "Can Gio container port. seaports. Transhipment container terminal"
    assert texts["x-solar"] == ("", "Solar power farms. power")
    assert texts["p-vague"] == ("Khu đô thị ven sông", "")


def test_a_project_of_which_nothing_is_known_has_no_text() -> None:
    assert project_texts([{"project_id": "p", "status": "calling", **HERE}]) == {"p": ("", "")}


def test_composed_and_decomposed_names_give_the_same_text() -> None:
    apart = [{**p, "name_vi": unicodedata.normalize("NFD", p.get("name_vi") or "")} for p in PROJECTS]
    assert project_texts(apart)["p-port"] == project_texts(PROJECTS)["p-port"]


def test_a_partner_is_told_by_what_it_does_and_never_by_its_name() -> None:
    texts = partner_texts(PARTNERS)
    assert texts["jp-port"] == "company. container terminals. khai thác cảng container"
    for q in PARTNERS:
        if q.get("activities") or q.get("description"):
            assert not set(tokens(q["name"])) & set(tokens(texts[q["partner_id"]])) - {
                "wind",
                "care",
                "micro",
                "terminals",
            }


def test_a_name_and_a_kind_alone_tell_nothing() -> None:
    texts = partner_texts([*PARTNERS, {"partner_id": "zz", "name": "", "kind": "fund"}])
    assert texts["nobody"] == ""
    assert texts["zz"] == ""


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("Minato Terminals", "Cảng Minato Cần Giờ", "Cảng Cần Giờ"),
        ("Minato Terminals", "MINATO-led port (Mínàto)", "port"),
        ("Kawa Bank", "Bank tower for Kawa", "Bank tower for"),
        ("Xanh Energy", "Energy centre, Xanh", "Energy centre,"),
        ("", "Cảng Minato", "Cảng Minato"),
    ],
)
def test_the_words_that_name_a_partner_are_masked_and_business_words_stay(name: str, text: str, left: str) -> None:
    assert mask(text, [name], Names.of([q["name"] for q in PARTNERS])) == left


@pytest.mark.parametrize("brand", ["Keppel", "LG"])
def test_a_brand_that_many_companies_of_a_group_share_is_masked(brand: str) -> None:
    group = [f"{brand} {word}" for word in ("Land", "Corporation", "Energy", "Capital", "Infrastructure", "Water")]
    others = [f"Company {n} Corporation" for n in range(100)]
    left = mask(f"{brand} harbour tower", [group[1]], Names.of([*group, *others], REFERENCE))
    assert brand not in left
    assert "tower" in left


def test_a_word_of_the_glossary_stays_even_if_only_one_partner_has_it_in_its_name() -> None:
    assert mask("Container wharf", ["Container Kings"], Names.of(["Container Kings"], REFERENCE)) == "Container wharf"
    assert mask("Container wharf", ["Wharf Kings"], Names.of(["Wharf Kings"], REFERENCE)) == "Container"


def test_every_deal_masks_its_partner_whatever_became_of_it() -> None:
    """An imported deal too: its partner's name leaves the text of the project."""
    rows = [
        *PROJECTS,
        {"project_id": "y", "name_en": "Daehan Micro plant of Suan Care", "status": "past", **HERE},
        {"project_id": "z", "name_en": "Daehan Micro plant", "status": "past", **HERE},
    ]
    deals = [deal(1, "y", "kr-chips", None), deal(2, "y", "th-clinic", date(2020, 1, 1), status="mou")]
    texts = Corpus.of(facts(projects=rows, deals=deals), BagEncoder(), None).project_texts
    told = dict(zip(texts["project_id"].to_list(), texts["en"].to_list(), strict=True))
    assert told["y"] == "plant of"
    assert told["z"] == "Daehan Micro plant"


def test_texts_do_not_depend_on_the_order_of_records() -> None:
    known = large(10)
    texts = Corpus.of(known, BagEncoder(), None).partner_texts
    turned = facts(
        projects=known.projects.to_dicts()[::-1], partners=known.partners.to_dicts()[::-1],
        deals=known.deals.to_dicts()[::-1],
        footprint=[],
    )  # fmt: skip
    assert Corpus.of(turned, BagEncoder(), None).partner_texts == texts


@pytest.mark.parametrize(
    ("text", "divisions"),
    [
        ("Container terminal in Hai Phong", {"52": 1.0, "50": 0.5}), ("CANG BIEN moi", {"52": 1.0}),
        ("半導体", {"26": 1.0}),
        ("Bệnh viện gần cảng", {"86": 1.0, "52": 0.5}), ("", {}), ("?!", {}),
    ],
)  # fmt: skip
def test_the_glossary_reads_divisions_out_of_words(text: str, divisions: dict[str, float]) -> None:
    found = Glossary(REFERENCE.terms).divisions(text)
    assert found == pytest.approx(divisions)


def test_an_empty_glossary_reads_nothing() -> None:
    assert Glossary(empty("terms")).divisions("container terminal") == {}
