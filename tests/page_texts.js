// Every text of a page with the language that it is marked as.
() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = (e) => (e.closest('[lang]') || document.documentElement).getAttribute('lang');
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.textContent.replace(/\s+/g, ' ').trim();
    if (text && !node.parentElement.closest('script,style')) found.push([text, told(node.parentElement)]);
  }
  for (const e of document.querySelectorAll('[aria-label],[title],[alt],[placeholder]'))
    for (const name of ['aria-label', 'title', 'alt', 'placeholder'])
      if (e.getAttribute(name)) found.push([e.getAttribute(name).trim(), told(e)]);
  found.push([document.title, document.documentElement.lang]);
  return found;
}
