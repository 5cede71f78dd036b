"""What can be wrong with a page in a browser: text that is cut or overlaps, words of the other language, weight."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from api.language import LANGUAGES, read_catalogue

WIDTHS = (360, 768, 1280, 1920)
MOST_BYTES = 150_000
MOST_REQUESTS = 3
IMAGES = (".svg", ".png", ".ico")

_AXE = Axe()
_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

_LAYOUT = """() => {
  const faults = [], boxes = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) faults.push(`scrolls sideways: ${document.documentElement.scrollWidth}`);
  const clipped = (e) => { if (!e.checkVisibility()) return true; for (let a = e; a; a = a.parentElement) {
    const s = getComputedStyle(a); if (s.clipPath !== 'none' || s.visibility === 'hidden' || s.opacity === '0') return true; } return false; };
  const scroller = (e) => { for (let a = e; a && a !== document.body; a = a.parentElement)
    if (/auto|scroll/.test(getComputedStyle(a).overflowX)) return a; return null; };
  const floats = (e) => { for (let a = e; a && a !== document.body; a = a.parentElement)
    if (/absolute|fixed|sticky/.test(getComputedStyle(a).position)) return true; return false; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.textContent.trim(), e = node.parentElement;
    if (!text || e.closest('script,style,option,title,desc') || clipped(e)) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    const svg = e.closest('svg'), outer = svg ? svg.getBoundingClientRect() : null;
    for (const r of range.getClientRects()) {
      if (r.width < 1 || r.height < 1) continue;
      const told = `"${text.slice(0, 50)}" in ${e.tagName.toLowerCase()}.${e.getAttribute('class') || ''}`;
      if (!scroller(e) && (r.right > wide + 1 || r.left < -1)) faults.push(`beyond the page: ${told}`);
      if (outer && (r.right > outer.right + 2 || r.left < outer.left - 2 || r.bottom > outer.bottom + 3 || r.top < outer.top - 3))
        faults.push(`beyond its drawing: ${told}`);
      if (!scroller(e)) boxes.push({ e, told, floats: floats(e), l: r.left + 1, r: r.right - 1, t: r.top + r.height * .25, b: r.bottom - r.height * .25 });
    }
    for (let a = e; a && a !== document.body; a = a.parentElement) {
      const s = getComputedStyle(a);
      if (/hidden|clip/.test(s.overflowX + s.overflowY) && (a.scrollWidth > a.clientWidth + 1 || a.scrollHeight > a.clientHeight + 1) && a.clientWidth > 1)
        faults.push(`cut: "${text.slice(0, 50)}" in ${a.tagName.toLowerCase()}.${a.getAttribute('class') || ''}`);
    }
  }
  for (const e of document.querySelectorAll('button, .button, select, summary')) {
    if (clipped(e) || !e.getClientRects().length) continue;
    if (e.tagName !== 'SELECT' && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) faults.push(`cut: button "${e.textContent.trim().slice(0, 40)}"`);
  }
  boxes.sort((a, b) => a.t - b.t);
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length && boxes[j].t < boxes[i].b; j++) {
    const a = boxes[i], b = boxes[j];
    if (a.e === b.e || a.floats !== b.floats) continue;
    if (Math.min(a.r, b.r) - Math.max(a.l, b.l) > 2 && Math.min(a.b, b.b) - Math.max(a.t, b.t) > 2) faults.push(`overlap: ${a.told} and ${b.told}`);
  }
  return [...new Set(faults)];
}"""

_TEXTS = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = (e) => (e.closest('[lang]') || document.documentElement).getAttribute('lang');
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.textContent.replace(/\\s+/g, ' ').trim();
    if (text && !node.parentElement.closest('script,style')) found.push([text, told(node.parentElement)]);
  }
  for (const e of document.querySelectorAll('[aria-label],[title],[alt],[placeholder]'))
    for (const name of ['aria-label', 'title', 'alt', 'placeholder'])
      if (e.getAttribute(name)) found.push([e.getAttribute(name).trim(), told(e)]);
  found.push([document.title, document.documentElement.lang]);
  return found;
}"""

_VIETNAMESE = re.compile(r"[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")


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


def language_faults(page: Page, lang: str) -> list[str]:
    """Texts that are not in the page's language and not marked as another one."""
    texts = [text for text, told in page.evaluate(_TEXTS) if told == lang]
    other = _sentences("en" if lang == "vi" else "vi")
    faults = [f"of the other catalogue: {t}" for t in texts if any(s.search(t) for s in other) and not _ours(t, lang)]
    if lang == "en":
        faults += [f"Vietnamese on an English page: {t[:120]}" for t in texts if _VIETNAMESE.search(t)]
    return sorted(set(faults))


@cache
def _sentences(lang: str) -> tuple[re.Pattern[str], ...]:
    """The catalogue's texts in a language, longer ones only: a name such as PPP reads alike in both."""
    translations, both = read_catalogue("en"), set()
    for key in _keys():
        english = translations.gettext(key)
        if english != key and len(english.split()) >= 3 and len(key.split()) >= 3:
            both.add(english if lang == "en" else key)
    return tuple(_pattern(text) for text in sorted(both))


def _keys() -> Iterable[str]:
    catalog: Any = read_catalogue("en")._catalog  # type: ignore[attr-defined]  # gettext gives no other way to list it
    return [k[0] if isinstance(k, tuple) else k for k in catalog if k]


def _pattern(text: str) -> re.Pattern[str]:
    plain = re.sub(r"\s+", " ", text).strip()
    parts = re.split(r"%\(\w+\)s|%%", plain)
    return re.compile("^" + ".{0,200}?".join(re.escape(p) for p in parts) + "$")


@cache
def _own(lang: str) -> tuple[re.Pattern[str], ...]:
    return _sentences(lang)


def _ours(text: str, lang: str) -> bool:
    return any(s.search(text) for s in _own(lang))


def load(page: Page, address: str) -> tuple[Response | None, list[str]]:
    """The first load of a page with nothing kept, and what is too heavy about it."""
    loaded: list[tuple[str, str, int]] = []

    def finished(request: Any) -> None:
        loaded.append((request.url, request.resource_type, request.sizes()["responseBodySize"]))

    page.on("requestfinished", finished)
    answer = page.goto(address)
    page.wait_for_load_state("networkidle")
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
