// Reads labels from the DOM: controls with their names and boxes, and every visible character's place. Screenshot pixels; a dimmed character has code 0.
(scale) => {
  const W = innerWidth, H = innerHeight, clean = (s) => (s || "").replace(/\s+/g, " ").trim();
  const kindOf = (e) => {
    const tag = e.tagName, role = e.getAttribute("role");
    if (tag === "TEXTAREA") return "field";
    if (tag === "SELECT") return "select";
    if (tag === "INPUT") return e.type === "checkbox" ? "checkbox" : e.type === "radio" ? "radio" : ["button", "submit"].includes(e.type) ? "button" : "field";
    if (role) return role;
    return tag === "BUTTON" ? "button" : "link";
  };
  const nameOf = (e) => {
    const by = e.getAttribute("aria-labelledby"), tag = e.tagName;
    if (by) return clean(document.getElementById(by)?.innerText);
    if (e.getAttribute("aria-label")) return clean(e.getAttribute("aria-label"));
    if (tag === "INPUT" || tag === "SELECT" || tag === "TEXTAREA")
      return clean(e.labels?.[0]?.innerText || e.placeholder || "").replace(/[:*\s]+$/, "");
    return clean(e.innerText);
  };
  const shown = (e, r) => {
    const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    if (r.width < 4 || r.height < 4 || x < 0 || y < 0 || r.right > W || r.bottom > H || r.left < 0 || r.top < 0) return false;
    const hit = document.elementFromPoint(x, y);
    return !!hit && (e === hit || e.contains(hit));
  };
  const boxOf = (r) => [r.left, r.top, r.right, r.bottom].map((v) => Math.round(v * scale));
  const elements = [];
  for (const e of document.querySelectorAll("a,button,input,select,textarea,[role]")) {
    const r = e.getBoundingClientRect();
    const label = e.labels?.[0] || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby")));
    if (!shown(e, r)) continue;
    if (label) { const l = label.getBoundingClientRect(); if (!shown(label, l)) continue; }
    const kind = kindOf(e), own = ["checkbox", "radio"].includes(kind) && e.labels?.[0]?.getBoundingClientRect();
    elements.push({ kind, name: nameOf(e), box: boxOf(r), ...(own && { label: boxOf(own) }) });
  }
  const chars = [];
  const range = document.createRange(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    if (node.parentElement.tagName === "OPTION") continue;
    const text = node.data, upper = getComputedStyle(node.parentElement).textTransform === "uppercase";
    range.selectNodeContents(node);
    const all = range.getBoundingClientRect();
    if (!all.width || all.top > H || all.left > W) continue;
    const parent = document.elementFromPoint((all.left + all.right) / 2, (all.top + all.bottom) / 2);
    const veiled = !parent || !(parent === node.parentElement || parent.contains(node.parentElement) || node.parentElement.contains(parent));
    for (let i = 0; i < text.length; i++) {
      if (text[i] <= " ") continue;
      range.setStart(node, i); range.setEnd(node, i + 1);
      const r = range.getBoundingClientRect();
      if (!r.width || r.top < 0 || r.bottom > H || r.right > W) continue;
      const c = upper ? text[i].toUpperCase() : text[i];
      chars.push(Math.round((r.left + r.right) * scale / 2), Math.round((r.top + r.bottom) * scale / 2), veiled ? 0 : c.codePointAt(0));
    }
  }
  return { elements, chars, width: W, height: H };
}
