// Pages are whole without this file. With it, parts marked data-live are kept up to date while they are looked at,
// and pictures can be scrolled.
"use strict";
// On a phone rows of tables are drawn as cards; for the ear they stay tables.
const tell = (root) => {
  const roles = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", "thead th": "columnheader", "tbody th": "rowheader", td: "cell" };
  for (const table of root.querySelectorAll("table.cards")) {
    table.setAttribute("role", "table");
    for (const [name, role] of Object.entries(roles)) table.querySelectorAll(name).forEach((one) => one.setAttribute("role", role));
  }
};
tell(document);

(() => {
  document.addEventListener("toggle", async (event) => {
    const box = event.target;
    if (!box.open || !box.dataset?.pictures || box.dataset.shown) return;
    box.dataset.shown = "yes";
    const answer = await fetch(box.dataset.pictures, { headers: { Accept: "application/json" } });
    if (!answer.ok) { box.querySelector("p").textContent = "The pictures cannot be made: images or results are no longer held."; return; }
    const { slices, best } = await answer.json();
    const [figure, image, range, caption] = ["figure", "img", "input", "figcaption"].map((name) => box.querySelector(name));
    const show = () => {
      const number = Number(range.value);
      image.src = `${box.dataset.pictures}/${number}`;
      caption.textContent = `${number + 1} of ${slices.length}: ${slices[number].join(", ")}`;
      image.alt = `Slice ${caption.textContent}`;
      range.setAttribute("aria-valuetext", caption.textContent);
    };
    range.max = slices.length - 1;
    range.value = best;
    range.addEventListener("input", show);
    image.addEventListener("wheel", (turn) => { turn.preventDefault(); range.value = Number(range.value) + Math.sign(turn.deltaY); show(); }, { passive: false });
    figure.hidden = !slices.length;
    if (slices.length) show();
  }, true);
})();
(() => {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (!parts.length || !window.EventSource) return;
  const study = parts[0].dataset.study;
  let source = null, due = 0, busy = false, again = false;

  const concerns = (news) =>
    !study || news.studies.includes(study) || news.running.some((job) => job.study === study);

  const listen = () => {
    if (source || document.hidden) return;
    source = new EventSource("/api/v1/changes");
    source.onmessage = (event) => { if (concerns(JSON.parse(event.data))) soon(); };
    source.onerror = () => { if (source && source.readyState === EventSource.CLOSED) { hush(); setTimeout(listen, 10000); } };
  };
  const hush = () => { if (source) source.close(); source = null; };
  const soon = () => { if (!due) due = setTimeout(renew, 400); };

  async function renew() {
    due = 0;
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Background": "yes" }, cache: "no-store" });
      if (answer.redirected) { location.reload(); return; }  // the session has ended
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the node is away; the stream tells when it is back */ }
    busy = false;
    if (again) { again = false; soon(); }
  }

  // What a person is at stays: focus, opened details, how far a table was scrolled.
  function show(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if ("keep" in old.dataset && old.childElementCount) continue;
      if (fresh) tell(fresh);
      if (!fresh || fresh.innerHTML === old.innerHTML) continue;
      const focus = old.contains(document.activeElement) ? path(document.activeElement, old) : null;
      const open = [...old.querySelectorAll("details[open][id]")].map((one) => one.id);
      const scrolled = [...old.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      old.replaceChildren(...document.importNode(fresh, true).childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      old.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = scrolled[n] || 0; });
      if (focus) find(focus, old)?.focus({ preventScroll: true });
    }
  }
  const path = (node, root) => {
    const steps = [];
    for (; node !== root; node = node.parentElement) steps.unshift([...node.parentElement.children].indexOf(node));
    return steps;
  };
  const find = (steps, root) => steps.reduce((node, n) => node?.children[n], root);

  document.addEventListener("visibilitychange", () => { if (document.hidden) hush(); else { listen(); soon(); } });
  window.addEventListener("pagehide", hush);
  listen();
})();
// A large study takes its time: say that it is on its way.
for (const form of document.querySelectorAll("form[data-upload]"))
  form.addEventListener("submit", () => {
    form.querySelector("[data-told]").textContent = "On its way. This page must stay open until it has arrived.";
    form.querySelector("button").disabled = true;
  });
