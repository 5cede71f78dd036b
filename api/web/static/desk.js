/* Only enhances: every page works without it. No library, nothing loaded, nothing kept. */
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A form that was sent says so and is not sent twice.
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    if (button) button.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    all("[aria-busy]", form).forEach((b) => b.removeAttribute("aria-busy"));
  }));

  // What is wrong with a form is where the reader is.
  const wrong = document.getElementById("wrong");
  if (wrong) wrong.focus();

  // One help at a time; Escape closes it and gives the focus back.
  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches("details.help"))
      all("details.help[open]").forEach((other) => { if (other !== event.target) other.open = false; });
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.help[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    all("details.help[open]").forEach((open) => { if (!open.contains(event.target)) open.open = false; });
  });

  // A filter that is chosen is applied.
  all("form.filters[data-auto] select").forEach((select) => select.addEventListener("change", () => select.form.requestSubmit()));

  // At most four partners are compared.
  const picks = all("input[form=compare][type=checkbox]");
  const count = () => {
    const chosen = picks.filter((p) => p.checked).length;
    picks.forEach((p) => { p.disabled = chosen >= 4 && !p.checked; });
    all("[data-chosen]").forEach((out) => { out.textContent = chosen; });
  };
  if (picks.length) { picks.forEach((p) => p.addEventListener("change", count)); count(); }

  // Fields are checked while they are filled in, by the same rules as when they are sent.
  all("form[data-check]").forEach((form) => {
    let wait, asked = 0;
    const touched = new Set();
    const check = async () => {
      const mine = ++asked;
      const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), headers: { accept: "application/json" } });
      if (!answer.ok || mine !== asked) return;
      const errors = (await answer.json()).errors;
      all("[data-error]", form).forEach((out) => {
        const name = out.dataset.error, text = errors[name], input = form.elements[name];
        if (!touched.has(name)) return;
        out.textContent = text ? "✕ " + text : "";
        out.hidden = !text;
        out.parentElement.classList.toggle("wrong", Boolean(text));
        if (input && input.setAttribute) {
          if (text) { input.setAttribute("aria-invalid", "true"); input.setAttribute("aria-describedby", out.id); }
          else input.removeAttribute("aria-invalid");
        }
      });
    };
    const soon = (event) => { touched.add(event.target.name); clearTimeout(wait); wait = setTimeout(check, 350); };
    form.addEventListener("input", soon);
    form.addEventListener("change", soon);
  });
})();
