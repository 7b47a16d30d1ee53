// The responder form with a little help; without it everything works, only slower.
(() => {
  const form = document.getElementById("responder-form");
  if (!form) return;
  const field = (name) => form.elements.namedItem(name);
  const start = field("from_date"), end = field("to_date");
  const pad = (number) => String(number).padStart(2, "0");
  // Wall-clock times of the mailbox's zone, never converted: Date is used to count days only.
  const asTyped = (date) =>
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
  const changed = (element) => element.dispatchEvent(new Event("change", { bubbles: true }));

  // Moving the start keeps the length.
  let before = start.value;
  start.addEventListener("change", () => {
    if (before && start.value && end.value && end.value > before) {
      const length = new Date(`${end.value}Z`) - new Date(`${before}Z`);
      const moved = new Date(new Date(`${start.value}Z`).getTime() + length);
      if (!Number.isNaN(moved.getTime())) end.value = moved.toISOString().slice(0, 16);
    }
    before = start.value;
  });

  // Quick ends count from the start, or from today in the mailbox's zone.
  const quick = document.getElementById("quick-ends");
  const ends = {
    tomorrow: (day) => day.setDate(day.getDate() + 1),
    week: (day) => day.setDate(day.getDate() + 7),
    monday: (day) => day.setDate(day.getDate() + ((8 - day.getDay()) % 7 || 7)),
  };
  quick.hidden = false;
  quick.addEventListener("click", (event) => {
    const choice = event.target.dataset.end;
    if (!choice) return;
    const day = new Date(start.value || form.dataset.now);
    ends[choice](day);
    if (choice === "monday" || !start.value) day.setHours(8, 0, 0, 0);
    end.value = asTyped(day);
    changed(end);
  });

  // A calendar file that was chosen, or dropped on its field, is taken over at once.
  const ics = field("ics"), takeDates = form.querySelector("[name=take_ics]");
  ics?.addEventListener("change", () => { if (ics.files.length) takeDates.click(); });

  // Leaving with something typed and not saved: the browser asks.
  let typed = false, edits = 0, sent = 0, kept = 0;
  for (const kind of ["input", "change"]) form.addEventListener(kind, () => { typed = true; edits += 1; });
  form.addEventListener("submit", () => { typed = false; });
  window.addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });

  // Each preview keeps a draft. What was typed since the last one is kept when the page goes out of sight: a tab that
  // is closed, a telephone that is locked, another app in front, after which a browser may be ended without a word.
  // Nobody hears whether a beacon arrived, so it is sent each time until a preview says so; it takes 64 KB at most.
  form.addEventListener("htmx:beforeRequest", () => { sent = edits; });
  form.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) kept = sent; });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden" || !typed || edits === kept) return;
    const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
    fields.set("keep", "1");
    if (navigator.sendBeacon(window.location.pathname, fields)) return;
    fetch(window.location.pathname, { method: "POST", body: fields }).catch(() => undefined);
  });

  // A ready text goes into the form; what was typed is never thrown away without a question.
  const ready = document.getElementById("ready");
  if (!ready) return;
  const text = field("text_body");
  let filledIn = "filledIn" in form.dataset ? text.value : "";
  const take = (button) => {
    field("subject").value = button.dataset.subject;
    text.value = filledIn = button.dataset.text;
    changed(text);
  };
  ready.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-text]");
    if (!button) return;
    event.preventDefault();
    if (text.value.trim() && text.value !== filledIn && !window.confirm(form.dataset.replace)) return;
    for (const radio of form.querySelectorAll('[name="type"]')) radio.checked = radio.value === button.dataset.type;
    take(button);
    ready.open = false;
    text.focus();
  });
  // Another type: a text that nobody touched gives way to one that suits it.
  form.addEventListener("change", (event) => {
    if (event.target.name !== "type" || text.value !== filledIn) return;
    const suits = ready.querySelector(`button[data-type="${event.target.value}"]:not([data-key="own"])`);
    if (suits) take(suits);
  });
})();
