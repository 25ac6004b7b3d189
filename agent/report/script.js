"use strict";
const articles = [...document.querySelectorAll("article")];
const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const zoom = document.getElementById("zoom");
let current = 0;
let keyed = false; // moved by key: the window's position says nothing until it is scrolled by hand

function mark(index) {
  current = index;
  for (const a of links.values()) a.removeAttribute("aria-current");
  const link = links.get(articles[index].id);
  link.setAttribute("aria-current", "step");
  link.scrollIntoView({ block: "nearest" });
}

function go(index) {
  if (!articles.length) return;
  const target = Math.min(Math.max(index, 0), articles.length - 1);
  articles[target].scrollIntoView({ block: "start", behavior: "instant" });
  articles[target].focus({ preventScroll: true });
  mark(target);
  keyed = true;
  if (zoom.open) enlarge(target);
}

function enlarge(index) {
  zoom.replaceChildren(articles[index].querySelector("svg.shot").cloneNode(true));
  if (!zoom.open) zoom.showModal();
}

// The step under the upper third of the window is the current one.
const watcher = new IntersectionObserver(
  (entries) => {
    const seen = entries.filter((entry) => entry.isIntersecting);
    if (seen.length && !keyed) mark(articles.indexOf(seen[0].target));
  },
  { rootMargin: "-20% 0px -75% 0px" },
);
articles.forEach((article) => watcher.observe(article));
for (const kind of ["wheel", "touchmove", "mousedown"]) addEventListener(kind, () => (keyed = false), { passive: true });

articles.forEach((article, index) =>
  article.querySelector("figure").addEventListener("click", () => enlarge(index)),
);
zoom.addEventListener("click", () => zoom.close());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { j: current + 1, ArrowRight: current + 1, k: current - 1, ArrowLeft: current - 1, Home: 0, End: articles.length - 1 };
  if (event.key in moves) {
    event.preventDefault();
    go(moves[event.key]);
  } else if (event.key === "z" && articles.length) {
    zoom.open ? zoom.close() : enlarge(current);
  }
});

if (articles.length) mark(Math.max(0, articles.findIndex((article) => `#${article.id}` === location.hash)));
