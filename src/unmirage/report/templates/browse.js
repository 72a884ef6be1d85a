// Filters, sorts and pages through the responses of a run. All content is inserted as text, never as markup.
"use strict";

const EACH_PAGE = 50;
const INVALID = ["invalid", "not judged"];
// Indices of the fields of a query and of a row in the block; see browse.py.
const Q = { text: 0, kind: 1, opener: 2, category: 3, unsafe: 4, shot: 5, place: 6, picture: 7, turns: 8 };
const R = { query: 0, model: 1, verdict: 2, text: 3, ended: 4, why: 5, others: 6, thoughts: 7 };

function make(tag, text, settings = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

function chip(verdict) {
  const known = verdict === "not judged" ? "invalid" : verdict;
  return make("span", verdict, { class: `chip b-${known}` });
}

function disagree(data, row) {
  const own = data.verdicts[row[R.verdict]];
  if (INVALID.includes(own)) return false;
  return row[R.others].some(([, other]) => {
    const verdict = data.verdicts[other];
    return !INVALID.includes(verdict) && verdict !== own;
  });
}

// A filter lists only values that occur; a filter with a single value is hidden.
function fill(select, names, used) {
  names.forEach((name, number) => {
    if (used.has(number)) select.append(make("option", name, { value: String(number) }));
  });
  select.parentNode.hidden = select.options.length < 3;
}

function fillOpeners(data, select) {
  const times = new Map();
  for (const query of data.queries) times.set(query[Q.opener], (times.get(query[Q.opener]) || 0) + 1);
  const most = [...times].sort((a, b) => b[1] - a[1] || data.texts[a[0]].localeCompare(data.texts[b[0]]));
  for (const [number, count] of most.slice(0, 200)) {
    const word = data.texts[number] || "(no word)";
    select.append(make("option", `${word} (${count})`, { value: String(number) }));
  }
  select.parentNode.hidden = select.options.length < 3;
}

function chosen(data, rows, fields) {
  const number = (name) => (fields[name].value === "" ? null : Number(fields[name].value));
  const [model, verdict, opener, category, kind] = ["model", "verdict", "opener", "category", "kind"].map(number);
  const judges = fields.judges.value;
  const unsafe = number("unsafe");
  const text = fields.text.value.trim().toLowerCase();
  const holds = data.queries.map((query) => text === "" || data.texts[query[Q.text]].toLowerCase().includes(text));
  return rows.filter((row) => {
    const query = data.queries[row[R.query]];
    return (
      holds[row[R.query]] &&
      (model === null || row[R.model] === model) &&
      (verdict === null || row[R.verdict] === verdict) &&
      (opener === null || query[Q.opener] === opener) &&
      (category === null || query[Q.category] === category) &&
      (kind === null || query[Q.kind] === kind) &&
      (unsafe === null || query[Q.unsafe] === unsafe) &&
      (judges === "" || disagree(data, row) === (judges === "differ"))
    );
  });
}

function sorted(data, rows, order) {
  const query = (row) => data.texts[data.queries[row[R.query]][Q.text]];
  const said = (row) => (row[R.text] < 0 ? 0 : data.texts[row[R.text]].length);
  const orders = {
    model: (a, b) => a[R.model] - b[R.model],
    verdict: (a, b) => a[R.verdict] - b[R.verdict],
    query: (a, b) => query(a).localeCompare(query(b)) || a[R.model] - b[R.model],
    long: (a, b) => said(b) - said(a),
    short: (a, b) => said(a) - said(b),
  };
  return order in orders ? [...rows].sort(orders[order]) : rows;
}

function picture(data, number) {
  if (number === -2) return make("p", "The image is missing or cannot be opened.", { class: "note" });
  if (number === -3) return make("p", "This page has reached its limit of images; see the run's folder.", { class: "note" });
  const [source, width, height, tiny] = data.pictures[number];
  const image = make("img", null, { src: source, width, height, alt: "Image of the query" });
  if (tiny) image.className = "tiny";
  return image;
}

// One number, or a list of several; -1 is no image.
function shownPictures(query) {
  return [].concat(query[Q.picture]).filter((number) => number !== -1);
}

function earlierTurns(data, query) {
  const details = make("details", null, { class: "more" });
  details.append(make("summary", `Earlier turns (${query[Q.turns].length})`));
  const list = make("dl", null, { class: "queries" });
  for (const [role, text] of query[Q.turns]) {
    list.append(make("dt", data.texts[role]), make("dd", data.texts[text], { dir: "auto" }));
  }
  details.append(list);
  return details;
}

function thoughts(text) {
  const details = make("details", null, { class: "more" });
  details.append(make("summary", "Thoughts (not judged)"), make("blockquote", text, { dir: "auto" }));
  return details;
}

function response(data, row) {
  const query = data.queries[row[R.query]];
  const box = make("div", null, { class: "revealed" });
  for (const number of shownPictures(query)) box.append(picture(data, number));
  const said = data.texts[row[R.text]];
  const quote = make("blockquote", said.trim() === "" ? "(empty)" : said, { dir: "auto" });
  if (said.trim() === "") quote.className = "note";
  const ended = data.texts[row[R.ended]];
  if (ended) quote.append(make("span", ` (${ended})`, { class: "note" }));
  const beside = make("div", null);
  if (row.length > R.thoughts) beside.append(thoughts(data.texts[row[R.thoughts]]));
  beside.append(quote);
  if (row[R.why] >= 0) beside.append(make("p", data.texts[row[R.why]], { class: "note", dir: "auto" }));
  box.append(beside);
  return box;
}

// The response is rendered only when the reader opens it.
function opened(data, row) {
  const query = data.queries[row[R.query]];
  const count = shownPictures(query).length;
  const what = count === 0 ? "Response" : count === 1 ? "Response and image" : "Response and images";
  const details = make("details", null, { class: "more" });
  details.append(make("summary", what));
  const show = () => {
    if (details.open && details.children.length === 1) details.append(response(data, row));
  };
  details.addEventListener("toggle", show);
  return details;
}

function card(data, row) {
  const query = data.queries[row[R.query]];
  const article = make("article", null, { class: "example" });
  const head = make("p", null);
  head.append(make("b", data.models[row[R.model]]), " ", chip(data.verdicts[row[R.verdict]]));
  for (const [judge, verdict] of row[R.others]) {
    head.append(" ", make("small", `${data.judges[judge]}: ${data.verdicts[verdict]}`, { class: "note" }));
  }
  const about = [query[Q.unsafe] ? "unsafe" : "benign", data.kinds[query[Q.kind]]];
  if (query[Q.shot] > 1) about.push(`shot ${query[Q.shot]}`);
  if (query[Q.category] >= 0) about.push(data.categories[query[Q.category]]);
  if (data.places.length > 1) about.push(data.places[query[Q.place]]);
  head.append(" ", make("small", about.join(" · "), { class: "note" }));
  article.append(head);
  if (query[Q.turns]) article.append(earlierTurns(data, query));
  article.append(make("p", data.texts[query[Q.text]], { dir: "auto", class: "asked" }));
  if (row[R.text] >= 0) article.append(opened(data, row));
  return article;
}

function start(bar, data) {
  const list = document.getElementById("browsed");
  const pager = document.getElementById("browse-pages");
  const fields = {};
  for (const field of bar.querySelectorAll("[data-browse]")) fields[field.dataset.browse] = field;
  fill(fields.model, data.models, new Set(data.rows.map((row) => row[R.model])));
  fill(fields.verdict, data.verdicts, new Set(data.rows.map((row) => row[R.verdict])));
  fill(fields.category, data.categories, new Set(data.queries.map((query) => query[Q.category])));
  fill(fields.kind, data.kinds, new Set(data.queries.map((query) => query[Q.kind])));
  fillOpeners(data, fields.opener);
  fields.judges.parentNode.hidden = data.rows.every((row) => row[R.others].length === 0);
  if (data.redacted) for (const one of fields.order.querySelectorAll("[data-said]")) one.remove();
  const [back, on] = pager.querySelectorAll("button");
  let rows = data.rows;
  let page = 0;

  function draw() {
    const from = page * EACH_PAGE;
    const shown = rows.slice(from, from + EACH_PAGE);
    list.replaceChildren(...shown.map((row) => card(data, row)));
    const count = (number) => number.toLocaleString("en-GB");
    const range = shown.length ? `${count(from + 1)}–${count(from + shown.length)} of ` : "";
    const all = rows.length === data.rows.length ? "" : ` (of ${count(data.rows.length)})`;
    bar.querySelector("output").textContent = `${range}${count(rows.length)}${all}`;
    const last = Math.max(0, Math.ceil(rows.length / EACH_PAGE) - 1);
    back.disabled = page === 0;
    on.disabled = page >= last;
    pager.querySelector("span").textContent = `page ${count(page + 1)} of ${count(last + 1)}`;
  }

  function renew() {
    rows = sorted(data, chosen(data, data.rows, fields), fields.order.value);
    page = 0;
    draw();
  }

  function turn(by) {
    page += by;
    draw();
    bar.scrollIntoView({ block: "start" });
  }

  bar.addEventListener("input", renew);
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  bar.hidden = false;
  pager.hidden = false;
  document.getElementById("browse-without-script").hidden = true;
  draw();
}

start(document.getElementById("browse-bar"), JSON.parse(document.getElementById("responses-data").textContent));
