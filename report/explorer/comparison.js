// Up to four cells beside each other.

const chips = (index, view, commit) =>
  element("ul", { class: "chips" }, view.compare.map((key) => {
    const name = nameOf(index, index.keys.indexOf(key));
    return element("li", {}, name, " ", element("button", { type: "button", "aria-label": `Take ${name} out of the comparison`, onclick: () => commit({ compare: view.compare.filter((one) => one !== key) }) }, "×"));
  }));

// What the cells differ in and how they did; then all estimates.
const comparedNumbers = (index, cells) => {
  const places = cells.map((cell) => index.keys.indexOf(cell.key));
  const differing = index.names.filter((name) => new Set(places.map((place) => valueOf(index, name, place))).size > 1);
  const estimates = cells.map(estimatesOf);
  const rows = estimates[0].map(({ title }, line) => [title, ...estimates.map((of) => of[line].text)]);
  const first = [
    ...differing.map((name) => [plainWords(name), ...places.map((place) => valueOf(index, name, place))]),
    ["chosen learning rate", ...cells.map((cell) => digits(cell.rate))],
    ["status", ...cells.map((cell) => cell.status)],
  ];
  return { brief: [...first, ...rows.slice(0, SHOWN_FIRST)], all: [...first, ...rows] };
};

const comparisonPage = (index, cells, view, commit) => {
  const head = [
    element("h3", { tabindex: "-1" }, `Comparison: ${view.compare.length} of at most ${LARGEST_COMPARISON} cells`),
    chips(index, view, commit),
  ];
  if (cells.length < 2) return [...head, element("p", { class: "note" }, "Choose another cell on the map and compare it too.")];
  const { brief, all } = comparedNumbers(index, cells);
  const title = "Estimates at each cell's chosen learning rate, with 95 % intervals over seeds";
  const heads = ["metric", ...cells.map((cell) => cell.name)];
  const columns = heads.map((label, i) => [i, label]);
  return [
    ...head,
    tableOf(title, heads, brief),
    fold("All estimates", tableOf("All estimates", heads, all)),
    toolsOf("Estimates of the comparison", { CSV: () => save(csv(columns, all), "text/csv", "comparison.csv") }),
    ...figuresOf(cells),
  ];
};
