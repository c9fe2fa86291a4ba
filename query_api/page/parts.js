// The small pieces every view is made of: elements, figures as people read them, tables, sections that load by themselves.

import { address } from "./address.js";

export function node(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== "" && value !== null) made.setAttribute(name, value);
  return made;
}

export const link = (text, changes) => node("a", text, { href: address(changes), "data-inside": "1" });

// A formatter takes longer to make than to use.
const formats = new Map();
function format(name, options) {
  if (!formats.has(name)) formats.set(name, new Intl.NumberFormat("en-US", options));
  return formats.get(name);
}

// Exact figures are in the title; here are as many digits as the size of the amount needs.
export function dollars(amount) {
  if (amount === null || amount === undefined) return "unknown";
  const size = Math.abs(amount);
  const digits = size === 0 || size >= 1 ? 2 : Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(size))));
  return format(digits, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits }).format(amount);
}

export const count = (number) => (number === null || number === undefined ? "–" : format("count", {}).format(number));
export const percent = (share) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)} %`);

export function instant(text) {
  if (!text) return "–";
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

const right = { class: "n" };
const WRITE = {
  text: (value) => node("td", value ?? "–", { class: value?.length > 40 ? "long" : "" }),
  time: (value) => node("td", instant(value), { title: value ?? "" }),
  word: (value) => node("td", value ?? "–", { class: value ?? "" }),
  count: (value) => node("td", count(value), right),
  ratio: (value) => node("td", value === null ? "–" : `${value.toFixed(1)}×`, right),
  money: (value) => node("td", dollars(value), value === null ? { class: "n unknown" } : { class: "n", title: `${value} USD` }),
  normal: (value) => node("td", value === null ? "–" : dollars(value), right),
  share: (value) => {
    const cell = node("td", null, right);
    if (value !== null && value !== undefined) cell.append(bar(value));
    cell.append(node("span", percent(value), { class: "share" }));
    return cell;
  },
};
const IS_NUMBER = new Set(["money", "count", "ratio", "share", "normal"]);

const SVG = "http://www.w3.org/2000/svg";
export function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A bar of a share, with a mark where the share should be by now. The figure stands beside it as text.
export function bar(share, mark = null, state = "") {
  const svg = shape("svg", { viewBox: "0 0 100 10", class: `bar ${state}`, "aria-hidden": "true", preserveAspectRatio: "none" });
  svg.append(shape("rect", { width: 100, height: 10, class: "track" }));
  svg.append(shape("rect", { width: Math.max(0, Math.min(100, share * 100)), height: 10, class: "filled" }));
  if (mark !== null) svg.append(shape("rect", { x: Math.min(98.5, mark * 100), width: 1.5, height: 10, class: "mark" }));
  return svg;
}

// columns: [title, field or function of the row, kind]; a function may give an element, which becomes the cell's content.
export function table(caption, columns, rows, none) {
  if (!rows.length) return node("p", none, { class: "none" });
  const made = node("table");
  made.append(node("caption", caption, { class: "hide" }));
  const head = node("tr");
  for (const [title, , kind] of columns) head.append(node("th", title, { scope: "col", class: IS_NUMBER.has(kind) ? "n" : "" }));
  const body = node("tbody");
  for (const row of rows) body.append(line(columns, row));
  const top = node("thead");
  top.append(head);
  made.append(top, body);
  const scroll = node("div", null, { class: "scroll", tabindex: "0", role: "group", "aria-label": caption });
  scroll.append(made);
  return scroll;
}

// The first rows of what is ordered by cost; the others open where somebody wants them.
const ROWS_SHOWN = 10;
export function first(what, caption, columns, rows, none) {
  const shown = table(caption, columns, rows.slice(0, ROWS_SHOWN), none);
  if (rows.length <= ROWS_SHOWN) return shown;
  const others = folded(`${count(rows.length - ROWS_SHOWN)} more ${what}`, () => table(`${caption}, the others`, columns, rows.slice(ROWS_SHOWN), none));
  return [shown, others];
}

// What is made only when it is opened: thousands of cells that nobody looks at would keep everything else waiting.
export function folded(title, make) {
  const details = node("details");
  const summary = node("summary", title);
  const fill = () => {
    if (details.children.length === 1) details.append(make());
  };
  summary.addEventListener("click", fill);
  details.addEventListener("toggle", () => details.open && fill());
  details.addEventListener("fill", fill);
  details.append(summary);
  return details;
}

function line(columns, row) {
  const made = node("tr");
  columns.forEach(([, from, kind], place) => {
    const value = typeof from === "function" ? from(row) : row[from];
    if (value instanceof Element) {
      const cell = node(place ? "td" : "th", null, place ? {} : { scope: "row" });
      cell.append(value);
      made.append(cell);
    } else if (place === 0) made.append(node("th", value ?? "–", { scope: "row", title: value ?? "" }));
    else made.append(WRITE[kind](value ?? null));
  });
  return made;
}

// A panel that is filled when its figures have come; a fault of one panel leaves the others alone.
export function panel(title, load, { id, narrow = false } = {}) {
  const section = node("section", null, { class: narrow ? "panel" : "panel wide", "aria-label": title, id: id ?? "" });
  const body = node("div", "…", { class: "body" });
  section.append(node("h2", title), body);
  const done = load().then(
    (content) => body.replaceChildren(...[content].flat().filter(Boolean)),
    (fault) => {
      body.replaceChildren(node("p", `Not available: ${fault.message}.`, { class: "unknown" }));
      if (fault.isAboutTheToken || !("status" in fault)) throw fault;
    },
  );
  return { section, done };
}

// The sums of each row; how many calls the cost leaves out only where it leaves any out.
export const totals = (rows) => [
  ["Calls", "calls", "count"], ["Input", "inputTokens", "count"], ["Cached", "cachedInputTokens", "count"],
  ["Output", "outputTokens", "count"], ["Cost", "costUsd", "money"],
  ...(rows.some((row) => row.unpricedCalls) ? [["Without a price", "unpricedCalls", "count"]] : []),
];
