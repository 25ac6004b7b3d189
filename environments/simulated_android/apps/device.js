"use strict";
// What every app shares: the bars, the state that is kept on the device, and how Back leaves a view.

const packageName = location.pathname.split("/")[1];
const isSystem = ["launcher", "lockscreen"].includes(packageName.split(".").pop());
const home = "/org.clickwright.launcher/";
const views = [];

/** Keep the app's state. */
function save(state) {
  return fetch("state", { method: "PUT", body: JSON.stringify(state), keepalive: true });
}

/** The state that was kept, over what it is at first. */
async function load(first) {
  const kept = await (await fetch("state")).json();
  const state = { ...first, ...kept };
  await save(state);
  return state;
}

/** A view was opened: Back calls `leave` instead of leaving the app. */
function entered(leave) {
  views.push(leave);
}

function goBack() {
  const leave = views.pop();
  if (leave) leave();
  else if (!isSystem) location.href = home;
}

function goHome() {
  if (!packageName.endsWith("lockscreen")) location.href = home;
}

/** An element with text; text is never read as markup. */
function make(kind, classes, text) {
  const element = document.createElement(kind);
  if (classes) element.className = classes;
  if (text !== undefined) element.textContent = text;
  return element;
}

function bars() {
  const status = make("div");
  status.id = "status";
  status.append(make("span", "", "9:30"), make("span", "", "LTE  86%"));
  document.body.prepend(status);
  if (packageName.endsWith("lockscreen")) return;
  const bar = make("div");
  bar.id = "bar";
  const shapes = { Back: "M14 3 5 10l9 7z", Home: "M10 3a7 7 0 1 0 .01 0z", Recents: "M4 4h12v12H4z" };
  for (const [name, shape] of Object.entries(shapes)) {
    const button = make("button");
    button.setAttribute("aria-label", name);
    button.innerHTML = `<svg viewBox="0 0 20 20"><path d="${shape}"/></svg>`;
    button.addEventListener("click", name === "Back" ? goBack : goHome);
    bar.append(button);
  }
  document.body.append(bar);
}

document.addEventListener("DOMContentLoaded", bars);
