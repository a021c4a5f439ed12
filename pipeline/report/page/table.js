// Tables that a person can sort by any column, a page at a time.

// columns: { title, value: row -> number | text | null, show: row -> text or element, n: right-aligned, sort: false }
function sortableTable({ caption, columns, rows, pageSize = 20, sorted = null, down = true, foot = null }) {
  const state = { rows, order: null, by: sorted, down, page: 0 };
  const head = make("tr"), body = make("tbody"), pager = make("div", { class: "pager" });
  const cells = columns.map((each, index) => {
    const cell = make("th", { scope: "col", class: each.n ? "n" : null },
      make("button", { type: "button", onclick: () => sortBy(index) }, each.title));
    head.append(cell);
    return cell;
  });
  const table = make("table", {}, make("caption", {}, caption), make("thead", {}, head), body);
  if (foot) table.append(make("tfoot", {}, foot));

  function order() {
    const picked = Array.from(state.rows);
    if (state.by === null) return picked;
    const value = columns[state.by].value, factor = state.down ? -1 : 1;
    const keyed = picked.map((row, place) => ({ row, place, key: value(row) }));
    const missing = (key) => key === null || key === undefined || key === "";
    keyed.sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return missing(a.key) - missing(b.key) || a.place - b.place;
      const differs = typeof a.key === "number" ? a.key - b.key : String(a.key).localeCompare(String(b.key), "en", { numeric: true });
      return factor * differs || a.place - b.place;
    });
    return keyed.map((each) => each.row);
  }
  function sortBy(index) {
    state.down = state.by === index ? !state.down : Boolean(columns[index].n);
    state.by = index; state.order = null; state.page = 0;
    draw();
  }
  function turn(by) { state.page += by; draw(); }
  function draw() {
    state.order ??= order();
    cells.forEach((cell, index) => {
      if (index === state.by) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    const pages = Math.max(1, Math.ceil(state.order.length / pageSize));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const first = state.page * pageSize, last = Math.min(first + pageSize, state.order.length);
    body.replaceChildren(...state.order.slice(first, last).map((row) => make("tr", {},
      ...columns.map((each) => make("td", { class: each.n ? "n" : null }, (each.show ?? each.value)(row) ?? NONE)))));
    if (!state.order.length) body.append(make("tr", {}, make("td", { colspan: columns.length }, "None.")));
    pager.hidden = pages === 1;
    pager.replaceChildren(
      make("button", { type: "button", disabled: state.page === 0, onclick: () => turn(-1) }, "Previous"),
      make("span", {}, `${number(first + 1, 0)} to ${number(last, 0)} of ${number(state.order.length, 0)}`),
      make("button", { type: "button", disabled: state.page === pages - 1, onclick: () => turn(1) }, "Next"));
  }
  draw();
  const element = make("div", {}, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table), pager);
  // new rows keep the order that was chosen
  return { element, update(next) { state.rows = next; state.order = null; state.page = 0; draw(); } };
}

function plainTable(caption, titles, rows, sum = null) {
  const row = (cells, tag, extra = {}) => make("tr", extra, ...cells.map((cell, index) =>
    make(index === 0 ? "th" : tag, { scope: index === 0 ? "row" : null, class: index === 0 ? null : "n" }, cell)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, make("table", {}, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...titles.map((title, index) => make("th", { scope: "col", class: index ? "n" : null }, title)))),
    make("tbody", {}, ...rows.map((cells) => row(cells, "td")), ...(sum ? [row(sum, "td", { class: "sum" })] : []))));
}

// Horizontal bars: [label, value, text, class of colour]
function bars(rows) {
  const most = Math.max(...rows.map((row) => row[1]), 1e-9), grid = make("div", { class: "bars" });
  for (const [label, value, text, colour] of rows) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), rect = document.createElementNS(svg.namespaceURI, "rect");
    svg.setAttribute("viewBox", "0 0 100 10"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
    rect.setAttribute("width", Math.max((100 * value) / most, value > 0 ? 0.4 : 0)); rect.setAttribute("height", 10);
    rect.setAttribute("fill", `var(--${colour ?? "accent"})`);
    svg.append(rect);
    grid.append(make("span", {}, label), svg, make("span", { class: "n" }, text));
  }
  return grid;
}
