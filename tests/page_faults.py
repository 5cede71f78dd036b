"""What can be wrong with a page in a browser: text that is cut or overlaps, words of the other language, weight."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from api.language import LANGUAGES, read_catalogue

WIDTHS = (360, 768, 1280, 1920)
MOST_BYTES = 150_000
MOST_REQUESTS = 3
IMAGES = (".svg", ".png", ".ico")

_SLOT = re.compile(r"%\(\w+\)[sd]|%%")
_AXE = Axe()
_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

_LAYOUT, _TEXTS = (
    (Path(__file__).with_name(name)).read_text(encoding="utf-8").partition("\n")[2]
    for name in ("page_layout.js", "page_texts.js")
)

_VIETNAMESE = re.compile(r"[ăđơưĂĐƠƯ\u1ea0-\u1ef9]")
"""Letters that no other language here has; â, ê and ô are French as well."""


def layout_faults(page: Page, width: int) -> list[str]:
    """Text that is cut, overlaps other text, lies outside the page or its drawing, at a width."""
    page.set_viewport_size({"width": width, "height": 900})
    return [f"{width}: {fault}" for fault in page.evaluate(_LAYOUT)]


def axe_faults(page: Page) -> list[str]:
    """Serious and critical findings of axe."""
    found = _AXE.run(page, options={"runOnly": _RULES, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{v['impact']} {v['id']}: {v['help']}: {[n['html'][:160] for n in v['nodes'][:3]]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def language_faults(page: Page, lang: str, *, entered: Iterable[str] = ()) -> list[str]:
    """Texts that are not in the page's language and not marked as another one; what people typed in is left out."""
    typed = re.compile("|".join(re.escape(t) for t in sorted(entered, key=len, reverse=True)) or "(?!)")
    texts = [typed.sub("", text) for text, told in page.evaluate(_TEXTS) if told == lang]
    other = "en" if lang == "vi" else "vi"
    faults = [f"of the other catalogue: {t}" for t in set(texts) if _says(t, other) and not _says(t, lang)]
    if lang == "en":
        faults += [f"Vietnamese on an English page: {t[:120]}" for t in texts if _VIETNAMESE.search(t)]
    return sorted(set(faults))


def _says(text: str, lang: str) -> bool:
    """The text is one of the catalogue in a language, longer ones only: a name such as PPP reads alike in both."""
    plain, slotted = _sentences(lang)
    return text in plain or slotted.search(text) is not None


@cache
def _sentences(lang: str) -> tuple[frozenset[str], re.Pattern[str]]:
    """The catalogue's texts in a language: those that are said as they stand, and a pattern for those with values."""
    translations, found = read_catalogue("en"), set()
    for key in _keys():
        english = translations.gettext(key)
        if english != key and min(_words(english), _words(key)) >= 3:
            found.add(re.sub(r"\s+", " ", english if lang == "en" else key).strip())
    slotted = [".{0,200}?".join(re.escape(p) for p in _SLOT.split(t)) for t in sorted(found) if _SLOT.search(t)]
    return frozenset(t for t in found if not _SLOT.search(t)), re.compile(f"^(?:{'|'.join(slotted) or '(?!)'})$")


def _words(text: str) -> int:
    return len([w for w in _SLOT.sub("", text).split() if w.isalpha()])


def _keys() -> Iterable[str]:
    catalog: Any = read_catalogue("en")._catalog  # type: ignore[attr-defined]  # gettext gives no other way to list it
    return [k[0] if isinstance(k, tuple) else k for k in catalog if k]


def load(page: Page, address: str) -> tuple[Response | None, list[str]]:
    """The first load of a page with nothing kept, and what is too heavy about it."""
    loaded: list[tuple[str, str, int]] = []

    def finished(request: Any) -> None:
        loaded.append((request.url, request.resource_type, request.sizes()["responseBodySize"]))

    page.on("requestfinished", finished)
    answer = page.goto(address)
    page.remove_listener("requestfinished", finished)
    parts = [u for u, kind, _ in loaded if kind != "image" and not u.partition("?")[0].endswith(IMAGES)]
    weight = sum(size for _, _, size in loaded)
    faults = []
    if len(parts) > MOST_REQUESTS:
        faults.append(f"{len(parts)} requests before images: {parts}")
    if weight >= MOST_BYTES:
        faults.append(f"weighs {weight} bytes: {loaded}")
    own = address.split("/")[2]
    faults += [f"another host: {u}" for u, _, _ in loaded if u.split("/")[2] != own]
    return answer, faults


assert set(LANGUAGES) == {"vi", "en"}
