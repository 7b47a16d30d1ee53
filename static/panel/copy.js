// Buttons that copy what stands beside them. Without this script they are not shown; the text can be selected.
(() => {
  if (!navigator.clipboard) return;
  document.documentElement.classList.add("can-copy");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
    } catch {
      window.getSelection().selectAllChildren(source); // not allowed: then at least it is selected
      return;
    }
    const words = button.textContent;
    if (words === button.dataset.done) return;
    button.textContent = button.dataset.done;
    document.getElementById("copied").textContent = button.dataset.done;
    setTimeout(() => { button.textContent = words; document.getElementById("copied").textContent = ""; }, 2000);
  });
})();
