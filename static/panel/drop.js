// A file that is dropped anywhere on the page goes into its file field. Without this script, and for the keyboard, there
// is the field itself. A drop that misses would otherwise make the browser leave the page for the file.
(() => {
  const input = document.querySelector("input[type=file][data-drop]");
  if (!input) return;
  const zone = input.closest("[id^=div_id]"), folded = input.closest("details");
  const hint = Object.assign(document.createElement("p"), { className: "drop-hint", textContent: input.dataset.drop });
  zone.append(hint);
  zone.classList.add("drop-zone");

  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const wanted = (input.accept || "").split(",").map((kind) => kind.trim().toLowerCase()).filter(Boolean);
  const fits = (file) => wanted.some((kind) => file.name.toLowerCase().endsWith(kind) || file.type === kind);
  let opened = false;
  const waits = (is) => {
    document.documentElement.classList.toggle("is-dropping", is);
    if (is && folded && !folded.open) [folded.open, opened] = [true, true];
    if (!is && opened) [folded.open, opened] = [false, false];
  };

  document.addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    waits(true);
    zone.classList.toggle("is-over", zone.contains(event.target));
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget) return; // still on the page
    waits(false);
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    opened = false; // what was taken stays in sight
    waits(false);
    zone.classList.remove("is-over");
    const files = [...event.dataTransfer.files];
    const file = files.find(fits) ?? files[0];
    if (!file) return;
    const taken = new DataTransfer();
    taken.items.add(file);
    input.files = taken.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const press = input.dataset.dropPress;
    if (press) input.form.requestSubmit(input.form.elements.namedItem(press));
  });
})();
