// Filters and sorts a table of findings. The page is readable without it; it never writes markup.
"use strict";

const BLANK_LAST = 1;

function filterRows(bar, rows) {
  const value = (name) => {
    const field = bar.querySelector(`[data-filter="${name}"]`);
    return field.type === "checkbox" ? field.checked : field.value;
  };
  const text = value("text").trim().toLowerCase();
  const direction = value("direction");
  const kind = value("kind");
  const noRedundant = value("redundant");
  let shown = 0;
  for (const row of rows) {
    row.hidden =
      !row.dataset.text.includes(text) ||
      (direction !== "" && row.dataset.direction !== direction) ||
      (kind !== "" && row.dataset.kind !== kind) ||
      (noRedundant && row.classList.contains("redundant"));
    shown += row.hidden ? 0 : 1;
  }
  bar.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
}

function keyOf(row, column, numeric) {
  const cell = row.cells[column];
  if (!numeric) return column === 0 ? row.dataset.text : cell.textContent.trim().toLowerCase();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

// Rows without a value come last in either sort order.
function compare(a, b, sign) {
  if (a === null || b === null) return a === b ? 0 : a === null ? BLANK_LAST : -BLANK_LAST;
  if (typeof a === "number") return sign * (a - b);
  return sign * a.localeCompare(b);
}

function sortRows(table, header, rows) {
  const numeric = header.dataset.sort === "number";
  const before = header.getAttribute("aria-sort");
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const order = before === first ? second : first;
  for (const other of header.parentNode.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const keyed = rows.map((row) => [keyOf(row, header.cellIndex, numeric), row]);
  keyed.sort((one, other) => compare(one[0], other[0], sign));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

function addButton(table, header, rows) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  header.setAttribute("aria-sort", "none");
  button.addEventListener("click", () => sortRows(table, header, rows));
}

function setUp(bar) {
  const table = document.getElementById(bar.dataset.filters);
  const rows = Array.from(table.tBodies[0].rows);
  for (const row of rows) row.dataset.text = row.querySelector("bdi").textContent.toLowerCase();
  for (const header of table.querySelectorAll("th[data-sort]")) addButton(table, header, rows);
  bar.addEventListener("input", () => filterRows(bar, rows));
  bar.hidden = false;
  document.getElementById("without-script").hidden = true;
  filterRows(bar, rows);
}

document.querySelectorAll("[data-filters]").forEach(setUp);
