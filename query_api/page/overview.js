// The first view: what was spent, on what, who burns now, what caching saved, and what is not known. Spend is asked for
// once, so that all of its figures are as of one instant and add up; what is at the bottom is asked for after it.

import { ask } from "./api.js";
import { parameters } from "./address.js";
import { lastDays, stackedDays } from "./chart.js";
import { bar, count, dollars, first, folded, link, node, panel, percent, table, totals } from "./parts.js";

const STACKS = { agent: "Agent", model: "Model", org: "Organisation" };

export function overview(asked) {
  const period = { days: asked.days, tz: asked.tz };
  const stack = STACKS[asked.stack] ? asked.stack : "agent";
  const spent = ask(`/overview${parameters(asked, { ...period, by: stack })}`);
  const burn = ask(`/burn-rates/active${parameters(asked, { limit: 1000 })}`); // the tile and the panel say the same
  const odd = ask(`/anomalies/active${parameters(asked)}`);
  const arrived = spent.catch((fault) => {
    if (fault.isAboutTheToken) throw fault;
  }).then(() => ask(`/coverage${parameters(asked, period, ["orgId"])}`));
  const panels = [
    tiles(spent, burn, odd),
    panel("Spend by day", async () => trend(asked, stack, await spent), { id: "trend" }),
    panel("Anomalies", async () => anomalies(await odd), { id: "anomalies" }),
    panel("Burning now", async () => fastest(await burn), { id: "burn" }),
    panel("Cost by agent", async () => byAgent((await spent).byAgent), { id: "agents" }),
    panel("Cost by model", async () => byModel((await spent).byModel), { id: "models" }),
    panel("Cost by organisation", async () => byOrganisation((await spent).byOrg), { id: "organisations" }),
    panel("Caching", async () => caching(await spent), { id: "caching", narrow: true }),
    panel("How much of it is known", async () => coverage(await arrived), { id: "coverage", narrow: true }),
  ];
  return { title: "What the agents spend", panels, empty: spent.then(isEmpty) };
}

const isEmpty = ({ ninetyDays: all }) => !all.calls && !all.agentRuns && !all.toolCalls;

function tiles(spent, burning, odd) {
  const section = node("dl", null, { class: "tiles" });
  const tile = (title) => {
    const box = node("div");
    const [value, sub] = [node("dd", "…"), node("dd", "", { class: "sub" })];
    box.append(node("dt", title), value, sub);
    section.append(box);
    return (text, more, exact, mood) => {
      value.textContent = text;
      value.title = exact ?? "";
      sub.textContent = more ?? "";
      if (mood) box.className = mood;
    };
  };
  const [today, month, forecast, burn, anomaly, unpriced] =
    ["Today", "This month", "Forecast for the month", "Burning now", "Anomalies", "Calls without a price"].map(tile);
  const spend = (write, sums) => write(dollars(sums.costUsd), known(sums), `${sums.costUsd} USD`);
  const done = Promise.all([
    told(today, spent.then((answer) => spend(today, answer.today))),
    told(month, spent.then((answer) => spend(month, answer.month))),
    told(unpriced, spent.then(({ month: { unpricedCalls: missing } }) => unpriced(
      count(missing), missing ? "this month, not part of the spend" : "every call of this month has one", "", missing ? "doubt" : "",
    ))),
    told(forecast, spent.then(({ forecast: one }) => forecast(
      one.forecastUsd === null ? "too early" : dollars(one.forecastUsd),
      one.forecastUsd === null ? `needs seven whole days, has ${one.historyDays}` : `estimate: ${dollars(one.lowUsd)} to ${dollars(one.highUsd)}`,
    ))),
    told(burn, burning.then((rows) => burn(
      `${dollars(rows.reduce((sum, row) => sum + (row.burnRateUsdPerHour ?? 0), 0))}/h`, `${count(rows.length)} active sessions`,
    ))),
    told(anomaly, odd.then((rows) => anomaly(
      count(rows.length), rows.length ? worst(rows[0]) : "nothing unusual", "", rows.length ? "alarm" : "",
    ))),
  ]);
  return { section, done };
}

// A tile whose figure cannot be had says so; a token that is refused is the whole page's business.
const told = (write, answer) => answer.catch((fault) => {
  if (fault.isAboutTheToken || !("status" in fault)) throw fault;
  write("–", fault.message);
});
const worst = (row) => (row.anomalyRatio === null ? `${row.agentId}: a dear call` : `${row.agentId}: ${row.anomalyRatio.toFixed(1)}× its baseline`);
const known = (totals) => (totals.unpricedCalls ? `${count(totals.calls)} calls, ${count(totals.unpricedCalls)} of unknown cost` : `${count(totals.calls)} calls`);

function trend(asked, stack, { days, names }) {
  const title = STACKS[stack];
  const dates = lastDays(Number(asked.days), asked.tz);
  const points = days.map((row) => ({ date: row.date, name: row.name, amount: row.costUsd }));
  const dear = names.filter((name) => points.some((one) => one.name === name && one.amount > 0));
  const more = points.some((one) => one.name === null && one.amount > 0);
  const choice = node("p", "Stacked by ", { class: "choice" });
  for (const name of Object.keys(STACKS)) {
    const made = link(name === "org" ? "organisation" : name, { view: "", stack: name });
    if (name === stack) made.setAttribute("aria-current", "true");
    choice.append(made, " ");
  }
  const columns = [["Day", "date", "text"], [title, (row) => (row.others ? "others" : row.name), "text"], ...totals(days)];
  const details = folded("The same as a table", () => table(`Spend by day and ${title.toLowerCase()}`, columns, days, "Nothing was spent in this period."));
  return [choice, ...stackedDays(points, dear, dates, more), details];
}

const unlessOne = (rows) => (new Set(rows.map((row) => row.orgId)).size > 1 ? [["Organisation", "orgId", "text"]] : []);

function byAgent(rows) {
  const agent = ["Agent", (row) => link(row.agentId ?? "–", { view: "", agentId: row.agentId }), "text"];
  return first("agents", "Cost by agent", [agent, ...unlessOne(rows), ...totals(rows), ["Runs", "agentRuns", "count"], ["Tool calls", "toolCalls", "count"], ["Share", "shareOfCost", "share"]], rows, "Nothing was spent in this period.");
}

function byModel(rows) {
  const model = ["Model", (row) => link(row.modelId ?? "–", { view: "", modelId: row.modelId }), "text"];
  return first("models", "Cost by model", [model, ["Provider", "provider", "text"], ...totals(rows), ["Share", "shareOfCost", "share"]], rows, "Nothing was spent in this period.");
}

function byOrganisation(rows) {
  const org = ["Organisation", (row) => link(row.orgId ?? "–", { view: "", orgId: row.orgId }), "text"];
  return first("organisations", "Cost by organisation", [org, ...totals(rows), ["Share", "shareOfCost", "share"]], rows, "Nothing was spent in this period.");
}

function fastest(rows) {
  const all = node("p");
  all.append(link(`All ${count(rows.length)} active sessions`, { view: "sessions" }));
  return [burning(rows.slice(0, 10)), rows.length > 10 ? all : null];
}

export function burning(rows) {
  return table("Burn rates of active sessions, the fastest first", [
    ["Session", (row) => link(row.sessionId, { view: "session", id: row.sessionId }), "text"], ["Agent", "agentId", "text"],
    ...unlessOne(rows), ["Per hour", "burnRateUsdPerHour", "money"], ["Normal", "baselineUsdPerHour", "normal"],
    ["In window", "spendUsd", "money"], ["Calls", "calls", "count"], ["Last call", "lastSeenAt", "time"],
  ], rows, "No session is active.");
}

export function anomalies(rows) {
  return table("Sessions that burn abnormally, the worst first", [
    ["Session", (row) => link(row.sessionId, { view: "session", id: row.sessionId }), "text"], ["Agent", "agentId", "text"],
    ["Severity", "severity", "word"], ["Per hour", "burnRateUsdPerHour", "money"], ["Normal", "baselineUsdPerHour", "normal"],
    ["Ratio", "anomalyRatio", "ratio"], ["Since", "openedAt", "time"],
  ], rows, "Nothing unusual. An agent needs a baseline (PUT /baselines/{agentId}) to be judged by.");
}

function caching({ roiStats: roi, cacheImpact: impact }) {
  const facts = node("dl", null, { class: "facts" });
  for (const [title, value] of [
    ["Saved by the agents' own answer cache", roi.semanticCacheSavingsUsd], ["Saved by the providers' prompt caches", roi.promptCacheSavingsUsd],
    ["Spent on embeddings", roi.embeddingCostUsd], ["Net", roi.netRoiUsd],
  ]) facts.append(node("dt", title), node("dd", dollars(value), { title: `${value} USD` }));
  const details = folded("By day", () => table("Caching by day", [
    ["Day", (row) => row.bucketStart.slice(0, 10), "text"], ["Hits", "cacheHits", "count"], ["Hit ratio", "hitRatio", "share"], ["Saved tokens", "savedTokens", "count"],
    ["Answer cache", "semanticCacheSavingsUsd", "money"], ["Prompt cache", "promptCacheSavingsUsd", "money"], ["Embeddings", "embeddingCostUsd", "money"], ["Net", "netUsd", "money"],
  ], impact, "No call in this period."));
  return [facts, details];
}

export function coverage(answer) {
  const { spans, money } = answer;
  const rows = [["Billed", spans.billed, money.billedUsd], ["Duplicate", spans.duplicate, money.duplicateUsd], ["Ignored", spans.ignored, money.ignoredUsd], ["In suspense", spans.suspense, money.suspenseUsd], ["Received", spans.received, money.receivedUsd]];
  const priced = answer.calls ? 1 - answer.unpricedCalls / answer.calls : null;
  const line = node("p", null, { class: "known" });
  if (priced !== null) line.append(bar(priced), ` ${percent(priced)} of ${count(answer.calls)} calls have a price.`);
  const parts = [line, table("What became of every span that arrived", [["Spans", (row) => row[0], "text"], ["Number", (row) => row[1], "count"], ["As a naive sum would count them", (row) => row[2] ?? null, "money"]], rows, "")];
  if (answer.unpricedModels.length) {
    const help = node("p");
    help.append(link("Set a rate for what has no price", { view: "prices" }));
    parts.push(help);
  }
  return parts;
}

