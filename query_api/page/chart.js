// Bars by day, stacked by whatever is asked for. The table beside it has the same figures; this is only their shape.

import { dollars, node, shape } from "./parts.js";

const COLOURS = 5;
const [HEIGHT, LEFT, TOP, BOTTOM] = [220, 76, 10, 24];
const LABEL = 74; // as wide as the room a day's label needs
// Drawn as wide as it is shown, about, so that its labels stay readable on a telephone.
const widthNow = () => (matchMedia("(max-width: 40rem)").matches ? 360 : 960);

// points: [{date, name, amount}]; names: that have a colour, the dearest first; more: others have amounts, too; dates: all.
export function stackedDays(points, names, dates, more) {
  const shown = names.slice(0, COLOURS);
  const place = (name) => (shown.includes(name) ? shown.indexOf(name) : COLOURS);
  const sums = new Map(dates.map((date) => [date, new Array(COLOURS + 1).fill(0)]));
  for (const point of points) if (sums.has(point.date)) sums.get(point.date)[place(point.name)] += point.amount ?? 0;
  const whole = (parts) => parts.reduce((a, b) => a + b, 0);
  const highest = Math.max(...[...sums.values()].map(whole), 1e-12);
  const scale = (HEIGHT - TOP - BOTTOM) / highest;
  const dearest = [...sums].reduce((best, entry) => (whole(entry[1]) > whole(best[1]) ? entry : best));
  const title = `Spend by day, ${dates[0]} to ${dates.at(-1)}. The dearest day, ${dearest[0]}, cost ${dollars(whole(dearest[1]))}.`;
  const width = widthNow();
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": title, class: "chart" });
  for (const part of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - part * highest * scale;
    svg.append(shape("line", { x1: LEFT, x2: width, y1: y, y2: y, class: "grid" }));
    svg.append(shape("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, part ? dollars(part * highest) : "$0"));
  }
  drawDays(svg, sums, scale, width);
  const parts = [legend(shown, more), svg];
  return parts;
}

function drawDays(svg, sums, scale, width) {
  const step = (width - LEFT) / sums.size;
  const wide = Math.min(step * 0.72, 64);
  const every = Math.ceil((sums.size * LABEL) / (width - LEFT));
  [...sums].forEach(([date, parts], index) => {
    const x = LEFT + step * index + (step - wide) / 2;
    let y = HEIGHT - BOTTOM;
    const group = shape("g", {});
    group.append(shape("title", {}, `${date}: ${dollars(parts.reduce((a, b) => a + b, 0))}`));
    parts.forEach((amount, colour) => {
      const tall = amount * scale;
      if (tall <= 0) return;
      y -= tall;
      group.append(shape("rect", { x, y, width: wide, height: Math.max(tall, 0.5), class: `s${colour}` }));
    });
    svg.append(group);
    if (index % every === 0) svg.append(shape("text", { x: x + wide / 2, y: HEIGHT - 6, "text-anchor": "middle" }, date.slice(5)));
  });
}

function legend(names, more) {
  const list = node("ul", null, { class: "legend" });
  [...names, ...(more ? ["others"] : [])].forEach((name, index) => {
    const item = node("li");
    const mark = shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
    mark.append(shape("rect", { width: 10, height: 10, rx: 2, class: `s${Math.min(index, COLOURS)}` }));
    item.append(mark, name || "not said");
    list.append(item);
  });
  return list;
}

// The days that end today in a zone, as the API counts them.
export function lastDays(days, tz) {
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: tz, dateStyle: "short" }).format(new Date());
  const last = Date.parse(`${today}T00:00:00Z`);
  return Array.from({ length: days }, (_, index) => new Date(last - (days - 1 - index) * 86_400_000).toISOString().slice(0, 10));
}
