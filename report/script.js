// What the page gains where scripts run: sorting, filtering, copying, saving, full-size figures. It reads well without.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Sorting: a click or a key press on a column's label; rows without a figure come last either way.
  const keyOf = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = text === "" || text === "nan" ? NaN : Number(text.replace("inf", "Infinity"));
    return { text, number, missing: text === "nan" || text === "" || text === "–" };
  };

  const compare = (a, b) => {
    if (a.missing || b.missing) return 0;
    if (!Number.isNaN(a.number) && !Number.isNaN(b.number)) return a.number < b.number ? -1 : Number(a.number > b.number);
    return a.text.localeCompare(b.text, "en", { numeric: true });
  };

  const sort = (table, heading, index) => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[index]) }));
    rows.sort((a, b) => a.key.missing - b.key.missing || (descending ? -1 : 1) * compare(a.key, b.key));
    body.append(...rows.map(({ row }) => row));
    for (const other of all(".labels th", table)) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  };

  for (const table of all("table.sortable")) {
    if (table.tBodies[0].rows.length < 2) continue;
    all(".labels th", table).forEach((heading, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading, index));
      heading.append(button);
    });
  }

  // Filtering: every word of the search must occur in a row, and every choice must be one of its field's words.
  const matches = (field, choice) => field === choice || field.split(/[ ,]+/).includes(choice);

  for (const form of all("form.search")) {
    const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows].map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
      fields: [...row.cells].map((cell) => cell.textContent.trim()),
    }));
    const [search, output] = [form.elements.text, form.querySelector("output")];
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const choices = all("select", form).filter((select) => select.value);
      let shown = 0;
      for (const { row, text, fields } of rows) {
        row.hidden = !(
          words.every((word) => text.includes(word)) &&
          choices.every((select) => matches(fields[select.dataset.column], select.value))
        );
        shown += Number(!row.hidden);
      }
      output.value = `${shown} of ${rows.length} ${form.dataset.noun}s`;
    };
    form.addEventListener("input", filter);
    form.addEventListener("reset", () => setTimeout(filter)); // once the fields are empty
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    filter(); // browsers restore what was typed before a reload
  }

  // Copying: the old way serves browsers that keep the clipboard from pages of the file system.
  const copySelected = (code) => {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  };

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      done = copySelected(code);
    }
    button.textContent = done ? "Copied" : "Select it";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };

  for (const button of all("button.copy")) {
    button.setAttribute("aria-live", "polite");
    button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });

  // Saving: a table as CSV, with every number that a text shortens in a column of its own; a drawing as SVG or PNG.
  const save = (blob, filename) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = filename;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const textOf = (cell) => (cell.querySelector(".command code") ?? cell).textContent.trim().replace(/\s+/g, " ");
  const numberOf = (cell) => (cell.dataset.sort === "nan" ? "" : (cell.dataset.sort ?? ""));
  const quoted = (field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

  const groupsOf = (table) =>
    table.tHead.rows.length < 2
      ? []
      : [...table.tHead.rows[0].cells].flatMap((cell) => Array(cell.colSpan).fill(textOf(cell)));

  const csvOf = (table, shown) => {
    const rows = [...table.tBodies[0].rows].filter((row) => !shown || !row.hidden);
    const groups = groupsOf(table);
    const columns = all(".labels th", table).flatMap((heading, index) => {
      const label = [groups[index], textOf(heading)].filter(Boolean).join(": ");
      const column = [label, ...rows.map((row) => textOf(row.cells[index]))];
      const numbers = rows.map((row) => numberOf(row.cells[index]));
      const shortened = heading.matches(".number") && numbers.some((number, row) => number && number !== column[row + 1]);
      return shortened ? [column, [`${label} (number)`, ...numbers]] : [column];
    });
    const lines = [...Array(rows.length + 1).keys()].map((row) => columns.map((column) => quoted(column[row])).join(","));
    return `${lines.join("\r\n")}\r\n`;
  };

  for (const tools of all("[data-save]")) {
    const table = document.getElementById(tools.dataset.save);
    for (const button of all("button", tools)) {
      const shown = button.dataset.rows === "shown";
      const filename = `${table.id}${shown ? "-shown" : ""}.csv`;
      button.addEventListener("click", () => save(new Blob([csvOf(table, shown)], { type: "text/csv" }), filename));
    }
    tools.hidden = !table.querySelector(".labels th");
  }

  // A drawing of the page itself takes its colours along, as attributes: a file has no style sheet.
  const styles = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "text-anchor"];

  const standalone = (drawing) => {
    const copy = drawing.cloneNode(true);
    const [width, height] = [drawing.viewBox.baseVal.width, drawing.viewBox.baseVal.height];
    const copies = [copy, ...all("*", copy)];
    [drawing, ...all("*", drawing)].forEach((element, index) => {
      const computed = getComputedStyle(element);
      for (const name of styles) copies[index].setAttribute(name, computed.getPropertyValue(name));
      copies[index].removeAttribute("class");
    });
    const paper = document.createElementNS(copy.namespaceURI, "rect");
    const background = getComputedStyle(document.body).backgroundColor;
    for (const [name, value] of Object.entries({ width, height, fill: background })) paper.setAttribute(name, value);
    copy.querySelector("desc").after(paper);
    for (const [name, value] of Object.entries({ width, height })) copy.setAttribute(name, value);
    return new XMLSerializer().serializeToString(copy);
  };

  const savePng = async (address, width, height, filename) => {
    const [image, canvas] = [new Image(), document.createElement("canvas")];
    image.src = address;
    await image.decode();
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    const context = canvas.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(blob, filename), "image/png");
  };

  for (const plot of all(".plot")) {
    const drawing = plot.querySelector("svg");
    const [svg, png] = [plot.querySelector("button.svg"), plot.querySelector("button.png")];
    const { width, height } = drawing.viewBox.baseVal;
    svg.addEventListener("click", () => save(new Blob([standalone(drawing)], { type: "image/svg+xml" }), `${svg.dataset.name}.svg`));
    png.addEventListener("click", () => {
      const address = `data:image/svg+xml,${encodeURIComponent(standalone(drawing))}`;
      savePng(address, width, height, `${png.dataset.name}.png`);
    });
    svg.hidden = png.hidden = false;
  }

  // Figures: their drawings are in the page once; downloads and full-size views take them from there.
  const enlarge = (image) => {
    const dialog = document.createElement("dialog");
    const [close, large] = [document.createElement("button"), image.cloneNode()];
    close.textContent = "Close";
    large.width = 1.5 * image.getAttribute("width");
    large.height = 1.5 * image.getAttribute("height");
    dialog.setAttribute("aria-label", "Figure at full size");
    dialog.append(close, large);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  for (const figure of all("figure")) {
    const [image, link, button, png] = [".card img", "a.svg", "button.enlarge", "button.png"].map((s) =>
      figure.querySelector(s),
    );
    link.href = image.src;
    link.hidden = false;
    button.hidden = png.hidden = false;
    const size = ["width", "height"].map((side) => Number(image.getAttribute(side)));
    png.addEventListener("click", () => savePng(image.src, ...size, `${png.dataset.name}.png`));
    for (const target of [button, image]) target.addEventListener("click", () => enlarge(image));
  }

  // A link may lead into what is folded up.
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    const folded = all("details:not([open])").filter((details) => details.contains(target));
    for (const details of folded) details.open = true;
    if (folded.length) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Contents: open beside the text, folded above it on a small screen, the section in view marked.
  const contents = document.querySelector("nav details");
  const beside = matchMedia("(min-width: 70rem)");
  const fold = () => (contents.open = beside.matches);
  beside.addEventListener("change", fold);
  fold();
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -80% 0px" },
  );
  for (const section of all("main > section")) seen.observe(section);
})();
