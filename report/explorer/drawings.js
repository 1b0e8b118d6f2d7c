// The drawings of one cell, or of several beside each other on the same axes. Each takes cells as `block` has them,
// with their `name`, and says what `figureOf` needs.

const MEASURES = {
  validation_accuracy: { title: "validation accuracy", style: "share", points: "steps" },
  validation_loss: { title: "validation loss", style: "ratio", points: "steps" },
  train_accuracy: { title: "training accuracy", style: "share", points: "probes" },
  train_loss: { title: "training loss", style: "ratio", points: "probes" },
};
const STATUSES = ["ok", "diverged", "stalled"];
const SHAPES = ["circle", "M-1,-1L1,1M-1,1L1,-1", "square"];
const OF_STATUS = { field: "status", scale: { domain: STATUSES, range: SHAPES } };

const PERCENTS = { format: ".0%" };
const NUMBERS = { format: "~g" };

// The figures of one run: a row of a column whose axes are runs and something else.
const rowOf = (cell, column, run) => {
  const length = cell.values[column].length / cell.lengths.runs;
  return cell.values[column].subarray(run * length, (run + 1) * length);
};

const several = (cells) => cells.length > 1;
const named = (cells) => (several(cells) ? [["cell", "cell"]] : []);

// One panel, or one a cell beside each other, below each other where there is no room.
const laid = (cells, unit, values, width, height) => {
  if (!several(cells)) return { data: { values }, width, height, autosize: { type: "fit", contains: "padding" }, ...unit };
  const across = Math.max(1, Math.min(cells.length, Math.floor(width / 200)));
  const wide = Math.max(110, Math.floor((width - 75 - 20 * (across - 1)) / across));
  const header = { labelLimit: wide }; // a longer name would push the panels apart
  const facet = { field: "cell", type: "nominal", title: null, header, sort: cells.map((cell) => cell.name) };
  const spec = { ...unit, width: wide, height: Math.min(height, 220) };
  return { data: { values }, facet, columns: across, spec };
};

const ticks = (cells) => {
  const points = [...new Set(cells.flatMap((cell) => cell.steps))].sort((a, b) => a - b);
  const last = Math.max(...points);
  const spread = points.filter((step) => step === 0 || (Number.isInteger(Math.log2(step / 8) / 2) && step < last / 2));
  return [...spread, last];
};

const alongSteps = (cells) => ({
  field: "step",
  type: "quantitative",
  title: "step",
  scale: { type: "symlog", constant: 4, nice: false },
  axis: { values: ticks(cells), format: "d", labelOverlap: "greedy", grid: false },
});

// A logarithmic axis with a line for each power of ten, or for every second, third and so on where there are many; over
// less than two decades the library's own choice is better.
const powersOfTen = (values) => {
  const known = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  const first = Math.ceil(known.reduce((low, value) => Math.min(low, value), Infinity));
  const last = Math.floor(known.reduce((high, value) => Math.max(high, value), -Infinity));
  const every = Math.ceil((last - first + 1) / 6);
  const powers = [];
  for (let power = last; power >= first; power -= every) powers.push(10 ** power);
  return { format: ".0e", labelOverlap: "greedy", ...(powers.length > 1 ? { values: powers } : { tickCount: 5 }) };
};

const rateOf = (cell, view) => (cell.rate_of_run.includes(Number(view.rate)) && view.rate ? Number(view.rate) : cell.rate);

// Losses of lost runs reach beyond any axis: it ends at the largest loss of a run that was not, or of a start.
const upTo = (cells, measure) => {
  let top = 0;
  for (const cell of cells) {
    for (let run = 0; run < cell.lengths.runs; run++) {
      const values = rowOf(cell, measure, run);
      for (const value of cell.values.status[run] === 1 ? values.subarray(0, 1) : values) if (value > top) top = value;
    }
  }
  return top;
};

const curves = (cells, view) => {
  const { title, style, points } = MEASURES[view.measure];
  const rows = cells.flatMap((cell) =>
    cell.rate_of_run.flatMap((rate, run) =>
      Array.from(rowOf(cell, view.measure, run), (value, i) => ({
        cell: cell.name,
        seed: cell.seed_of_run[run],
        rate,
        status: STATUSES[cell.values.status[run]],
        run: `${cell.seed_of_run[run]} ${rate}`,
        step: cell[points][i],
        value: Number.isFinite(value) ? value : null,
        strong: rate === rateOf(cell, view),
      })),
    ),
  );
  const logarithmic = style === "ratio";
  const top = logarithmic ? upTo(cells, view.measure) : 1;
  const scale = logarithmic ? { type: "log", domainMax: top } : { domain: [0, 1] };
  const axis = logarithmic ? powersOfTen(rows.map((row) => Math.min(row.value, top))) : PERCENTS;
  const y = { field: "value", type: "quantitative", title, scale, axis };
  const tooltip = [
    { field: "rate", title: "learning rate" },
    { field: "seed" },
    { field: "status" },
    { field: "step" },
    { field: "value", title, format: logarithmic ? ".3~g" : ".1%" },
  ];
  const line = (strong, mark) => ({
    transform: [{ filter: `datum.strong === ${strong}${logarithmic ? " && datum.value > 0" : ""}` }],
    mark: { type: "line", clip: true, ...mark },
    encoding: { x: alongSteps(cells), y, detail: { field: "run" }, tooltip },
  });
  const unit = () => ({
    layer: [
      line(false, { color: colour("quiet"), strokeWidth: 1, opacity: 0.3 }),
      line(true, { color: colour("link"), strokeWidth: 1.75, opacity: 0.9, ...(points === "probes" ? { point: { size: 20 } } : {}) }),
    ],
  });
  const rate = several(cells) ? "at each cell's chosen learning rate" : `at learning rate ${digits(rateOf(cells[0], view))}`;
  const lost = cells.reduce((sum, cell) => sum + cell.values.status.filter((status) => status === 1).length, 0);
  const runs = cells.reduce((sum, cell) => sum + cell.lengths.runs, 0);
  return {
    name: `curves-${view.measure}`,
    title: `Learning curves: ${title}`,
    alt: `Line chart of ${title} over training steps, a line a run.`,
    caption:
      `${title[0].toUpperCase()}${title.slice(1)} over training steps (logarithmic), a line a run: ${counted(runs, "run")}. ` +
      `Strong: the seeds ${rate}; faint: the other rates.` +
      (lost ? ` ${counted(lost, "run")} diverged: such a line ends where there is no figure${logarithmic ? ", or leaves the frame" : ""}.` : ""),
    columns: [...named(cells), ["seed", "seed"], ["rate", "learning_rate", "ratio"], ["status", "status"], ["step", "step"], ["value", view.measure, style]],
    rows,
    spec: (width) => laid(cells, unit(), rows, width, 300),
  };
};

// Seeds of one rate stand beside each other, a fiftieth of a decade apart.
const strip = (cells) => {
  const rows = cells.flatMap((cell) => {
    const seeds = [...new Set(cell.seed_of_run)];
    return cell.rate_of_run.map((rate, run) => {
      const last = rowOf(cell, "validation_accuracy", run).at(-1);
      const status = STATUSES[cell.values.status[run]];
      const seed = cell.seed_of_run[run];
      return {
        cell: cell.name,
        seed,
        rate,
        status,
        place: rate * 10 ** ((seeds.indexOf(seed) - (seeds.length - 1) / 2) / 50),
        validation: status === "diverged" ? 0 : last,
        test: cell.values.test_accuracy[run],
        chosen: rate === cell.rate,
      };
    });
  });
  const rates = [...new Set(rows.map((row) => row.rate))];
  const colours = () => ({ field: "chosen", scale: { domain: [true, false], range: [colour("link"), colour("quiet")] }, legend: null });
  const unit = () => ({
    mark: { type: "point", filled: false, size: 45, strokeWidth: 1.5, opacity: 0.9 },
    encoding: {
      x: { field: "place", type: "quantitative", title: "learning rate", scale: { type: "log", nice: false, padding: 12 }, axis: { values: rates, grid: false, labelOverlap: true, ...NUMBERS } },
      y: { field: "validation", type: "quantitative", title: "final validation accuracy", scale: { domain: [0, 1] }, axis: PERCENTS },
      shape: { ...OF_STATUS, legend: {} },
      color: colours(),
      tooltip: [
        { field: "rate", title: "learning rate" },
        { field: "seed" },
        { field: "status" },
        { field: "validation", title: "validation accuracy", format: ".1%" },
        { field: "test", title: "test accuracy", format: ".1%" },
      ],
    },
  });
  return {
    name: "rates",
    title: "Learning rates",
    alt: "Final validation accuracy of every run over its learning rate.",
    caption:
      `Final validation accuracy of ${counted(rows.length, "run")} over their learning rate (logarithmic; seeds beside each other). ` +
      `A run that diverged counts as 0. In colour: ${several(cells) ? "each cell's chosen rate" : `the chosen rate, ${digits(cells[0].rate)}`}.`,
    columns: [...named(cells), ["seed", "seed"], ["rate", "learning_rate", "ratio"], ["status", "status"], ["validation", "validation_accuracy", "share"], ["test", "test_accuracy", "share"]],
    rows,
    spec: (width) => laid(cells, unit(), rows, width, 300),
  };
};

// A metric of the layers at one probe and layer: median, lowest, highest, and the number of seeds that have a figure.
const inLayers = (cell, metric, probe, layer) => {
  const { titles } = cell;
  const kind = metric in titles.shares ? "shares" : "numbers";
  const line = Object.keys(titles[kind]).indexOf(metric);
  const { probes, layers } = cell.lengths;
  const place = (spread) => ((line * 3 + spread) * probes + probe) * layers + layer;
  const health = (kind === "shares" ? 0 : cell.lengths.shares) + line;
  const [value, low, high] = [0, 1, 2].map((spread) => cell.values[kind][place(spread)]);
  return { value, low, high, known: cell.values.known[(health * probes + probe) * layers + layer] };
};

const ENDS = (cell) => [
  [0, "before training"],
  [cell.lengths.probes - 1, "after training"],
];
const WHENS = ["before training", "after training"];
const whens = (range) => ({ field: "when", scale: { domain: WHENS, range }, sort: WHENS });
const layerAxis = { field: "layer", type: "ordinal", title: "layer", axis: { labelAngle: 0, labelOverlap: true } };

const flow = (cells) => {
  const rows = cells.flatMap((cell) =>
    ENDS(cell).flatMap(([probe, when]) =>
      Array.from({ length: cell.lengths.layers }, (_, layer) => ({ cell: cell.name, when, layer: layer + 1, ...inLayers(cell, "gradient_norm", probe, layer) })),
    ),
  );
  const drawn = rows.filter((row) => row.value > 0).map((row) => ({ ...row, low: row.low > 0 ? row.low : row.value }));
  const missing = rows.length - drawn.length;
  const y = { field: "value", type: "quantitative", title: "norm of gradients", scale: { type: "log", nice: false }, axis: powersOfTen(drawn.flatMap((row) => [row.low, row.high])) };
  const x = { ...layerAxis, scale: { type: "point", padding: 0.3 } };
  const unit = () => {
    const color = { ...whens([colour("quiet"), colour("link")]), legend: { symbolType: "stroke", symbolSize: 300 } };
    return {
      layer: [
        { mark: { type: "area", opacity: 0.18 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } },
        {
          mark: { type: "line", strokeWidth: 2, point: { size: 30 } },
          encoding: { x, y, color, strokeDash: { ...whens([[4, 3], [1, 0]]), legend: color.legend }, tooltip: [{ field: "when" }, { field: "layer" }, ...["value", "low", "high"].map((field) => ({ field, format: ".3~g" }))] },
        },
      ],
    };
  };
  return {
    name: "gradients",
    title: "Gradient flow",
    alt: "Norm of the gradients by layer, before and after training.",
    caption:
      "Norm of the loss's gradient with respect to a layer's pre-activations, by layer (1 is the first), at the chosen " +
      "rate: median over seeds; the band reaches from the lowest to the highest seed." +
      (missing ? ` ${counted(missing, "median")} of 0, or without a figure, cannot be drawn.` : ""),
    columns: [...named(cells), ["when", "when"], ["layer", "layer"], ["value", "median", "ratio"], ["low", "lowest", "ratio"], ["high", "highest", "ratio"], ["known", "seeds"]],
    rows,
    spec: (width) => laid(cells, unit(), drawn, width, 260),
  };
};

const QUANTILES = ["q05", "q25", "q50", "q75", "q95"];

const spreadOfActivations = (cells) => {
  const rows = cells.flatMap((cell) =>
    ENDS(cell).flatMap(([probe, when]) =>
      Array.from({ length: cell.lengths.layers }, (_, layer) => {
        const row = { cell: cell.name, when, layer: layer + 1 };
        for (const name of QUANTILES) row[name] = inLayers(cell, `activation_${name}`, probe, layer).value;
        return row;
      }),
    ),
  );
  const drawn = rows.filter((row) => QUANTILES.every((name) => Number.isFinite(row[name])));
  const unit = () => {
    const color = whens([colour("quiet"), colour("link")]);
    const places = { x: layerAxis, xOffset: { field: "when", sort: WHENS } };
    const y = (field) => ({ field, type: "quantitative", title: "activation" });
    const tooltip = [{ field: "when" }, { field: "layer" }, ...QUANTILES.map((field) => ({ field, format: ".3~g" }))];
    return {
      layer: [
        { mark: { type: "rule", strokeWidth: 1.5 }, encoding: { ...places, y: y("q05"), y2: { field: "q95" }, color, tooltip } },
        { mark: { type: "bar", size: 7, strokeWidth: 1.5 }, encoding: { ...places, y: y("q25"), y2: { field: "q75" }, color, stroke: color, fillOpacity: { condition: { test: "datum.when === 'before training'", value: 0.1 }, value: 0.85 }, tooltip } },
        { mark: { type: "tick", size: 11, thickness: 2.5, color: colour("text") }, encoding: { ...places, y: y("q50"), tooltip } },
      ],
    };
  };
  return {
    name: "activations",
    title: "Distribution of activations",
    alt: "Quantiles of the activations by layer, before and after training.",
    caption:
      "Activations of each layer (1 is the first), on the left before training, on the right after it, at the chosen rate: " +
      "line from the 5 % to the 95 % quantile, box from 25 % to 75 %, tick at the median; each is the median over seeds.",
    columns: [...named(cells), ["when", "when"], ["layer", "layer"], ...QUANTILES.map((name) => [name, name, "number"])],
    rows,
    spec: (width) => laid(cells, unit(), drawn, width, 260),
  };
};

const hasQuantiles = (cells) => cells.every((cell) => QUANTILES.every((name) => `activation_${name}` in cell.titles.numbers));

// All but the curves.
const drawings = (cells) => [strip, flow, ...(hasQuantiles(cells) ? [spreadOfActivations] : [])].map((drawing) => drawing(cells));
