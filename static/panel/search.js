// Support's search by keyboard alone: / goes to the box from anywhere, the arrows go through what was found and back.
(() => {
  const box = document.getElementById("id_q");
  if (!box) return;
  const links = () => [...document.querySelectorAll("#found a")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.nodeName);
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      box.focus();
      box.select();
      return;
    }
    const found = links(), at = found.indexOf(document.activeElement);
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || (at < 0 && event.target !== box)) return;
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    if (next >= found.length || next < -1) return;
    event.preventDefault();
    (next < 0 ? box : found[next]).focus();
  });
})();
