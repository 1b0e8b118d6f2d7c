// The page of a cell: its figures, drawings, seeds, and where it comes from.

const SHOWN_FIRST = 7; // estimates: the test accuracy, and steps and successes of three targets

// A cell with all its numbers, from its block, or null where it was not trained.
const cellOf = async (index, key) => {
  const place = index.keys.indexOf(key);
  if (place < 0 || index.values.status[place] >= NOT_TRAINED) return null;
  const trained = index.trained.get(place);
  const parts = await block(Math.floor(trained / index.group));
  return { ...parts[trained % index.group], titles: index.titles, name: nameOf(index, place), status: index.statuses[index.values.status[place]] };
};

const estimatesOf = (cell) =>
  Object.entries(cell.titles.estimates).map(([name, [title, style]], line) => ({ name, title, text: withInterval(cell.values.estimates.subarray(3 * line, 3 * line + 3), style) }));

const tableOf = (caption, heads, rows) =>
  element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    element("table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, rows.map(([first, ...others]) => element("tr", {}, element("th", { scope: "row" }, first), others.map((text) => element("td", { class: "number" }, text)))))));

const fold = (summary, ...children) => element("details", {}, element("summary", {}, summary), ...children);

// Layers down, probed steps across; a cell beside the other, on one scale.
const healthOf = (cells, metric, change) => {
  const { titles } = cells[0];
  const all = { ...titles.shares, ...titles.numbers };
  const [title, style] = all[metric];
  const rows = cells.flatMap((cell) => cell.probes.flatMap((step, probe) => Array.from({ length: cell.lengths.layers }, (_, layer) => ({ cell: cell.name, step, layer: layer + 1, ...inLayers(cell, metric, probe, layer) }))));
  const scale = scaleOf(rows.map((row) => row.value), style);
  const panel = (cell) => {
    const of = rows.filter((row) => row.cell === cell.name);
    const line = (layer) => element("tr", {}, element("th", { scope: "row" }, String(layer)), cell.probes.map((step) => {
      const row = of.find((one) => one.step === step && one.layer === layer);
      const known = row.known < cell.lengths.seeds && row.known > 0 ? ` (${row.known} of ${cell.lengths.seeds})` : "";
      const td = element("td", { class: "level", title: `lowest ${written(row.low, style)}, highest ${written(row.high, style)}` }, written(row.value, style) + known);
      const level = scale.level(row.value);
      if (level !== null) td.style.setProperty("--level", level.toFixed(3));
      return td;
    }));
    return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `${title}: ${cell.name}` },
      element("table", { class: "map health" },
        element("caption", {}, several(cells) ? cell.name : `${title}, by layer and step`),
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "layer"), cell.probes.map((step) => element("th", { scope: "col" }, `step ${grouped(String(step))}`)))),
        element("tbody", {}, Array.from({ length: cell.lengths.layers }, (_, layer) => line(layer + 1)))));
  };
  const columns = [...named(cells), ["step", "step"], ["layer", "layer"], ["value", "median"], ["low", "lowest"], ["high", "highest"], ["known", "seeds"]];
  return element("figure", { class: "explorer-figure layers", "data-name": "health" },
    element("h4", {}, "Inside the layers, over time"),
    select("Metric", Object.entries(all).map(([name, [text]]) => [name, text]), metric, change),
    element("div", { class: "beside" }, cells.map(panel)),
    element("figcaption", {}, `${title[0].toUpperCase()}${title.slice(1)} at every probed step, by layer (1 is the first): median over the seeds at the chosen rate; where not all have a figure, how many do. Colour: from the smallest to the largest of the table.`),
    toolsOf("Inside the layers", { CSV: () => save(csv(columns, rows), "text/csv", `health-${metric}.csv`), SVG: () => savePicture(healthPicture(cells, title, rows, scale, style), "svg"), PNG: () => savePicture(healthPicture(cells, title, rows, scale, style), "png") }));
};

const healthPicture = (cells, title, rows, scale, style) => ({
  name: "health",
  spec: () => ({
    data: { values: rows.map((row) => ({ ...row, text: written(row.value, style), level: scale.level(row.value) ?? -1 })) },
    title: { text: title, color: colour("text"), anchor: "start" },
    facet: { field: "cell", type: "nominal", title: null, sort: cells.map((cell) => cell.name) },
    columns: cells.length,
    spec: {
      width: { step: 64 },
      height: { step: 24 },
      encoding: { x: { field: "step", type: "ordinal", axis: { labelAngle: 0 } }, y: { field: "layer", type: "ordinal" } },
      layer: [
        { transform: [{ filter: "datum.level >= 0" }], mark: { type: "rect", color: colour("link") }, encoding: { fillOpacity: { field: "level", type: "quantitative", scale: { domain: [0, 1], range: [0.04, 0.45] }, legend: null } } },
        { mark: { type: "text", color: colour("text"), fontSize: 11 }, encoding: { text: { field: "text" } } },
      ],
    },
  }),
});

// What the curves show, and which rate is strong.
const curvesOf = (cells, view, commit) => [
  element("div", { class: "choices" },
    select("Curves of", Object.entries(MEASURES).map(([name, { title }]) => [name, title]), view.measure, (measure) => commit({ measure })),
    several(cells) ? null : select("Strong", [["", `${digits(cells[0].rate)}, the chosen rate`], ...[...new Set(cells[0].rate_of_run)].filter((rate) => rate !== cells[0].rate).map((rate) => [String(rate), digits(rate)])], view.rate ?? "", (rate) => commit({ rate: rate || null }))),
  figureOf(curves(cells, view)),
];

// Drawings that a choice changes stand in slots, so that a choice lays out no more than it changes.
const slot = (name) => element("div", { "data-slot": name });

const figuresOf = (cells) => [
  element("div", { class: several(cells) ? "figures wide" : "figures" }, slot("curves"), drawings(cells).map(figureOf)),
  hasQuantiles(cells) ? null : element("p", { class: "note" }, "These tables have no quantiles of activations. Cells that are trained again have them."),
  slot("health"),
];

const seedsOf = (cell) => {
  const chosen = cell.rate_of_run.map((rate, run) => [rate, run]).filter(([rate]) => rate === cell.rate).map(([, run]) => run);
  const reasons = new Map(cell.endings.map(([run, reason, step]) => [run, step === null ? reason : `${reason}, at step ${step}`]));
  const measures = Object.entries(cell.titles.final);
  const rows = chosen.map((run, seed) => [
    String(cell.seed_of_run[run]),
    ...measures.map(([, [, style]], line) => written(cell.values.final[line * cell.lengths.seeds + seed], style)),
    `${MARKS[cell.values.status[run]] ?? ""} ${STATUSES[cell.values.status[run]]}${reasons.has(run) ? ` (${reasons.get(run)})` : ""}`.trim(),
  ]);
  const title = `Final numbers of each seed at the chosen learning rate, ${digits(cell.rate)}`;
  const columns = [["seed", "seed"], ...measures.map(([name]) => [name, name]), ["status", "status"]];
  const numbers = chosen.map((run, seed) => ({
    seed: cell.seed_of_run[run],
    status: STATUSES[cell.values.status[run]],
    ...Object.fromEntries(measures.map(([name], line) => [name, cell.values.final[line * cell.lengths.seeds + seed]])),
  }));
  return [tableOf(title, ["seed", ...measures.map(([, [text]]) => text), "status"], rows), toolsOf(title, { CSV: () => save(csv(columns, numbers), "text/csv", "seeds.csv") })];
};

const flat = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value).replaceAll('"', "").replaceAll(",", ", ") : String(value));
const pairs = (facts) => element("dl", { class: "pairs" }, Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, plainWords(name)), element("dd", {}, flat(value))]));

const originOf = (cell) => [
  fold("Parameters", pairs(cell.parameters)),
  fold("Network", pairs(cell.network)),
  fold("Hashes and times", pairs({ ...cell.hashes, ...cell.origin })),
  fold("The end of its log", cell.log.length ? element("pre", { tabindex: "0" }, cell.log.join("\n")) : element("p", {}, "No log of this cell's training was kept.")),
  element("h4", {}, "Train it again"),
  element("ul", { class: "commands" }, cell.commands.map(([purpose, text]) =>
    element("li", {}, purpose, element("br"), element("span", { class: "command" }, element("code", {}, text), element("button", { type: "button", class: "copy" }, "Copy"))))),
  element("p", {}, "On the same machine with the same software the digest in its record comes out the same: ", element("code", {}, cell.hashes.results), "."),
];

const cellPage = (cell, close, compare) => {
  const chosen = `at learning rate ${digits(cell.rate)}${cell.edge ? `, the ${cell.edge === "low" ? "lowest" : "highest"} of the grid` : ""}`;
  const lost = { diverged: "most of its seeds that failed diverged", stalled: "most of its seeds that failed stalled" }[cell.status];
  const numbers = estimatesOf(cell);
  return [
    element("h3", { tabindex: "-1" }, cell.name),
    element("p", {}, element("code", {}, cell.key), ` ${chosen}; ${counted(cell.lengths.seeds, "seed")}; studies: ${cell.studies.join(", ")}.`,
      lost ? element("span", { class: `mark ${cell.status}` }, ` ${lost}`) : null),
    element("p", { class: "tools" },
      element("button", { type: "button", class: "to-comparison", onclick: () => compare(cell.key) }),
      element("button", { type: "button", class: "close", onclick: close }, "Close")),
    element("dl", { class: "pairs numbers" }, numbers.slice(0, SHOWN_FIRST).flatMap(({ title, text }) => [element("dt", {}, title), element("dd", {}, text)])),
    fold("All estimates with 95 % intervals over seeds", tableOf("Estimates at the chosen learning rate", ["metric", "estimate"], numbers.map(({ title, text }) => [title, text]))),
    ...figuresOf([cell]),
    ...seedsOf(cell),
    ...originOf(cell),
  ];
};
