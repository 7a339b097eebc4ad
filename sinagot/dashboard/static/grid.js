// The grid of records and steps: only the rows in sight are in the page; windows of rows are asked for as they come.
"use strict";
(() => {
  const HEIGHT = 32;
  const WINDOW = 100;
  const MOST_WINDOWS = 12;
  // Browsers stop at some 33 million pixels: beyond that, one pixel of the scroll bar is more than one row.
  const TALLEST = 15000000;

  const grid = document.getElementById("grid");
  const form = document.getElementById("filters");
  const total = document.getElementById("total");
  const base = document.body.dataset.base;
  const words = JSON.parse(grid.dataset.words);

  let count = 0;
  let steps = [];
  let now = 0;
  let current = 0;
  let generation = 0;
  const windows = new Map();
  const asked = new Set();
  let isDrawing = false;

  const head = make("div", "head");
  head.setAttribute("role", "row");
  head.setAttribute("aria-rowindex", "1");
  const space = make("div", "space");
  space.setAttribute("role", "rowgroup");
  const top = make("div");
  top.setAttribute("role", "rowgroup");
  top.append(head);
  top.className = "top";
  grid.append(top, space);
  const rows = new Map();

  function make(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function choice() {
    const pairs = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value && !(name === "sort" && value === "id")) pairs.set(name, value);
    return pairs;
  }

  function tall() { return Math.min(count * HEIGHT, TALLEST); }

  // Row at the top of what is in sight, with its part that is cut.
  function first() {
    const room = Math.max(grid.clientHeight - head.offsetHeight, HEIGHT);
    const most = tall() - room;
    if (tall() === count * HEIGHT || most <= 0) return grid.scrollTop / HEIGHT;
    return (grid.scrollTop / most) * (count - room / HEIGHT);
  }

  function scrollTo(row) {
    const room = Math.max(grid.clientHeight - head.offsetHeight, HEIGHT);
    const seen = Math.floor(room / HEIGHT);
    const at = first();
    let target = at;
    if (row < at) target = row;
    else if (row > at + seen - 1) target = row - seen + 1;
    else return;
    const most = tall() - room;
    grid.scrollTop = tall() === count * HEIGHT ? target * HEIGHT : (target / (count - room / HEIGHT)) * most;
  }

  async function fetchWindow(number) {
    const key = `${generation}/${number}`;
    if (asked.has(key)) return;
    asked.add(key);
    const mine = generation;
    const query = choice();
    query.set("offset", number * WINDOW);
    query.set("limit", WINDOW);
    try {
      const answer = await fetch(`${base}/api/v1/grid?${query}`, { headers: { Accept: "application/json" } });
      if (mine !== generation) return;
      if (!answer.ok) { total.textContent = answer.status === 401 ? "Open the link again: the server has a new token." : `The server says ${answer.status}.`; return; }
      const found = await answer.json();
      if (mine !== generation) return;
      take(number, found);
    } catch { if (mine === generation) total.textContent = "The server does not answer."; } finally { asked.delete(key); }
  }

  function take(number, found) {
    now = found.now;
    if (found.steps.join("\n") !== steps.join("\n") || !head.children.length) { steps = found.steps; drawHead(); }
    windows.delete(number);
    windows.set(number, found.rows);
    while (windows.size > MOST_WINDOWS) windows.delete(windows.keys().next().value);
    if (count !== found.total || !grid.dataset.ready) {
      count = found.total;
      current = Math.min(current, Math.max(count - 1, 0));
      space.style.height = `${tall()}px`;
      grid.setAttribute("aria-rowcount", String(count + 1));
    }
    total.textContent = `${count.toLocaleString("en")} record${count === 1 ? "" : "s"}`;
    grid.dataset.ready = String(found.version);
    for (const element of rows.values()) element.dataset.filled = "";
    draw();
  }

  function drawHead() {
    head.replaceChildren();
    ["record", ...steps].forEach((name, place) => {
      const cell = make("div", place ? "cell" : "cell id", name);
      cell.setAttribute("role", "columnheader");
      cell.setAttribute("aria-colindex", String(place + 1));
      cell.title = name;
      head.append(cell);
    });
    grid.setAttribute("aria-colcount", String(steps.length + 1));
    for (const element of rows.values()) element.remove();
    rows.clear();
  }

  function age(time) {
    const past = Math.max(0, now - time);
    for (const [seconds, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (past >= seconds) return `${Math.round(past / seconds)} ${unit} ago`;
    return `${past} s ago`;
  }

  function took(seconds) {
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    return seconds < 120 ? `${seconds.toPrecision(2)} s` : `${Math.round(seconds / 60)} min`;
  }

  function fill(element, row) {
    const list = windows.get(Math.floor(row / WINDOW));
    const facts = list && list[row % WINDOW];
    const key = facts ? JSON.stringify(facts) : "…";
    if (element.dataset.filled === key) return;
    element.dataset.filled = key;
    element.replaceChildren();
    const id = make("div", "cell id");
    id.setAttribute("role", "gridcell");
    id.setAttribute("aria-colindex", "1");
    if (facts) {
      const link = make("a", "", facts.id);
      link.href = `${base}/records/${encodeURIComponent(facts.id)}`;
      link.tabIndex = -1;
      link.title = facts.id;
      id.append(link);
    } else id.textContent = "…";
    element.append(id);
    steps.forEach((step, place) => {
      const cell = make("div", "cell");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", String(place + 2));
      if (facts) {
        const [text, sign, tone] = words[facts.status[place]] || ["?", "?", "none"];
        const badge = make("span", `badge t-${tone}`, `${sign} ${text}`);
        cell.append(badge);
        const times = facts.changed[place];
        const told = [];
        if (times !== null && times !== undefined) told.push(age(times));
        if (facts.took[place] !== null) told.push(took(facts.took[place]));
        if (told.length) cell.append(make("span", "age", told.join(" · ")));
      }
      element.append(cell);
    });
  }

  function draw() {
    isDrawing = false;
    const at = first();
    const seen = Math.ceil(grid.clientHeight / HEIGHT) + 1;
    const begin = Math.max(0, Math.floor(at) - 4);
    const end = Math.min(count, Math.floor(at) + seen + 4);
    for (const [row, element] of rows) if (row < begin || row >= end) { element.remove(); rows.delete(row); }
    const shift = grid.scrollTop - at * HEIGHT;
    for (let row = begin; row < end; row++) {
      let element = rows.get(row);
      if (!element) {
        element = make("div", "row");
        element.id = `row-${row}`;
        element.setAttribute("role", "row");
        element.setAttribute("aria-rowindex", String(row + 2));
        rows.set(row, element);
        space.append(element);
      }
      element.style.top = `${Math.round(row * HEIGHT + shift)}px`;
      element.classList.toggle("is-current", row === current);
      element.setAttribute("aria-selected", row === current ? "true" : "false");
      fill(element, row);
    }
    if (rows.has(current)) grid.setAttribute("aria-activedescendant", `row-${current}`);
    else grid.removeAttribute("aria-activedescendant");
    for (let number = Math.floor(begin / WINDOW); number <= Math.floor(Math.max(end - 1, begin) / WINDOW); number++) {
      if (count && !windows.has(number)) fetchWindow(number);
    }
  }

  function drawSoon() {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(draw);
  }

  function begin() {
    generation++;
    windows.clear();
    asked.clear();
    current = 0;
    grid.scrollTop = 0;
    const query = choice().toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    fetchWindow(0);
  }

  // What is in sight is asked for again; the rest is forgotten.
  function refresh() {
    const at = Math.floor(first() / WINDOW);
    const kept = [at, Math.floor((first() + grid.clientHeight / HEIGHT) / WINDOW)];
    for (const number of [...windows.keys()]) if (!kept.includes(number)) windows.delete(number);
    for (const number of new Set(kept)) fetchWindow(number);
  }

  grid.addEventListener("scroll", drawSoon, { passive: true });
  addEventListener("resize", drawSoon);
  document.addEventListener("sinagot:change", refresh);
  form.addEventListener("submit", (event) => event.preventDefault());
  let timer = 0;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(begin, 200); });
  grid.addEventListener("click", (event) => {
    const element = event.target.closest(".row");
    if (!element) return;
    current = Number(element.id.slice(4));
    draw();
    const link = element.querySelector("a");
    if (link && !event.target.closest("a")) location.href = link.href;
  });
  grid.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(grid.clientHeight / HEIGHT) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count };
    if (event.key in moves) {
      event.preventDefault();
      current = Math.min(Math.max(current + moves[event.key], 0), Math.max(count - 1, 0));
      scrollTo(current);
      drawSoon();
    } else if (event.key === "Enter") {
      const link = rows.get(current)?.querySelector("a");
      if (link) location.href = link.href;
    }
  });

  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  begin();
})();
