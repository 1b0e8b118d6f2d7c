// Files that the page makes: tables as CSV, drawings as SVG and PNG.

const save = (content, type, name) => {
  const address = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};

const quoted = (value) => {
  const text = value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

// `columns` are pairs of a field and its heading; an infinite number is written as "inf", as in the tables.
const csv = (columns, rows) => {
  const lines = [columns.map(([, label]) => quoted(label))];
  for (const row of rows) lines.push(columns.map(([field]) => quoted(row[field] === Infinity ? "inf" : row[field])));
  return lines.map((line) => line.join(",")).join("\n") + "\n";
};

const LONGEST_TABLE = 500;

// The numbers behind a drawing, laid out when they are unfolded. A column may say how its numbers are written.
const numbersBehind = (title, columns, rows) => {
  const lay = () => {
    const head = element("tr", {}, columns.map(([, label]) => element("th", { scope: "col" }, label)));
    const body = rows.slice(0, LONGEST_TABLE).map((row) =>
      element("tr", {}, columns.map(([field, , style]) => {
        const value = row[field];
        const text = typeof value === "number" ? (style ? written(value, style) : String(value)) : (value ?? NONE);
        return element("td", { class: typeof value === "number" ? "number" : null }, text);
      })),
    );
    const left = rows.length - body.length;
    return [
      element("div", { class: "scroll tall", tabindex: "0", role: "group", "aria-label": `Numbers: ${title}` },
        element("table", {}, element("thead", {}, head), element("tbody", {}, body))),
      left > 0 ? element("p", { class: "note" }, `The first ${LONGEST_TABLE} of ${counted(rows.length, "row")}; the CSV has all.`) : null,
    ].filter(Boolean);
  };
  const folded = element("details", {}, element("summary", {}, "Numbers"));
  folded.addEventListener("toggle", () => folded.append(...lay()), { once: true });
  return folded;
};
