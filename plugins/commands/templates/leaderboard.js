"use strict";

for (const head of document.querySelectorAll(".board thead th")) {
  head.querySelector("button").addEventListener("click", () => sortBy(head));
}
for (const button of document.querySelectorAll(".unfold")) {
  button.addEventListener("click", () => {
    const row = button.closest("tbody").querySelector(".provenance");
    row.hidden = !row.hidden;
    button.setAttribute("aria-expanded", String(!row.hidden));
  });
}
const field = document.getElementById("filter");
field.addEventListener("input", () => filterRows(field.value));
for (const plot of document.querySelectorAll(".plotted")) showDetails(plot);

// A table that fits scrolls with the page, and its header sticks below the filter.
const width = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    target.classList.toggle("fits", target.scrollWidth <= target.clientWidth);
  }
});
const boxes = document.querySelectorAll(".scroll");
for (const box of boxes) width.observe(box);
addEventListener("scroll", keepHeaders, { passive: true });

// The header of a wide table goes with its window, so it is moved below the filter.
function keepHeaders() {
  const bar = document.querySelector(".controls").getBoundingClientRect().bottom;
  for (const box of boxes) {
    const head = box.querySelector("thead");
    if (!head) continue;
    const { top, height } = box.getBoundingClientRect();
    const below = Math.min(bar - top, height - head.offsetHeight);
    box.style.setProperty("--below", `${Math.max(0, below)}px`);
  }
}

function sortBy(head) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const table = head.closest("table");
  const keyed = Array.from(table.tBodies, (body) => [key(body.rows[0].cells[head.cellIndex]), body]);
  keyed.sort(([a], [b]) => compare(a, b, descending));
  table.append(...keyed.map(([, body]) => body));
}

function key(cell) {
  return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
}

// Empty cells stay at the end in both sort directions.
function compare(a, b, descending) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  return descending ? -order : order;
}

const texts = new Map();

// The visible text of a row, without unfolding it.
function textOf(body) {
  if (!texts.has(body)) {
    const cells = body.querySelectorAll("tr:not(.provenance) > *");
    texts.set(body, Array.from(cells, (cell) => cell.textContent).join(" ").toLowerCase());
  }
  return texts.get(body);
}

// A row is shown, with its points and its line of the heat map, if every word occurs in it, in its
// heading or in what its table's rows share. A figure without visible marks is hidden.
function filterRows(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const section of document.querySelectorAll("section")) {
    const heading = section.querySelector("h2").textContent;
    const shared = section.querySelector(".shared")?.textContent ?? "";
    const common = `${heading} ${shared}`.toLowerCase();
    const kept = new Set();
    for (const body of section.querySelectorAll(".board tbody")) {
      const text = `${common} ${textOf(body)}`;
      body.hidden = !words.every((word) => text.includes(word));
      if (!body.hidden) kept.add(body.dataset.row);
      all += 1;
    }
    shown += kept.size;
    section.hidden = !kept.size;
    for (const mark of section.querySelectorAll("[data-rows]")) {
      mark.toggleAttribute("hidden", !mark.dataset.rows.split(" ").some((row) => kept.has(row)));
    }
    for (const figure of section.querySelectorAll("figure")) {
      figure.hidden = !figure.querySelector("[data-rows]:not([hidden])");
    }
  }
  document.querySelector(".controls output").textContent = words.length ? `${shown} of ${all} rows` : "";
}

// The details are shown beside the plot, so that they do not cover marks.
function showDetails(plot) {
  const tip = plot.querySelector(".tip");
  const hint = tip.textContent;
  const show = (text) => {
    tip.textContent = text;
    tip.classList.toggle("faint", text === hint);
  };
  for (const point of plot.querySelectorAll(".point")) {
    for (const event of ["pointerenter", "focus"]) {
      point.addEventListener(event, () => show(point.getAttribute("aria-label")));
    }
    for (const event of ["pointerleave", "blur"]) point.addEventListener(event, () => show(hint));
  }
  plot.addEventListener("keydown", (event) => { if (event.key === "Escape") show(hint); });
}
