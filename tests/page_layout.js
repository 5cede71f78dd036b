// Text that is cut, overlaps other text, or lies outside the page or its drawing.
() => {
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
}
