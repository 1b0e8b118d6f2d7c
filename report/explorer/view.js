// What is looked at, as an object and as the address after "#explorer?". What is as at the start is left out.

const PREFIX = "#explorer?";
const LARGEST_COMPARISON = 4;

const startOf = (index) => ({
  rows: index.start.rows,
  columns: index.start.columns,
  metric: Object.keys(index.metrics)[0],
  studies: null, // all of them
  filters: {}, // by factor: the values that stay, or null for all; what is missing here stands at its start
  at: null, // the field of the map whose cells are listed, as two values
  cell: null,
  compare: [],
  measure: "validation_accuracy",
  health: "dead_fraction",
  rate: null, // the chosen one
});

// The values of a factor that stay: those asked for; else all of an axis, and the base's of another factor.
const allowed = (view, factor, index) => {
  if (factor in view.filters) return view.filters[factor];
  return factor === view.rows || factor === view.columns ? null : (index.start.filters[factor] ?? null);
};

const SINGLE = ["rows", "columns", "metric", "cell", "measure", "health", "rate"];

const toHash = (view, index) => {
  const start = startOf(index);
  const words = new URLSearchParams();
  for (const name of SINGLE) if (view[name] !== start[name]) words.set(name, view[name] ?? "");
  for (const study of view.studies ?? []) words.append("study", study);
  if (view.studies?.length === 0) words.set("study", "");
  for (const [factor, values] of Object.entries(view.filters)) {
    for (const value of values === null ? ["*"] : values.length ? values : [""]) words.append(factor, value);
  }
  for (const value of view.at ?? []) words.append("at", value);
  for (const key of view.compare) words.append("compare", key);
  return String(words) ? PREFIX + words : "#explorer";
};

// The view that an address describes; what it names that this page does not have is left out.
const fromHash = (hash, index) => {
  const view = startOf(index);
  const words = new URLSearchParams(hash.startsWith(PREFIX) ? hash.slice(PREFIX.length) : "");
  const choices = {
    rows: Object.keys(index.factors),
    columns: ["", ...Object.keys(index.factors)],
    metric: Object.keys(index.metrics),
    cell: index.keys,
    measure: Object.keys(MEASURES),
    health: Object.keys(index.healths),
  };
  for (const name of SINGLE) {
    const value = words.get(name);
    if (value !== null && (choices[name]?.includes(value) ?? true)) view[name] = value;
  }
  if (words.has("study")) view.studies = words.getAll("study").filter((name) => index.studies.includes(name));
  for (const [factor, values] of Object.entries(index.factors)) {
    const asked = words.getAll(factor);
    if (asked.length) view.filters[factor] = asked.includes("*") ? null : asked.filter((value) => values.includes(value));
  }
  if (words.getAll("at").length === 2) view.at = words.getAll("at");
  view.compare = words.getAll("compare").filter((key) => index.keys.includes(key)).slice(0, LARGEST_COMPARISON);
  return view;
};
