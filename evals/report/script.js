"use strict";
const shots = [...document.querySelectorAll(".card .shot")];
const zoom = document.getElementById("zoom");
let current = 0;

function enlarge(index) {
  current = Math.min(Math.max(index, 0), shots.length - 1);
  zoom.replaceChildren(shots[current].cloneNode(true));
  if (!zoom.open) zoom.showModal();
}

shots.forEach((shot, index) => shot.parentElement.addEventListener("click", () => enlarge(index)));
zoom.addEventListener("click", () => zoom.close());
document.addEventListener("keydown", (event) => {
  if (!zoom.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
  if (event.key in moves) {
    event.preventDefault();
    enlarge(current + moves[event.key]);
  }
});
