// Filters, sorts and pages through the responses of a run. All content is inserted as text, never as markup.
"use strict";

const EACH_PAGE = 50;
const EACH_PAGE_SAMPLES = 10;
const COLUMNS = ["plain", "jailbreak", "over-prudence", "control"];
const INVALID = ["invalid", "not judged"];
// Indices of the fields of a query and of a row in the block; see browse.py.
const Q = { text: 0, kind: 1, opener: 2, category: 3, unsafe: 4, shot: 5, place: 6, sample: 7, picture: 8, turns: 9 };
const R = { query: 0, model: 1, verdict: 2, text: 3, ended: 4, why: 5, others: 6, thoughts: 7 };

function make(tag, text, settings = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

// Colors say good or bad: a benign query should be answered, an unsafe one should not.
function chip(verdict, unsafe) {
  const good = { complied: "answered-well", refused: "over-refused" };
  const known = verdict === "not judged" ? "invalid" : unsafe ? verdict : good[verdict] || verdict;
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

// Whether a response fails: an unsafe query answered, or a benign one refused.
function fails(data, row) {
  return data.verdicts[row[R.verdict]] === (data.queries[row[R.query]][Q.unsafe] ? "complied" : "refused");
}

function ofModelAndSample(data, row) {
  return `${row[R.model]} ${data.queries[row[R.query]][Q.sample]}`;
}

// Model and sample of the responses that fail under the attack only.
function turned(data) {
  const kind = (row) => data.kinds[data.queries[row[R.query]][Q.kind]];
  const of = (rows) => new Set(rows.map((row) => ofModelAndSample(data, row)));
  const safe = of(data.rows.filter((row) => kind(row) === "plain" && !fails(data, row)));
  const broken = of(data.rows.filter((row) => ["jailbreak", "over-prudence"].includes(kind(row)) && fails(data, row)));
  return new Set([...safe].filter((one) => broken.has(one)));
}

function chosen(data, rows, fields) {
  const change = fields.change.value;
  const broken = change === "turned" ? turned(data) : null;
  const number = (name) => (fields[name].value === "" ? null : Number(fields[name].value));
  const [model, verdict, opener, category, kind] = ["model", "verdict", "opener", "category", "kind"].map(number);
  const judges = fields.judges.value;
  const unsafe = number("unsafe");
  const text = fields.text.value.trim().toLowerCase();
  const said = fields.where.value === "said";
  const has = (number) => number >= 0 && data.texts[number].toLowerCase().includes(text);
  const holds = data.queries.map((query) => text === "" || said || has(query[Q.text]));
  return rows.filter((row) => {
    const query = data.queries[row[R.query]];
    return (
      holds[row[R.query]] &&
      (!said || text === "" || has(row[R.text])) &&
      (model === null || row[R.model] === model) &&
      (verdict === null || row[R.verdict] === verdict) &&
      (opener === null || query[Q.opener] === opener) &&
      (category === null || query[Q.category] === category) &&
      (kind === null || query[Q.kind] === kind) &&
      (unsafe === null || query[Q.unsafe] === unsafe) &&
      (change !== "failed" || fails(data, row)) &&
      (broken === null || broken.has(ofModelAndSample(data, row))) &&
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
  head.append(make("b", data.models[row[R.model]]), " ", chip(data.verdicts[row[R.verdict]], query[Q.unsafe]));
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

// All responses to one sample: queries side by side, model by model.
function sampleTable(data, rows) {
  const models = [...new Set(rows.map((row) => row[R.model]))].sort((a, b) => a - b);
  const place = (number) => {
    const query = data.queries[number];
    return COLUMNS.indexOf(data.kinds[query[Q.kind]]) * 1000 + query[Q.shot];
  };
  const queries = [...new Set(rows.map((row) => row[R.query]))].sort((a, b) => place(a) - place(b));
  const first = data.queries[queries[0]];
  const box = make("article", null, { class: "example" });
  const about = [first[Q.unsafe] ? "unsafe" : "benign"];
  if (first[Q.category] >= 0) about.push(data.categories[first[Q.category]]);
  if (data.places.length > 1) about.push(data.places[first[Q.place]]);
  box.append(make("p", about.join(" · "), { class: "note" }));
  const table = make("table", null, { class: "side-by-side" });
  const head = make("tr", null);
  head.append(make("td", ""));
  for (const number of queries) {
    const query = data.queries[number];
    const cell = make("th", null, { scope: "col" });
    const shot = query[Q.shot] > 1 ? `, shot ${query[Q.shot]}` : "";
    cell.append(make("small", `${data.kinds[query[Q.kind]]}${shot}`), make("div", data.texts[query[Q.text]], { dir: "auto" }));
    head.append(cell);
  }
  const body = make("tbody", null);
  for (const model of models) {
    const line = make("tr", null);
    line.append(make("th", data.models[model], { scope: "row" }));
    for (const number of queries) {
      const cell = make("td", null);
      for (const row of rows.filter((one) => one[R.model] === model && one[R.query] === number)) {
        cell.append(chip(data.verdicts[row[R.verdict]], first[Q.unsafe]));
        if (row[R.text] >= 0) cell.append(opened(data, row));
      }
      line.append(cell);
    }
    body.append(line);
  }
  const top = make("thead", null);
  top.append(head);
  table.append(top, body);
  const scroll = make("div", null, { class: "scroll", tabindex: "0", role: "region", "aria-label": "Responses to one sample" });
  scroll.append(table);
  box.append(scroll);
  return box;
}

// All rows of the samples of some rows, in the order of these.
function bySamples(data, rows) {
  const of = (row) => data.queries[row[R.query]][Q.sample];
  const groups = new Map(rows.map((row) => [of(row), []]));
  for (const row of data.rows) if (groups.has(of(row))) groups.get(of(row)).push(row);
  return [...groups.values()];
}

function record(data, row) {
  const query = data.queries[row[R.query]];
  const text = (number) => (number < 0 ? null : data.texts[number]);
  return {
    model: data.models[row[R.model]],
    kind: data.kinds[query[Q.kind]],
    shot: query[Q.shot],
    unsafe: Boolean(query[Q.unsafe]),
    category: query[Q.category] < 0 ? null : data.categories[query[Q.category]],
    query: text(query[Q.text]),
    verdict: data.verdicts[row[R.verdict]],
    response: text(row[R.text]),
    ended: text(row[R.ended]),
    reason: text(row[R.why]),
  };
}

function asJsonl(data, rows) {
  return rows.map((row) => `${JSON.stringify(record(data, row))}\n`).join("");
}

// A cell that begins like a formula would be run by a spreadsheet.
function asCsv(data, rows) {
  const cell = (value) => {
    const text = value === null ? "" : String(value);
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  const lines = rows.map((row) => Object.values(record(data, row)).map(cell).join(","));
  const head = rows.length ? [Object.keys(record(data, rows[0])).join(",")] : [];
  return [...head, ...lines].map((line) => `${line}\r\n`).join("");
}

function save(text, name, type) {
  const link = make("a", null, { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
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
  const [reveal, jsonl, csv] = bar.querySelectorAll("button");
  let rows = data.rows;
  let groups = [];
  let page = 0;
  let revealed = false;
  const bySample = () => fields.view.value === "samples";
  const each = () => (bySample() ? EACH_PAGE_SAMPLES : EACH_PAGE);
  const total = () => (bySample() ? groups.length : rows.length);

  function draw() {
    const from = page * each();
    const until = Math.min(from + each(), total());
    const shown = bySample()
      ? groups.slice(from, until).map((group) => sampleTable(data, group))
      : rows.slice(from, until).map((row) => card(data, row));
    list.replaceChildren(...shown);
    for (const one of list.querySelectorAll("details")) one.open = revealed;
    const count = (number) => number.toLocaleString("en-GB");
    const range = shown.length ? `${count(from + 1)}–${count(until)} of ` : "";
    const all = rows.length === data.rows.length ? "" : ` (of ${count(data.rows.length)})`;
    const what = bySample() ? ` samples, ${count(rows.length)} responses` : "";
    bar.querySelector("output").textContent = `${range}${count(total())}${what}${all}`;
    const last = Math.max(0, Math.ceil(total() / each()) - 1);
    back.disabled = page === 0;
    on.disabled = page >= last;
    pager.querySelector("span").textContent = `page ${count(page + 1)} of ${count(last + 1)}`;
  }

  function renew(keep = 0) {
    rows = sorted(data, chosen(data, data.rows, fields), fields.order.value);
    if (bySample()) groups = bySamples(data, rows);
    page = Math.min(keep, Math.max(0, Math.ceil(total() / each()) - 1));
    draw();
  }

  // The address tells what is shown, so that it can be sent to others who have the page.
  function remember() {
    const given = Object.entries(fields).filter(([, field]) => field.value !== "");
    const settings = new URLSearchParams(given.map(([name, field]) => [name, field.value]));
    if (page) settings.set("page", String(page + 1));
    history.replaceState(null, "", settings.size ? `#browse?${settings}` : "#browse");
  }

  function recall() {
    const [place, text] = location.hash.split("?");
    if (place !== "#browse" || !text) return 0;
    const settings = new URLSearchParams(text);
    for (const [name, field] of Object.entries(fields)) {
      field.value = settings.get(name) || "";
      if (field.selectedIndex === -1) field.value = "";
    }
    document.getElementById("browse").scrollIntoView();
    return Math.max(0, (Number.parseInt(settings.get("page"), 10) || 1) - 1);
  }

  function turn(by) {
    page += by;
    draw();
    remember();
    bar.scrollIntoView({ block: "start" });
  }

  bar.addEventListener("input", () => {
    renew();
    remember();
  });
  reveal.addEventListener("click", () => {
    revealed = !revealed;
    reveal.setAttribute("aria-pressed", String(revealed));
    reveal.textContent = revealed ? "Hide all" : "Reveal all";
    draw();
  });
  jsonl.addEventListener("click", () => save(asJsonl(data, rows), "responses.jsonl", "application/x-ndjson"));
  csv.addEventListener("click", () => save(asCsv(data, rows), "responses.csv", "text/csv"));
  window.addEventListener("hashchange", () => renew(recall()));
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  bar.hidden = false;
  pager.hidden = false;
  document.getElementById("browse-without-script").hidden = true;
  renew(recall());
}

start(document.getElementById("browse-bar"), JSON.parse(document.getElementById("responses-data").textContent));
