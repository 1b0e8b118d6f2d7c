// Elements, and numbers as text, written as in the rest of the page.

const NONE = "–";
const PERCENT = "\u00a0%";

// An element with attributes, listeners (names that begin with "on") and children; text is never read as markup.
const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
};

const grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

const share = (value) => {
  const text = (100 * value).toFixed(1);
  if (value > 0 && text === "0.0") return `<0.1${PERCENT}`;
  if (value < 1 && text === "100.0") return `>99.9${PERCENT}`;
  return text + PERCENT;
};

const steps = (value) => {
  if (value === Infinity) return "never";
  const [whole, decimal] = (Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)).split(".");
  return grouped(whole) + (decimal ? `.${decimal}` : "");
};

const digits = (value) => {
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : "minus infinite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
};

const WRITERS = {
  share,
  steps,
  ratio: digits,
  number: digits,
  count: (value) => grouped(String(value)),
  seconds: (value) => (value < 10 ? value.toFixed(1) : grouped(value.toFixed(0))),
};

// A figure in the style of its metric; NaN is none.
const written = (value, style) => (Number.isNaN(value) ? NONE : WRITERS[style](value));

const withInterval = ([value, low, high], style) => {
  const text = written(value, style);
  if (Number.isNaN(value) || low === high) return text;
  return `${text} [${[low, high].map((bound) => written(bound, style).replace(PERCENT, "")).join(", ")}]`;
};

const counted = (number, noun, plural = `${noun}s`) => `${grouped(String(number))} ${number === 1 ? noun : plural}`;

// The middle value, of two the mean, as everywhere: a miss among the two makes it a miss.
const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
