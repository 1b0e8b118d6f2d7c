// What is chosen: the two axes, the metric, and for every factor and the studies which values stay.

const plainWords = (name) => name.replaceAll("_", " ");

const select = (label, choices, value, change) => {
  const options = choices.map(([name, text]) => element("option", { value: name, selected: name === value }, text));
  return element("label", {}, label, element("select", { "data-control": label, onchange: (event) => change(event.target.value) }, options));
};

// A folded list of values with a box each; `chosen` are those that stay, or null for all.
const facetOf = (name, title, values, chosen, change) => {
  const boxes = values.map((value) => element("input", { type: "checkbox", "data-control": `${name} ${value}`, value, checked: chosen === null || chosen.includes(value) }));
  const left = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const said = chosen === null ? "all" : chosen.length === 1 ? chosen[0] : `${chosen.length} of ${values.length}`;
  const summary = element("summary", {}, `${title}: `, element("b", {}, said));
  const alter = () => change(left().length === values.length ? null : left());
  return element(
    "details",
    { class: "facet", "data-facet": name },
    summary,
    element("fieldset", {}, element("legend", {}, title),
      boxes.map((box) => element("label", {}, box, ` ${box.value}`)),
      element("p", {},
        element("button", { type: "button", "data-control": `${name}: all`, onclick: () => change(null) }, "All"), " ",
        element("button", { type: "button", "data-control": `${name}: none`, onclick: () => change([]) }, "None"))),
    boxes.forEach((box) => box.addEventListener("change", alter)),
  );
};

const controlsOf = (index, view, commit) => {
  const factors = index.names.map((name) => [name, plainWords(name)]);
  const axis = (own, other) => (name) => commit(name === view[other] ? { rows: view.columns || view.rows, columns: view.rows, at: null } : { [own]: name, at: null });
  const metrics = Object.entries(index.metrics).map(([name, [title]]) => [name, title]);
  const filter = (name) => (values) => commit({ filters: { ...view.filters, [name]: values }, at: null });
  return [
    element("div", { class: "choices" },
      select("Rows", factors, view.rows, axis("rows", "columns")),
      select("Columns", [...factors, ["", "none"]], view.columns, axis("columns", "rows")),
      select("Metric", metrics, view.metric, (metric) => commit({ metric })),
      element("button", { type: "button", class: "open-all", "data-control": "open-all", onclick: () => commit({ filters: Object.fromEntries(index.names.map((name) => [name, null])), studies: null, at: null }) }, "Show all cells"),
      element("button", { type: "button", class: "restart", "data-control": "restart", onclick: () => commit({ ...startOf(index), cell: view.cell, compare: view.compare }) }, "Back to the start")),
    element("div", { class: "facets", role: "group", "aria-label": "Filters" },
      index.studies.length > 1 ? facetOf("study", "study", index.studies, view.studies, (studies) => commit({ studies, at: null })) : null,
      index.names.map((name) => facetOf(name, plainWords(name), index.factors[name], allowed(view, name, index), filter(name)))),
  ];
};
