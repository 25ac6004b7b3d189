// The page behind a practice page: what is set and pressed on it, and how it answers. Written into the page as a script.
// ends: the name of the control whose press ends the page, "" if none does. farewell: what is shown then.
((ends, farewell) => {
  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const named = (e) => clean(e.getAttribute("aria-label") || e.innerText);
  const pressed = [];
  const tell = (text) => {
    const note = document.getElementById("practice-note") || document.body.appendChild(document.createElement("div"));
    note.id = "practice-note";
    note.style.cssText = "position:fixed;left:12px;bottom:8px;padding:4px 10px;background:#333;color:#fff;font-size:13px";
    note.textContent = text;
  };
  const close = () => {
    document.body.replaceChildren(document.createElement("h1"));
    document.body.firstChild.textContent = farewell;
    document.body.style.padding = "40px";
  };
  document.addEventListener("click", (event) => {
    const e = event.target.closest?.("a,button,[role]");
    if (!e || e.closest("select")) return;
    event.preventDefault();
    const role = e.getAttribute("role"), name = named(e), veil = e.closest(".veil");
    if (role === "switch") { e.classList.toggle("on"); return; }
    if (role === "tab") {
      for (const other of e.parentElement.querySelectorAll("[role=tab]")) other.classList.toggle("on", other === e);
      return;
    }
    pressed.push(name);
    tell(pressed.length + ". " + name);
    if (veil) veil.remove();
    if (name === ends) close();
  });
  const parts = [...document.querySelectorAll("input,select,textarea,[role=switch],[role=tab]")];
  const told = (e) => ["checkbox", "radio"].includes(e.type) ? e.checked : "value" in e ? e.value : e.classList.contains("on");
  window.practice = {
    state: () => JSON.stringify([parts.map(told), pressed]),
    // What can be asked of each control of labels.js's list: null, or what a select offers beside what it shows.
    free: (boxes) => boxes.map(([left, top, right, bottom]) => {
      const e = document.elementFromPoint((left + right) / 2, (top + bottom) / 2)?.closest("a,button,input,select,textarea,[role]");
      if (!e) return null;
      if (e.tagName === "SELECT") return [...e.options].filter((o) => !o.selected).map((o) => clean(o.text));
      if (["checkbox", "radio"].includes(e.type)) return e.checked ? null : [];
      if ("value" in e && e.tagName !== "BUTTON") return e.value ? null : [];
      return e.classList.contains("on") ? null : [];
    }),
    // Do it as a click and a keyboard would, so that the page itself says what it is then like.
    perform: ([left, top, right, bottom], value) => {
      const e = document.elementFromPoint((left + right) / 2, (top + bottom) / 2).closest("a,button,input,select,textarea,[role]");
      if (e.tagName === "SELECT") e.selectedIndex = [...e.options].findIndex((o) => clean(o.text) === value);
      else if (value) e.value = value;
      else e.click();
    },
    // The entries of an open list, which can be clicked like any other control.
    options: () => [...document.querySelectorAll("select:open option")].flatMap((o) => {
      const r = o.getBoundingClientRect(), x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
      const hit = r.width && r.height ? document.elementFromPoint(x, y) : null;
      const inside = r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight;
      return inside && hit && (hit === o || o.contains(hit) || hit.contains(o))
        ? [{ kind: "radio", name: clean(o.text), box: [r.left, r.top, r.right, r.bottom].map(Math.round) }] : [];
    }),
  };
})
