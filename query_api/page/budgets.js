// Budgets and their pace: how much is spent, and how much of the period is over.

import { ask } from "./api.js";
import { bar, count, dollars, instant, node, panel, table } from "./parts.js";

export function budgets() {
  return { title: "Budgets", panels: [panel("Budgets", async () => list((await ask("/budgets?limit=200")).items), { id: "budgets" })] };
}

function elapsed(status) {
  if (!status.periodStart || !status.periodEnd) return null;
  const [start, end] = [Date.parse(status.periodStart), Date.parse(status.periodEnd)];
  return Math.max(0, Math.min(1, (Date.now() - start) / (end - start)));
}

const FORECAST = { ok: "lasts", exceeded: "spent already", insufficientHistory: "too early to say", unknown: "not known", rollingWindow: "rolling window" };

function scopeOf(budget) {
  const parts = Object.entries(budget.scope ?? {}).filter(([, values]) => values !== null && values.length).map(([name, values]) => `${name} ${[values].flat().map((one) => one || "not said").join(" or ")}`);
  return parts.join(", ") || "everything";
}

function pace(status) {
  const cell = node("span", null, { class: "pace" });
  if (status.percentUsed !== null) cell.append(bar(status.percentUsed / 100, elapsed(status), status.state));
  const over = elapsed(status);
  cell.append(` ${status.percentUsed === null ? "unknown" : `${status.percentUsed.toFixed(0)} %`}${over === null ? "" : ` spent, ${(over * 100).toFixed(0)} % of the period over`}`);
  return cell;
}

const columns = (first) => [
  first, ["State", (row) => row.status.state, "word"], ["Pace", (row) => pace(row.status), "text"], ["Spent", (row) => row.status.spentUsd, "money"],
  ["Limit", (row) => row.status.limitUsd, "money"], ["Left", (row) => row.status.remainingUsd, "money"], ["Calls of unknown cost", (row) => row.status.unpricedCalls, "count"],
  ["Forecast", (row) => (row.status.forecast?.exhaustsAt ? `spent by ${instant(row.status.forecast.exhaustsAt)}` : FORECAST[row.status.forecast?.status] ?? "–"), "text"],
];

function list(rows) {
  if (!rows.length) {
    return [
      node("p", "No budget yet. One is made by POST /api/v1/finops/budgets, as in:", { class: "none" }),
      node("pre", '{"name": "all agents", "limitUsd": 250, "period": "month", "tz": "Europe/Berlin"}', { tabindex: "0", "aria-label": "Example of a budget" }),
    ];
  }
  const made = [table("Budgets", [...columns(["Budget", "name", "text"]), ["Period", (row) => `${row.period} (${row.tz})`, "text"], ["Scope", scopeOf, "text"]], rows, "")];
  for (const row of rows.filter((one) => one.each)) {
    const details = node("details");
    details.append(node("summary", `${row.name}: ${count(row.memberCount)} members, each by ${row.each}`));
    details.addEventListener("toggle", async () => {
      if (!details.open || details.querySelector("table")) return;
      const whole = await ask(`/budgets/${encodeURIComponent(row.budgetId)}`);
      details.append(table(`Members of ${row.name}`, columns(["Member", (member) => member.status.member || "not said", "text"]), whole.members.map((status) => ({ status })), "No member has spent anything."));
    }, { once: false });
    made.push(details);
  }
  return made;
}
