// A second click on a button, before the answer to the first is there, sends nothing: it would make a second mailbox or
// password of a mail program, and the page that shows the first one's password would never be seen.
(() => {
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    sent.add(form);
    setTimeout(() => sent.delete(form), 5000); // no answer came: then it may be tried again
  });
  window.addEventListener("pageshow", () => { sent = new WeakSet(); }); // back to a page that was sent
})();
