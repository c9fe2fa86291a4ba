// The page: asks the API with the token of this tab and draws what it answers. Figures are read, never computed from
// floats where the API has the exact one; sums shown here are of what is on the page.

const PREFIX = "/api/v1/finops";
const EVERY_MS = 10_000;
const COLOURS = 5;
const TOKEN = "finops-token";
const byId = (id) => document.getElementById(id);

function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(TOKEN) ?? ""}` };
  const answer = await fetch(PREFIX + path, { headers, cache: "no-store" });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem.detail ?? answer.statusText);
  }
  return answer.json();
}

const dollars = (amount) => {
  if (amount === null || amount === undefined) return "unknown";
  const size = Math.abs(amount);
  const digits = size === 0 || size >= 1 ? 2 : Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(size))));
  return new Intl.NumberFormat("en-US", {
    style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits,
  }).format(amount);
};
const count = (number) => new Intl.NumberFormat("en-US").format(number);
const instant = (text) => new Date(text).toLocaleTimeString();

function node(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const NUMERIC = new Set(["money", "count", "ratio", "share"]);
const WRITE = {
  text: (value) => node("td", value ?? "–"),
  time: (value) => node("td", value ? instant(value) : "–"),
  word: (value) => node("td", value, value),
  count: (value) => node("td", count(value), "n"),
  ratio: (value) => node("td", value === null ? "–" : `${value.toFixed(1)}×`, "n"),
  money: (value) => {
    const cell = node("td", dollars(value), value === null ? "n unknown" : "n");
    if (value !== null) cell.title = `${value} USD`;
    return cell;
  },
  normal: (value) => node("td", value === null ? "–" : dollars(value), "n"),
  share: (value) => {
    const cell = node("td", null, "n");
    if (value === null) return node("td", "–", "n");
    const meter = node("meter");
    meter.value = value;
    meter.setAttribute("aria-hidden", "true");
    cell.append(meter, `${(value * 100).toFixed(1)} %`);
    return cell;
  },
};

function table(id, given, rows, none) {
  const organisations = new Set(rows.map((row) => row.orgId));
  const columns = organisations.size > 1 ? given.toSpliced(1, 0, ["Organisation", "orgId", "text"]) : given;
  const target = byId(id);
  target.querySelectorAll("thead, tbody").forEach((part) => part.remove());
  if (!rows.length) {
    const cell = node("td", none, "none");
    const body = node("tbody");
    body.append(node("tr"));
    body.firstChild.append(cell);
    target.append(body);
    return;
  }
  const head = node("tr");
  for (const [title, , kind] of columns) {
    const cell = node("th", title, NUMERIC.has(kind) || kind === "normal" ? "n" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = node("tbody");
  for (const row of rows) {
    const line = node("tr");
    columns.forEach(([, name, kind], place) => {
      if (place === 0) {
        const cell = node("th", row[name] ?? "–");
        cell.scope = "row";
        cell.title = row[name] ?? "";
        line.append(cell);
      } else line.append(WRITE[kind](row[name]));
    });
    body.append(line);
  }
  const top = node("thead");
  top.append(head);
  target.append(top, body);
}

const TOTALS = [
  ["Calls", "calls", "count"], ["Input", "inputTokens", "count"], ["Cached", "cachedInputTokens", "count"],
  ["Output", "outputTokens", "count"], ["Cost", "costUsd", "money"],
];
const TABLES = {
  agents: [["Agent", "agentId", "text"], ...TOTALS, ["Share", "shareOfCost", "share"]],
  models: [["Model", "modelId", "text"], ["Provider", "provider", "text"], ...TOTALS, ["Share", "shareOfCost", "share"]],
  trend: [["Day", "date", "text"], ["Agent", "agentId", "text"], ...TOTALS],
  burn: [
    ["Session", "sessionId", "text"], ["Agent", "agentId", "text"], ["Per hour", "burnRateUsdPerHour", "money"],
    ["Normal", "baselineUsdPerHour", "normal"], ["In window", "spendUsd", "money"], ["Calls", "calls", "count"],
    ["Last call", "lastSeenAt", "time"],
  ],
  anomalies: [
    ["Session", "sessionId", "text"], ["Agent", "agentId", "text"], ["Severity", "severity", "word"],
    ["Per hour", "burnRateUsdPerHour", "money"], ["Normal", "baselineUsdPerHour", "normal"],
    ["Ratio", "anomalyRatio", "ratio"], ["Since", "openedAt", "time"],
  ],
  unpriced: [
    ["Model", "modelId", "text"], ["Provider", "provider", "text"], ["Calls", "calls", "count"],
    ["Input", "inputTokens", "count"], ["Output", "outputTokens", "count"], ["What helps", "fix", "text"],
  ],
};

const SVG = "http://www.w3.org/2000/svg";
function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function daysBetween(first, last) {
  const days = [];
  for (let day = new Date(`${first}T00:00:00Z`); days.length < 100; day = new Date(day.getTime() + 86_400_000)) {
    days.push(day.toISOString().slice(0, 10));
    if (days.at(-1) >= last) break;
  }
  return days;
}

function chart(trends, agents, days) {
  const named = agents.filter((row) => row.costUsd > 0).slice(0, COLOURS).map((row) => row.agentId);
  const names = [...new Set(named)];
  const place = (agent) => (names.includes(agent) ? names.indexOf(agent) : COLOURS);
  const today = new Date().toISOString().slice(0, 10);
  const first = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
  const dates = daysBetween(first, today);
  const sums = new Map(dates.map((date) => [date, new Array(COLOURS + 1).fill(0)]));
  for (const row of trends) if (sums.has(row.date)) sums.get(row.date)[place(row.agentId)] += row.costUsd ?? 0;
  const highest = Math.max(...[...sums.values()].map((parts) => parts.reduce((a, b) => a + b, 0)), 1e-12);
  const [width, height, left, top, bottom] = [960, 220, 76, 10, 24];
  const scale = (height - top - bottom) / highest;
  const title = `Spend by day over ${days} days; the dearest day cost ${dollars(highest)}.`;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  for (const part of [0, 0.5, 1]) {
    const y = height - bottom - part * highest * scale;
    svg.append(shape("line", { x1: left, x2: width, y1: y, y2: y, class: "grid" }));
    svg.append(shape("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, part ? dollars(part * highest) : "$0"));
  }
  const step = (width - left) / dates.length;
  const bar = Math.min(step * 0.72, 64);
  const every = Math.ceil(dates.length / 12);
  dates.forEach((date, index) => {
    const x = left + step * index + (step - bar) / 2;
    let y = height - bottom;
    const group = shape("g", {});
    const parts = sums.get(date);
    group.append(shape("title", {}, `${date}: ${dollars(parts.reduce((a, b) => a + b, 0))}`));
    parts.forEach((amount, colour) => {
      const tall = amount * scale;
      if (tall <= 0) return;
      y -= tall;
      group.append(shape("rect", { x, y, width: bar, height: Math.max(tall, 0.5), class: `s${colour}` }));
    });
    svg.append(group);
    if (index % every === 0) {
      svg.append(shape("text", { x: x + bar / 2, y: height - 6, "text-anchor": "middle" }, date.slice(5)));
    }
  });
  byId("chart").replaceChildren(svg);
  const others = agents.some((row) => row.costUsd > 0 && !names.includes(row.agentId)) ? ["others"] : [];
  byId("legend").replaceChildren(...[...names, ...others].map((name, index) => {
    const item = node("li");
    const mark = shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
    mark.append(shape("rect", { width: 10, height: 10, rx: 2, class: `s${name === "others" && others.length ? (index < names.length ? index : COLOURS) : index}` }));
    item.append(mark, name);
    return item;
  }));
}

function tiles(coverage, burn, anomalies, roi) {
  byId("spend").textContent = dollars(coverage.costUsd);
  byId("spend").title = coverage.costUsd === null ? "" : `${coverage.costUsd} USD`;
  byId("spend-sub").textContent = `${count(coverage.calls)} calls`;
  const rate = burn.reduce((sum, row) => sum + (row.burnRateUsdPerHour ?? 0), 0);
  byId("burning").textContent = `${dollars(rate)}/h`;
  byId("burning-sub").textContent = `${count(burn.length)} active sessions`;
  byId("anomaly-count").textContent = count(anomalies.length);
  byId("anomaly-sub").textContent = anomalies.length ? `worst ${anomalies[0].anomalyRatio.toFixed(1)}× its baseline` : "nothing unusual";
  byId("anomaly-tile").classList.toggle("alarm", anomalies.length > 0);
  byId("unpriced").textContent = count(coverage.unpricedCalls);
  byId("unpriced-sub").textContent = coverage.unpricedCalls ? "not part of the spend" : "every call has a price";
  byId("unpriced-tile").classList.toggle("doubt", coverage.unpricedCalls > 0);
  byId("saved").textContent = dollars(roi.cacheSavingsUsd);
  byId("saved-sub").textContent = `${dollars(roi.netRoiUsd)} net of embeddings`;
}

function notice(title, text, { token = false, lines = "" } = {}) {
  byId("notice").hidden = false;
  byId("notice-title").textContent = title;
  byId("notice-text").textContent = text;
  byId("token-form").hidden = !token;
  byId("notice-lines").hidden = !lines;
  byId("notice-lines").textContent = lines;
}

function otlpEndpoint() {
  const [, host, port] = document.querySelector('meta[name="otlp-grpc"]').content.match(/^(.*):(\d+)$/);
  const here = /^(127\.|0\.0\.0\.0|localhost|\[::1?\])/.test(host);
  return `http://${here ? location.hostname : host}:${port}`;
}

function emptyNotice() {
  const lines = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${otlpEndpoint()}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    "export OTEL_SERVICE_NAME=my-agent",
  ];
  notice("No calls yet", "Start an agent with these lines in its environment; it appears here within seconds.", { lines: lines.join("\n") });
}

function show(days, [trends, agents, models, burn, anomalies, coverage, roi]) {
  const empty = !coverage.calls && !agents.length && !burn.length;
  byId("figures").hidden = empty;
  if (empty) return emptyNotice();
  byId("notice").hidden = true;
  tiles(coverage, burn, anomalies, roi);
  chart(trends, agents, days);
  table("trend", TABLES.trend, trends, "Nothing was spent in this period.");
  table("agents", TABLES.agents, agents, "Nothing was spent in this period.");
  table("models", TABLES.models, models, "Nothing was spent in this period.");
  table("burn", TABLES.burn, burn.slice(0, 50), "No session is active.");
  table("anomalies", TABLES.anomalies, anomalies, "");
  byId("anomalies-panel").hidden = !anomalies.length;
  table("unpriced-models", TABLES.unpriced, coverage.unpricedModels, "");
  byId("unpriced-panel").hidden = !coverage.unpricedModels.length;
}

let timer;
async function refresh() {
  clearTimeout(timer);
  const days = Number(byId("days").value);
  const paths = [
    `/trends?days=${days}`, `/allocations?days=${days}`, `/allocations/by-model?days=${days}`, "/burn-rates/active",
    "/anomalies/active", `/coverage?days=${days}`, `/roi-stats?days=${days}`,
  ];
  try {
    show(days, await Promise.all(paths.map(ask)));
    byId("freshness").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (fault) {
    if (fault instanceof Refused && (fault.status === 401 || fault.status === 403)) {
      byId("figures").hidden = true;
      const said = sessionStorage.getItem(TOKEN) ? `The API answered: ${fault.message}.` : "";
      const text = `${said} Open the page's address as agent-finops printed it, or enter what "agent-finops token show" prints.`;
      return notice("This page needs a token", text, { token: true });
    }
    byId("freshness").textContent = `not reachable since ${new Date().toLocaleTimeString()}; trying again`;
  }
  timer = setTimeout(refresh, EVERY_MS);
}

byId("days").addEventListener("change", refresh);
byId("period").addEventListener("submit", (event) => event.preventDefault());
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  refresh();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
byId("openapi").addEventListener("click", async (event) => {
  event.preventDefault();
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(TOKEN) ?? ""}` };
  const answer = await fetch("/openapi.json", { headers });
  if (answer.ok) location.assign(URL.createObjectURL(await answer.blob()));
});
takeTokenFromAddress();
addEventListener("hashchange", () => { takeTokenFromAddress(); refresh(); });
refresh();
