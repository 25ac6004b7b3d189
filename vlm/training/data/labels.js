// Reads labels from the DOM: controls with their names, boxes and states, every visible character's place, lines of text, and marked
// blocks and figures. Screenshot pixels; a dimmed character has code 0. hidden: how many controls were left out, and why.
// live: the page is none of ours, so more can be wrong with it, names come from more places, and links say where they lead.
({ scale, live }) => {
  const W = innerWidth, H = innerHeight, clean = (s) => (s || "").replace(/\s+/g, " ").trim();
  const kindOf = (e) => {
    const tag = e.tagName, role = e.getAttribute("role");
    if (live && tag === "INPUT" && ["file", "color", "range", "image", "reset"].includes(e.type)) return ["image", "reset"].includes(e.type) ? "button" : e.type;
    if (live && tag === "SELECT" && (e.multiple || e.size > 1)) return "listbox";
    if (tag === "TEXTAREA") return "field";
    if (tag === "SELECT") return "select";
    if (tag === "INPUT") return e.type === "checkbox" ? "checkbox" : e.type === "radio" ? "radio" : ["button", "submit"].includes(e.type) ? "button" : "field";
    if (role) return role;
    return tag === "BUTTON" || tag === "SUMMARY" ? "button" : "link";
  };
  const nameOf = (e) => {
    const by = e.getAttribute("aria-labelledby"), tag = e.tagName;
    if (by) return clean(document.getElementById(by)?.innerText);
    if (e.getAttribute("aria-label")) return clean(e.getAttribute("aria-label"));
    if (live && tag === "INPUT" && ["button", "submit", "reset", "image"].includes(e.type)) return clean(e.value || e.alt || { submit: "Submit", reset: "Reset" }[e.type]);
    if (tag === "INPUT" || tag === "SELECT" || tag === "TEXTAREA")
      return clean(e.labels?.[0]?.innerText || e.placeholder || "").replace(/[:*\s]+$/, "");
    return clean(e.innerText) || (live ? clean(e.querySelector("img[alt]")?.alt || e.title || e.querySelector("svg title")?.textContent) : "");
  };
  const shown = (e, r) => {
    const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    if (r.width < 4 || r.height < 4 || x < 0 || y < 0 || r.right > W || r.bottom > H || r.left < 0 || r.top < 0) return false;
    const hit = document.elementFromPoint(x, y);
    return !!hit && (e === hit || e.contains(hit));
  };
  // On strict pages the edges have to be free as well: a window may lie over a part. They are tried in their middles, as corners may be round.
  const strict = live || document.documentElement.hasAttribute("data-strict");
  const free = (e, r) => {
    const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    return [[r.left + 2, y], [r.right - 2, y], [x, r.top + 2], [x, r.bottom - 2]].every(([a, b]) => e.contains(document.elementFromPoint(a, b)));
  };
  const said = (e) => {
    const tag = e.tagName, type = e.type;
    if (e.hasAttribute("aria-checked")) return { checked: e.getAttribute("aria-checked") === "true" };
    if (tag === "INPUT" && ["checkbox", "radio"].includes(type)) return { checked: e.checked };
    if (tag === "SELECT") return { value: clean(e.selectedOptions[0]?.innerText), options: [...e.options].map((o) => clean(o.innerText)) };
    return tag === "TEXTAREA" || (tag === "INPUT" && (live || !["button", "submit"].includes(type))) ? { value: clean(e.value) } : {};
  };
  // A link around a picture is as large as the picture, whatever its line says.
  const placeOf = (e) => {
    const r = e.getBoundingClientRect(), p = live && !clean(e.innerText) && e.querySelector("img,svg")?.getBoundingClientRect();
    return p && p.width * p.height > r.width * r.height ? p : r;
  };
  const boxOf = (r) => [r.left, r.top, r.right, r.bottom].map((v) => Math.round(v * scale));
  const elements = [], hidden = { outside: 0, covered: 0 };
  for (const e of document.querySelectorAll("a,button,input,select,textarea,[role]" + (live ? ",summary" : ""))) {
    if (live && ((e.tagName === "A" && !e.href && !e.hasAttribute("role")) || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))) continue;
    const r = placeOf(e);
    const label = e.labels?.[0] || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby")));
    if (!shown(e, r) || (strict && !free(e, r))) {
      if (r.width && r.height) hidden[r.right > W || r.bottom > H || r.left < 0 || r.top < 0 ? "outside" : "covered"]++;
      continue;
    }
    if (label) { const l = label.getBoundingClientRect(); if (!shown(label, l)) continue; }
    const kind = kindOf(e), own = ["checkbox", "radio"].includes(kind) && e.labels?.[0]?.getBoundingClientRect();
    elements.push({ kind, name: nameOf(e), box: boxOf(r), ...(own && { label: boxOf(own) }), ...said(e), ...(e.dataset.icon && { icon: e.dataset.icon }), ...(live && typeof e.href === "string" && { href: e.href }) });
  }
  const chars = [], lines = [];
  const range = document.createRange(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    if (node.parentElement.tagName === "OPTION") continue;
    const text = node.data, upper = getComputedStyle(node.parentElement).textTransform === "uppercase";
    range.selectNodeContents(node);
    const all = range.getBoundingClientRect();
    if (!all.width || all.top > H || all.left > W) continue;
    const parent = document.elementFromPoint((all.left + all.right) / 2, (all.top + all.bottom) / 2);
    const veiled = !parent || !(parent === node.parentElement || parent.contains(node.parentElement) || node.parentElement.contains(parent));
    let line = null;
    for (let i = 0; i < text.length; i++) {
      if (text[i] <= " ") { if (line && !line.text.endsWith(" ")) line.text += " "; continue; }
      range.setStart(node, i); range.setEnd(node, i + 1);
      const r = range.getBoundingClientRect();
      if (!r.width || r.top < 0 || r.bottom > H || r.right > W) continue;
      const c = upper ? text[i].toUpperCase() : text[i];
      chars.push(Math.round((r.left + r.right) * scale / 2), Math.round((r.top + r.bottom) * scale / 2), veiled ? 0 : c.codePointAt(0));
      if (veiled || r.left < 0) continue;
      if (!line || r.top > line.bottom - 2) lines.push((line = { text: "", left: r.left, top: r.top, right: r.right, bottom: r.bottom }));
      line.text += c; line.right = Math.max(line.right, r.right);
    }
  }
  const blocks = [...document.querySelectorAll("[data-block]")].map((e) => ({ block: e.dataset.block, text: e.dataset.html || clean(e.innerText), box: boxOf(e.getBoundingClientRect()) }));
  const figures = [...(live ? [] : document.querySelectorAll("[data-called]"))].map((e) => ({ names: e.dataset.called.split("|"), box: boxOf(e.getBoundingClientRect()) }));
  const written = lines.map((l) => ({ text: clean(l.text), box: boxOf(l) }));
  return { elements, chars, width: W, height: H, hidden, lines: written, blocks, ...(figures.length && { figures }) };
}
