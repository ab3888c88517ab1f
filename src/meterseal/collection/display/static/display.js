// Renews what is marked data-live, sets preferences, and lets a load curve be read and zoomed.
"use strict";

const PERIOD = 1500;
const shown = new Map();
let tag = "";

const liveParts = (root) => root.querySelectorAll("[data-live]");

function renew(page) {
  for (const part of liveParts(page)) {
    const name = part.dataset.live;
    const html = part.innerHTML;
    const here = document.querySelector(`[data-live="${name}"]`);
    if (!here) return location.reload();
    if ("liveClass" in part.dataset) here.className = part.className;
    if (shown.get(name) === html || here.contains(document.activeElement) || here.matches(":active")) continue;
    shown.set(name, html);
    here.replaceChildren(...part.childNodes);
    here.querySelectorAll("[data-curve]").forEach(readCurve);
  }
  const time = page.querySelector("body > time");
  if (time) document.querySelector("#as-of time").textContent = time.textContent;
}

function isLost(lost) {
  document.getElementById("lost").hidden = !lost;
  document.body.classList.toggle("lost", lost);
}

async function ask() {
  if (document.hidden) return;
  const headers = { "X-Live": "1" };
  if (tag) headers["If-None-Match"] = tag;
  try {
    const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(10 * PERIOD) });
    if (answer.status === 401) return location.assign("/login");
    isLost(!(answer.ok || answer.status === 304));
    if (!answer.ok) return;
    tag = answer.headers.get("ETag");
    renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    isLost(true);
  }
}

async function keepAsking() {
  await ask();
  setTimeout(keepAsking, PERIOD);
}

function setPreference(pair) {
  document.cookie = `${pair}; path=/; max-age=31536000; SameSite=Strict`;
  location.reload();
}

function clockTime(data, at) {
  return new Date(at + data.offset).toISOString().slice(0, 16).replace("T", " ");
}

function readCurve(chart) {
  const data = JSON.parse(chart.dataset.curve);
  const [svg, readout] = [chart.querySelector("svg"), chart.querySelector("output")];
  const [cursor, picked] = [svg.querySelector(".cursor"), svg.querySelector(".picked")];
  const length = data.mean.length * data.step;
  let from = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) * 960) / box.width;
    return Math.min(Math.max(x, data.left), data.right);
  };
  const time = (x) => data.start + ((x - data.left) / (data.right - data.left)) * length;
  svg.addEventListener("pointermove", (event) => {
    const x = place(event);
    const index = Math.min(Math.floor((time(x) - data.start) / data.step), data.mean.length - 1);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    const [mean, low, high] = [data.mean[index], data.low[index], data.high[index]];
    const values = mean === null ? "–" : `${mean} (${low} … ${high}) ${data.unit}`;
    readout.textContent = `${clockTime(data, data.start + index * data.step)}  ${values}`;
    if (from !== null) {
      picked.setAttribute("x", Math.min(x, from));
      picked.setAttribute("width", Math.abs(x - from));
    }
  });
  svg.addEventListener("pointerdown", (event) => {
    from = place(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", (event) => {
    const to = place(event);
    const [start, end] = [time(Math.min(from, to)), time(Math.max(from, to))];
    if (Math.abs(to - from) > 8) {
      const url = new URL(location.href);
      url.searchParams.set("start", Math.floor(start));
      url.searchParams.set("end", Math.ceil(end));
      location.assign(url);
    }
    from = null;
    picked.setAttribute("width", 0);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-set]")) {
    button.addEventListener("click", () => setPreference(button.dataset.set));
  }
  document.querySelectorAll("[data-curve]").forEach(readCurve);
  for (const select of document.querySelectorAll(".bar select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  if (liveParts(document).length) setTimeout(keepAsking, PERIOD);
});
