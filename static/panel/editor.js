// Formatted texts: an editor in place of each text field and its HTML. Without JavaScript both are plain fields.
// The editor's own code is fetched when it is wanted first.
(() => {
  const form = document.getElementById("responder-form");
  const words = document.getElementById("editor-words")?.dataset;
  if (!form || !words) return;
  const fetched = (address) => new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  let code;
  const editorCode = () => (code ??= fetched(words.purify).then(() => fetched(words.squire)));
  // Not more than the server keeps (its own sanitiser decides), and nothing that a strict policy would refuse.
  const RULES = {
    ALLOWED_TAGS: ["a", "b", "blockquote", "br", "div", "em", "i", "li", "ol", "p", "strong", "u", "ul"],
    ALLOWED_ATTR: ["href"], RETURN_DOM_FRAGMENT: true,
  };
  // Styles and handlers go first, only to spare the console the policy's complaints; what is safe, DOMPurify decides.
  const clean = (source) => window.DOMPurify.sanitize(source.replace(/\s(?:style|on\w+)\s*=\s*("[^"]*"|'[^']*')/gi, ""), RULES);
  const BLOCKS = new Set(["DIV", "P", "BLOCKQUOTE"]);
  const escaped = (text) => text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
  const asHtml = (text) => text.split("\n").map((line) => `<div>${escaped(line) || "<br>"}</div>`).join("");

  // The plain text beside the formatted one, for mail programs that show only that: lines, list marks, addresses of links.
  const asText = (root) => {
    const lines = [""];
    const write = (text) => { lines[lines.length - 1] += text; };
    const startLine = () => { if (lines[lines.length - 1] !== "") lines.push(""); };
    const visit = (node) => {
      if (node.nodeType === Node.TEXT_NODE) return write(node.data.replace(/[\s\u200b]+/g, " "));
      if (node.nodeName === "BR") {
        if (node.nextSibling && !BLOCKS.has(node.nextSibling.nodeName)) lines.push("");
        return undefined;
      }
      if (node.nodeName === "LI") {
        startLine();
        const place = [...node.parentNode.children].indexOf(node) + 1;
        write(node.parentNode.nodeName === "OL" ? `${place}. ` : "- ");
        return node.childNodes.forEach((child) => (BLOCKS.has(child.nodeName) ? child.childNodes.forEach(visit) : visit(child)));
      }
      const isBlock = BLOCKS.has(node.nodeName);
      if (isBlock || node.nodeName === "OL" || node.nodeName === "UL") startLine();
      node.childNodes.forEach(visit);
      const address = node.nodeName === "A" && (node.getAttribute("href") || "").replace(/^mailto:/, "");
      if (address && node.textContent.trim() !== address) write(` (${address})`);
      if (isBlock && !(node.lastElementChild && BLOCKS.has(node.lastElementChild.nodeName))) lines.push("");
      if (node.nodeName === "P") lines.push(""); // programs that show the HTML leave room below it
      return undefined;
    };
    root.childNodes.forEach(visit);
    return lines.map((line) => line.trimEnd()).join("\n").replace(/\n{3,}/g, "\n\n").trim();
  };

  const button = (label, icon, act) => {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", title: label, className: "tool" });
    made.setAttribute("aria-label", label);
    made.innerHTML = words.icon.replace("NAME", icon);
    made.addEventListener("click", act);
    return made;
  };

  const furnish = (text) => {
    const html = form.elements.namedItem(text.name.replace("text_body", "html_body"));
    const label = form.querySelector(`label[for="${text.id}"]`);
    const group = html.type === "hidden" ? null : html.closest("[id^=div_id]");
    if (group) { // its errors stand below the text; the field itself is the editor's affair
      text.closest("[id^=div_id]").after(group);
      group.classList.add("only-errors");
      group.hidden = !group.querySelector(".invalid-feedback");
    }
    let editor = null, ownChange = false, seen = ""; // what the fields know of
    const announce = (field) => {
      ownChange = true;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      ownChange = false;
    };
    const box = Object.assign(document.createElement("div"), { className: "editor form-control", hidden: true });
    const bar = Object.assign(document.createElement("div"), { className: "toolbar", hidden: true });
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", words.toolbar);
    const area = document.createElement("div");
    Object.entries({ role: "textbox", "aria-multiline": "true", "aria-label": label.textContent.replace("*", "").trim(), lang: text.lang || "" })
      .forEach(([name, value]) => value && area.setAttribute(name, value));
    area.className = "editor-area";
    box.append(area);

    const shown = () => `${editor.getHTML()}\n${asText(area)}`;
    const put = (source) => {
      editor.setHTML(source);
      seen = shown();
    };
    const sync = () => {
      html.value = editor.getHTML();
      text.value = asText(area);
      seen = shown();
      announce(html);
    };
    const toggled = (tag, on, off) => () => {
      (editor.hasFormat(tag) ? editor[off] : editor[on]).call(editor);
      editor.focus();
    };
    const link = () => {
      if (editor.hasFormat("a")) return editor.removeLink();
      const address = (window.prompt(words.address, "https://") || "").trim();
      if (!/^(https?:\/\/|mailto:)[^\s]+$/.test(address) || address === "https://") return undefined;
      if (editor.getSelectedText()) return editor.makeLink(address);
      const shown = Object.assign(document.createElement("a"), { href: address, textContent: address });
      return editor.insertElement(shown);
    };
    const tools = {
      bold: [words.bold, "type-bold", toggled("b", "bold", "removeBold")],
      italic: [words.italic, "type-italic", toggled("i", "italic", "removeItalic")],
      underline: [words.underline, "type-underline", toggled("u", "underline", "removeUnderline")],
      bullets: [words.bullets, "list-ul", toggled("ul", "makeUnorderedList", "removeList")],
      numbers: [words.numbers, "list-ol", toggled("ol", "makeOrderedList", "removeList")],
      link: [words.link, "link-45deg", link],
      clear: [words.clear, "eraser", () => editor.removeAllFormatting()],
    };
    const made = Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, button(...tool)]));
    bar.append(...Object.values(made));
    const showState = () => {
      for (const [name, tag] of Object.entries({ bold: "b", italic: "i", underline: "u", bullets: "ul", numbers: "ol", link: "a" })) {
        made[name].setAttribute("aria-pressed", String(editor.hasFormat(tag)));
      }
    };

    const format = async () => {
      await editorCode();
      editor ??= new window.Squire(area, { blockTag: "DIV", sanitizeToDOMFragment: clean });
      for (const key of ["Tab", "Shift-Tab"]) editor.setKeyHandler(key, null); // the key that leaves a field leaves this one
      editor.addEventListener("pathChange", showState);
      put(html.value || asHtml(text.value));
      // The editor calls it input, too, when it was only opened: that would be a draft nobody began.
      editor.addEventListener("input", () => { if (shown() !== seen) sync(); });
      showState();
      [box.hidden, bar.hidden, text.hidden, choice.textContent] = [false, false, true, words.plain];
    };
    const unformat = () => {
      if (area.querySelector("a, b, i, u, ul, ol, blockquote") && !window.confirm(words.lose)) return;
      text.value = asText(area);
      html.value = "";
      [box.hidden, bar.hidden, text.hidden, choice.textContent] = [true, true, false, words.formatted];
      announce(text);
    };
    const choice = Object.assign(document.createElement("button"), {
      type: "button", className: "btn btn-link btn-sm editor-choice", textContent: words.formatted,
    });
    choice.addEventListener("click", async () => {
      if (!box.hidden) return unformat();
      await format();
      sync();
      return editor.focus();
    });
    label.addEventListener("click", () => { if (!box.hidden) editor.focus(); });
    // A ready text was put in from outside.
    text.addEventListener("change", () => {
      if (ownChange || box.hidden) return;
      put(asHtml(text.value));
      html.value = editor.getHTML();
    });
    text.before(choice, bar, box);
    if (html.value.trim()) format();
  };
  form.querySelectorAll("textarea[name$=text_body]").forEach(furnish);
})();
