"use strict";

for (const head of document.querySelectorAll(".board th")) {
  head.querySelector("button")?.addEventListener("click", () => sortBy(head));
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
for (const canvas of document.querySelectorAll(".canvas")) showDetails(canvas);

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

// What is empty stays at the end, whichever way the rest is sorted.
function compare(a, b, descending) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  return descending ? -order : order;
}

// A row is shown if every word stands in it, in its heading or in what its table's rows share,
// and with it its points and its line of the heat map.
function filterRows(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const section of document.querySelectorAll("section")) {
    const heading = section.querySelector("h2").textContent;
    const shared = section.querySelector(".shared")?.textContent ?? "";
    const kept = new Set();
    for (const body of section.querySelectorAll(".board tbody")) {
      const cells = Array.from(body.querySelectorAll("tr:not(.provenance) td"), (cell) => cell.textContent);
      const text = [heading, shared, ...cells].join(" ").toLowerCase();
      body.hidden = !words.every((word) => text.includes(word));
      if (!body.hidden) kept.add(body.dataset.row);
      all += 1;
    }
    shown += kept.size;
    section.hidden = !kept.size;
    for (const mark of section.querySelectorAll("[data-rows]")) {
      mark.toggleAttribute("hidden", !mark.dataset.rows.split(" ").some((row) => kept.has(row)));
    }
  }
  document.querySelector(".controls output").textContent = words.length ? `${shown} of ${all} rows` : "";
}

function showDetails(canvas) {
  const tip = canvas.querySelector(".tip");
  const hide = () => { tip.hidden = true; };
  for (const point of canvas.querySelectorAll(".point")) {
    const show = () => {
      tip.textContent = point.getAttribute("aria-label");
      tip.hidden = false;
      const frame = canvas.getBoundingClientRect();
      const mark = point.getBoundingClientRect();
      const x = mark.left + mark.width / 2 - frame.left;
      const y = mark.top + mark.height / 2 - frame.top;
      tip.style.left = `${x < frame.width / 2 ? x + 14 : Math.max(0, x - 14 - tip.offsetWidth)}px`;
      tip.style.top = `${Math.max(0, y < frame.height / 3 ? y : y - tip.offsetHeight)}px`;
    };
    point.addEventListener("pointerenter", show);
    point.addEventListener("focus", show);
    point.addEventListener("pointerleave", hide);
    point.addEventListener("blur", hide);
  }
  canvas.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}
