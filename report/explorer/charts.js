// Charts: the library is run when the first one is drawn; each is drawn when it comes near the window.

let library = null;

const loadLibrary = () =>
  (library ??= unzipped(textOf("explorer-library")).then((bytes) => {
    // The page's security policy admits this text by its hash, and no other.
    document.head.append(element("script", {}, new TextDecoder().decode(bytes)));
    return window.vegaEmbed;
  }));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const theme = () => {
  const [text, quiet, line, paper] = ["text", "quiet", "line", "paper"].map(colour);
  const words = { labelColor: text, titleColor: text, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
  return {
    background: paper,
    config: {
      aria: false, // the figure has a text, and the numbers are in a table
      font: colour("sans"),
      view: { stroke: line },
      axis: { ...words, gridColor: line, domainColor: quiet, tickColor: quiet, labelLimit: 90 },
      legend: { ...words, orient: "bottom", title: null, symbolStrokeWidth: 2, labelLimit: 240 },
      header: { ...words, labelFontWeight: "bold", labelLimit: 300 },
    },
  };
};

const charts = new Set();

// Each drawing is a task of its own, so that the page answers between two of them.
let queue = Promise.resolve();
const soon = (task) => (queue = queue.then(() => new Promise(requestAnimationFrame)).then(task).catch((error) => fail(error)));

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      for (const chart of charts) if (chart.plot === target) soon(() => draw(chart));
    }
  },
  { rootMargin: "200px" },
);

// The page's policy admits no style but its own, and no code made of text: expressions are read by an interpreter.
const OPTIONS = { mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

const draw = async (chart) => {
  const embed = await loadLibrary();
  const width = chart.plot.clientWidth;
  if (!chart.plot.isConnected || !width) return;
  chart.result?.finalize();
  chart.width = width;
  chart.result = await embed(chart.plot, { ...chart.drawing.spec(width), ...theme() }, OPTIONS);
  chart.plot.querySelector("svg").setAttribute("aria-hidden", "true"); // the plot has a text of its own
  chart.plot.dataset.drawn = "true";
};

const drawAgain = (unlike) => {
  for (const chart of charts) if (chart.result && unlike(chart)) soon(() => draw(chart));
};

let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => drawAgain((chart) => Math.abs(chart.plot.clientWidth - chart.width) > 4), 150);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAgain(() => true));

const exported = async (chart, kind) => {
  if (!chart.result) await draw(chart);
  const { view } = chart.result;
  if (kind === "svg") return save(await view.toSVG(), "image/svg+xml", `${chart.drawing.name}.svg`);
  // At once: a browser takes a file that comes seconds after the click for one that nobody asked for.
  const text = (await view.toCanvas(2)).toDataURL("image/png").split(",")[1];
  return save(bytesOf(text), "image/png", `${chart.drawing.name}.png`);
};

// A drawing that is made for its file only.
const savePicture = async (drawing, kind) => {
  const embed = await loadLibrary();
  const result = await embed(element("div"), { ...drawing.spec(), ...theme() }, OPTIONS);
  await exported({ drawing, result }, kind);
  result.finalize();
};

const toolsOf = (name, buttons) =>
  element("p", { class: "tools" }, Object.entries(buttons).map(([kind, act]) =>
    element("button", { type: "button", "aria-label": `${kind}: ${name}`, onclick: () => Promise.resolve(act()).catch(fail) }, kind)));

// A figure of what `drawing` says: name, title, caption, alt, columns, rows, and spec(width).
const figureOf = (drawing) => {
  const plot = element("div", { class: "plot", role: "img", "aria-label": drawing.alt });
  const chart = { drawing, plot, result: null, width: 0 };
  charts.add(chart);
  near.observe(plot);
  const { name, title, columns, rows } = drawing;
  return element(
    "figure",
    { class: "explorer-figure", "data-name": name },
    element("h4", {}, title),
    plot,
    element("figcaption", {}, drawing.caption),
    toolsOf(title, {
      CSV: () => save(csv(columns, rows), "text/csv", `${name}.csv`),
      SVG: () => exported(chart, "svg"),
      PNG: () => exported(chart, "png"),
    }),
    numbersBehind(title, columns, rows),
  );
};

// Takes the figures out of a part of the page with what the library keeps for them.
const cleared = (place) => {
  for (const chart of charts) {
    if (!place.contains(chart.plot)) continue;
    near.unobserve(chart.plot);
    chart.result?.finalize();
    charts.delete(chart);
  }
  place.replaceChildren();
  return place;
};
