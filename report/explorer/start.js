// The explorer: draws the view that the address describes, and puts every change of it into the address.

const root = document.getElementById("explorer-app");
const places = Object.fromEntries(["controls", "status", "map", "legend", "field", "cell", "comparison"].map((name) => [name, root.querySelector(`[data-part=${name}]`)]));

const fail = (error) => {
  const message = root.querySelector("[role=alert]");
  message.hidden = false;
  message.textContent = `The explorer cannot show this: ${error.message ?? error}`;
  console.error(error);
};

let index = null;
let view = null;
let map = null;
let drawn = {}; // what each part shows: it is laid out anew only when that changes

const commit = (changes) => {
  view = { ...view, ...changes };
  if (changes.cell !== undefined) view.rate = null;
  const hash = toHash(view, index);
  if (hash !== location.hash) history.pushState(null, "", hash);
  return show(changes).catch(fail);
};

const compare = (key) => {
  if (view.compare.includes(key)) return commit({ compare: view.compare.filter((one) => one !== key) });
  if (view.compare.length === LARGEST_COMPARISON) {
    places.status.value = `The comparison is full: take one of its ${LARGEST_COMPARISON} cells out first.`;
    return places.comparison.querySelector("h3").focus();
  }
  return commit({ compare: [...view.compare, key] });
};

const openField = (field) => {
  if (field.trained.length === 1 && field.cells.length === 1) return commit({ cell: index.keys[field.cells[0]], at: null });
  return commit({ at: field.place });
};

// Lays a part out anew if what it depends on has changed. A control in it that has the focus keeps it.
const part = async (place, name, dependsOn, lay) => {
  if (!place) return;
  const state = JSON.stringify(dependsOn);
  if (drawn[name] === state) return;
  drawn[name] = state;
  const content = await lay();
  if (drawn[name] !== state) return; // something else was asked for meanwhile
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.control : null;
  const unfolded = [...place.querySelectorAll(".facet[open]")].map((facet) => facet.dataset.facet);
  cleared(place).append(...content.filter(Boolean));
  for (const facet of unfolded) place.querySelector(`[data-facet="${CSS.escape(facet)}"]`).open = true;
  if (focused) place.querySelector(`[data-control="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
};

const legendOf = () => {
  const { scale, style } = map;
  const ends = scale.ends?.map((value) => written(value, style));
  return [
    ends ? element("span", { class: "ramp" }, ends[0], element("i", { "aria-hidden": "true" }), ends[1]) : null,
    element("span", {}, "n: cells whose median is shown"),
    ...LEGEND.map(([mark, meaning]) => element("span", {}, element("b", {}, mark), ` ${meaning}`)),
  ].filter(Boolean);
};

const mapTools = () => toolsOf("map", { CSV: () => save(csv(map.columns, map.rows), "text/csv", `map-${view.metric}.csv`), SVG: () => savePicture(pictureOf(map, view), "svg"), PNG: () => savePicture(pictureOf(map, view), "png") });

const focusOn = (place) => {
  const heading = place.querySelector("h3");
  if (!heading) return;
  heading.focus({ preventScroll: true });
  heading.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
};

const showMap = async () => {
  const question = [view.rows, view.columns, view.metric, view.studies, view.filters];
  await part(places.map, "map", question, () => {
    map = mapOf(index, view, openField);
    return [element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Map" }, map.table), mapTools()];
  });
  await part(places.controls, "controls", question, () => controlsOf(index, view, commit));
  await part(places.legend, "legend", question, legendOf);
  const cells = [...map.fields.values()].reduce((sum, field) => sum + field.cells.length, 0);
  const dropped = map.dropped ? `; ${map.dropped} further rows and columns have no room: filter` : "";
  places.status.value = cells
    ? `${counted(cells, "cell")} of ${grouped(String(index.lengths.cells))} in ${counted(map.fields.size, "field")}${dropped}`
    : "No cell passes all filters.";
  const field = view.at && map.fields.get(JSON.stringify(view.at));
  await part(places.field, "field", [view.at, question], () => (field ? listOf(index, view, field, (key) => commit({ cell: key }), compare) : []));
  for (const button of places.map.querySelectorAll("[aria-pressed=true]")) button.setAttribute("aria-pressed", "false");
  buttonAt(view.at)?.setAttribute("aria-pressed", "true");
};

const buttonAt = (place) => place && places.map.querySelector(`[data-field="${CSS.escape(JSON.stringify(place))}"]`);

// The drawings in a page that its choices change.
const showChoices = async (name, cells) => {
  const keys = cells.map((cell) => cell.key);
  const within = (slot) => places[name].querySelector(`[data-slot=${slot}]`);
  await part(within("curves"), `${name} curves`, [keys, view.measure, view.rate], () => curvesOf(cells, view, commit));
  await part(within("health"), `${name} health`, [keys, view.health], () => [healthOf(cells, view.health, (health) => commit({ health }))]);
};

const forget = (name) => {
  for (const slot of ["curves", "health"]) delete drawn[`${name} ${slot}`];
};

const showCell = async () => {
  const cell = view.cell && (await cellOf(index, view.cell));
  await part(places.cell, "cell", view.cell, () => {
    forget("cell");
    if (!view.cell) return [];
    return cell ? cellPage(cell, close, compare) : [element("p", { class: "note" }, `${view.cell} was not trained.`)];
  });
  if (!cell) return;
  places.cell.querySelector(".to-comparison").textContent = view.compare.includes(view.cell) ? "Take out of the comparison" : "Compare with others";
  await showChoices("cell", [cell]);
};

const showComparison = async () => {
  const cells = (await Promise.all(view.compare.map((key) => cellOf(index, key)))).filter(Boolean);
  await part(places.comparison, "comparison", view.compare, () => {
    forget("comparison");
    return view.compare.length ? comparisonPage(index, cells, view, commit) : [];
  });
  if (cells.length > 1) await showChoices("comparison", cells);
};

const show = async (changes = {}) => {
  await showMap();
  await showCell();
  await showComparison();
  if (changes.at) focusOn(places.field);
  if (changes.cell) focusOn(places.cell);
  if (changes.compare?.length > 1) focusOn(places.comparison);
  root.dataset.shown = location.hash;
};

// The page of a cell closes, and the focus goes back to where it was opened.
const close = async () => {
  const cell = index.keys.indexOf(view.cell);
  const place = [view.rows, view.columns].map((factor) => (factor ? valueOf(index, factor, cell) : ""));
  await commit({ cell: null });
  buttonAt(place)?.focus();
};

const follow = () => {
  if (location.hash && !location.hash.startsWith("#explorer")) return;
  view = fromHash(location.hash, index);
  show().catch(fail);
};

const start = async () => {
  const [found] = unpacked(await unzipped(textOf("explorer-index")));
  let trained = 0;
  index = { ...found, names: Object.keys(found.factors), healths: { ...found.titles.shares, ...found.titles.numbers }, trained: new Map() };
  index.values.status.forEach((status, cell) => status < NOT_TRAINED && index.trained.set(cell, trained++));
  root.hidden = false;
  view = fromHash(location.hash, index);
  await show();
  addEventListener("popstate", follow);
  if (location.hash.startsWith(PREFIX)) focusOn(view.compare.length > 1 ? places.comparison : view.cell ? places.cell : root);
  requestIdleCallback(() => loadLibrary().catch(fail)); // so that the first chart does not wait for it
};

start().catch(fail);
