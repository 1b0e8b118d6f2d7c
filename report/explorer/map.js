// The map: a table with a value of one factor a row, of another a column, and a button a field.

const MOST_LINES = 60; // rows or columns that are laid out
const MOST_LISTED = 50; // cells of a field that are listed at first
const [DIVERGED, STALLED, NOT_TRAINED, LEFT_OUT] = [1, 2, 3, 4];
const MARKS = { [DIVERGED]: "✕", [STALLED]: "○", [NOT_TRAINED]: "…", [LEFT_OUT]: "∅" };
const LEGEND = [
  ["✕", "diverged"],
  ["○", "stalled"],
  ["…", "not trained"],
  ["∅", "left out on purpose"],
  [NONE, "no figure, since a seed has none"],
  ["never", "half of the seeds or more miss the target"],
];

const valueOf = (index, factor, cell) => {
  const line = index.names.indexOf(factor);
  return index.factors[factor][index.values.factors[line * index.lengths.cells + cell]];
};

const figureIn = (index, metric, cell) => index.values.metrics[Object.keys(index.metrics).indexOf(metric) * index.lengths.cells + cell];

// The cells that all filters let pass, by their place in the index.
const passing = (index, view) => {
  const lines = index.names.flatMap((factor, line) => {
    const values = allowed(view, factor, index);
    return values === null ? [] : [[line * index.lengths.cells, new Set(values.map((value) => index.factors[factor].indexOf(value)))]];
  });
  const studies = view.studies && new Set(view.studies.map((name) => index.studies.indexOf(name)));
  const found = [];
  for (let cell = 0; cell < index.lengths.cells; cell++) {
    if (!lines.every(([first, codes]) => codes.has(index.values.factors[first + cell]))) continue;
    if (studies && !index.asked[cell].some((study) => studies.has(study))) continue;
    found.push(cell);
  }
  return found;
};

// The fields of the map by row and column: their cells, and what can be said of them together.
const fieldsOf = (index, view) => {
  const fields = new Map();
  for (const cell of passing(index, view)) {
    const place = [view.rows, view.columns].map((factor) => (factor ? valueOf(index, factor, cell) : ""));
    const key = JSON.stringify(place);
    if (!fields.has(key)) fields.set(key, { place, cells: [] });
    fields.get(key).cells.push(cell);
  }
  for (const field of fields.values()) {
    const statuses = field.cells.map((cell) => index.values.status[cell]);
    field.trained = field.cells.filter((_, i) => statuses[i] < NOT_TRAINED);
    const figures = field.trained.map((cell) => figureIn(index, view.metric, cell));
    field.figures = figures.filter((value) => !Number.isNaN(value));
    field.value = field.figures.length ? median(field.figures) : NaN;
    field.counts = Object.fromEntries(Object.keys(MARKS).map((status) => [status, statuses.filter((one) => one === Number(status)).length]));
  }
  return fields;
};

// Where a value lies between the smallest and the largest of the map, from 0 to 1; steps and ratios by their logarithm.
const scaleOf = (values, style) => {
  const position = style === "steps" || style === "ratio" ? Math.log : (value) => value;
  const placed = values.filter(Number.isFinite).map(position).filter(Number.isFinite);
  const [low, high] = [Math.min(...placed), Math.max(...placed)];
  const ends = placed.length ? [low, high].map((value) => (position === Math.log ? Math.exp(value) : value)) : null;
  const level = (value) => {
    if (Number.isNaN(value) || !placed.length) return null;
    const at = position(value);
    return high === low ? 0.5 : Math.min(1, Math.max(0, (at - low) / (high - low)));
  };
  return { level, ends };
};

const marksOf = (field) => {
  const many = field.cells.length > 1;
  return Object.entries(field.counts).filter(([, count]) => count).map(([status, count]) => MARKS[status] + (many ? count : ""));
};

const spoken = (index, view, field) => {
  const [title, style] = index.metrics[view.metric];
  const parts = [];
  if (field.trained.length) {
    const of = field.trained.length > 1 ? `, the median of ${field.figures.length} of ${counted(field.trained.length, "cell")}` : "";
    parts.push(Number.isNaN(field.value) ? `no figure for ${title}` : `${title} ${written(field.value, style)}${of}`);
  }
  for (const [status, count] of Object.entries(field.counts)) {
    if (count) parts.push(`${field.cells.length > 1 ? `${count} ` : ""}${index.statuses[status]}`);
  }
  return `${field.place.filter(Boolean).join(", ")}: ${parts.join("; ")}`;
};

const fieldButton = (index, view, field, level) => {
  const style = index.metrics[view.metric][1];
  const marks = marksOf(field);
  const button = element(
    "button",
    { type: "button", class: "field", "aria-label": spoken(index, view, field), "aria-pressed": "false", "data-field": JSON.stringify(field.place) },
    field.trained.length ? element("span", { class: "value" }, written(field.value, style)) : null,
    field.trained.length > 1 ? element("span", { class: "of" }, `n = ${field.figures.length}`) : null,
    marks.length ? element("span", { class: "marks" }, marks.join(" ")) : null,
  );
  if (level !== null) button.style.setProperty("--level", level.toFixed(3));
  return button;
};

// Arrow keys go from field to field, over gaps.
const walk = (event) => {
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const field = event.target.closest("td");
  if (!move || !field) return;
  let [row, column] = [field.parentElement.rowIndex, field.cellIndex];
  const table = field.closest("table");
  for (;;) {
    [row, column] = [row + move[0], column + move[1]];
    const next = table.rows[row]?.cells[column];
    if (!next || next.tagName === "TH") return;
    const button = next.querySelector("button");
    if (button) {
      event.preventDefault();
      return button.focus();
    }
  }
};

const mapOf = (index, view, act) => {
  const fields = fieldsOf(index, view);
  const [title, style] = index.metrics[view.metric];
  const scale = scaleOf([...fields.values()].map((field) => field.value), style);
  const used = (factor, axis) => {
    if (!factor) return [""];
    const present = new Set([...fields.values()].map((field) => field.place[axis]));
    return index.factors[factor].filter((value) => present.has(value));
  };
  const [down, across] = [used(view.rows, 0), used(view.columns, 1)];
  const [rows, columns] = [down.slice(0, MOST_LINES), across.slice(0, MOST_LINES)];
  const body = rows.map((row) =>
    element("tr", {}, element("th", { scope: "row" }, row), columns.map((column) => {
      const field = fields.get(JSON.stringify([row, column]));
      return element("td", {}, field ? fieldButton(index, view, field, scale.level(field.value)) : null);
    })),
  );
  const plainName = (name) => name.replaceAll("_", " ");
  const heads = element("tr", {}, element("td", {}), columns.map((column) => element("th", { scope: "col" }, column || title)));
  const over = view.columns ? element("tr", {}, element("th", { scope: "col", class: "axis" }, plainName(view.rows)), element("th", { scope: "colgroup", colspan: columns.length, class: "axis" }, plainName(view.columns))) : null;
  const table = element("table", { class: "map", onkeydown: walk, onclick: (event) => {
    const button = event.target.closest("button.field");
    if (button) act(fields.get(button.dataset.field));
  } },
    element("caption", {}, `${title[0].toUpperCase()}${title.slice(1)}, by ${plainName(view.rows)}${view.columns ? ` and ${plainName(view.columns)}` : ""}`),
    element("thead", {}, over, heads), element("tbody", {}, body));
  const dropped = down.length - rows.length + across.length - columns.length;
  const columnsOfRows = [["row", view.rows], ...(view.columns ? [["column", view.columns]] : []), ["value", view.metric], ["n", "cells_with_a_figure"],
    ["cells", "cells"], ...Object.keys(MARKS).map((status) => [`s${status}`, index.statuses[status].replaceAll(" ", "_")])];
  const numbers = [...fields.values()].map((field) => ({
    row: field.place[0], column: field.place[1], value: field.value, n: field.figures.length, cells: field.cells.length,
    ...Object.fromEntries(Object.entries(field.counts).map(([status, count]) => [`s${status}`, count])),
  }));
  return { table, fields, scale, style, title, dropped, columns: columnsOfRows, rows: numbers, axes: [rows, columns] };
};

// The same map as a drawing, for those who need it as a picture.
const pictureOf = (map, view) => ({
  name: `map-${view.metric}`,
  title: map.title,
  spec: () => ({
    data: { values: map.rows.map((row) => ({ ...row, text: written(row.value, map.style), level: map.scale.level(row.value) ?? -1 })) },
    title: { text: map.title, color: colour("text"), anchor: "start" },
    width: { step: 64 },
    height: { step: 30 },
    encoding: {
      x: { field: "column", type: "nominal", sort: map.axes[1], title: view.columns || null, axis: { labelAngle: -40, orient: "top", labelLimit: 160 } },
      y: { field: "row", type: "nominal", sort: map.axes[0], title: view.rows, axis: { labelLimit: 200 } },
    },
    layer: [
      { transform: [{ filter: "datum.level >= 0" }], mark: { type: "rect", color: colour("link") }, encoding: { fillOpacity: { field: "level", type: "quantitative", scale: { domain: [0, 1], range: [0.04, 0.45] }, legend: null } } },
      { mark: { type: "text", color: colour("text"), fontSize: 11 }, encoding: { text: { field: "text" } } },
    ],
  }),
});

// The cells of a field, the first ones at once.
const listOf = (index, view, field, open, compare) => {
  const [title, style] = index.metrics[view.metric];
  const factors = index.names.filter((name) => name !== view.rows && name !== view.columns && new Set(field.cells.map((cell) => valueOf(index, name, cell))).size > 1);
  const body = element("tbody");
  const more = element("button", { type: "button" });
  let shown = 0;
  const add = (count) => {
    for (const cell of field.cells.slice(shown, shown + count)) {
      const status = index.values.status[cell];
      const acts = status < NOT_TRAINED
        ? [element("button", { type: "button", onclick: () => open(index.keys[cell]) }, "Open"), " ", element("button", { type: "button", onclick: () => compare(index.keys[cell]) }, "Compare")]
        : [index.reasons[cell] ?? ""];
      body.append(element("tr", {},
        element("th", { scope: "row" }, nameOf(index, cell)),
        factors.map((name) => element("td", {}, valueOf(index, name, cell))),
        element("td", { class: "number" }, status < NOT_TRAINED ? written(figureIn(index, view.metric, cell), style) : NONE),
        element("td", {}, `${MARKS[status] ?? ""} ${index.statuses[status]}`.trim()),
        element("td", {}, acts)));
    }
    shown = Math.min(shown + count, field.cells.length);
    more.hidden = shown === field.cells.length;
    more.textContent = `Show ${Math.min(MOST_LISTED, field.cells.length - shown)} more of ${field.cells.length - shown}`;
  };
  add(MOST_LISTED);
  more.addEventListener("click", () => add(MOST_LISTED));
  const head = ["cell", ...factors.map((name) => name.replaceAll("_", " ")), title, "status", ""];
  return [
    element("h3", { tabindex: "-1" }, `${counted(field.cells.length, "cell")} in ${field.place.filter(Boolean).join(", ")}`),
    element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Cells of the field" },
      element("table", {}, element("thead", {}, element("tr", {}, head.map((label) => (label ? element("th", { scope: "col" }, label) : element("td"))))), body)),
    more,
  ];
};

// A cell's name: its activation, initialisation and normalization, and what else differs from the base.
const nameOf = (index, cell) => {
  const others = index.names.filter((name) => !index.naming.includes(name) && valueOf(index, name, cell) !== index.base[name]);
  const words = [...index.naming.map((name) => valueOf(index, name, cell)), ...others.map((name) => `${name.replaceAll("_", " ")} ${valueOf(index, name, cell)}`)];
  return words.join(", ") || index.keys[cell];
};
