// One session or one trace, down to the arithmetic of each call and the verdict on each span.

import { ask } from "./api.js";
import { parameters } from "./address.js";
import { anomalies, burning } from "./overview.js";
import { count, dollars, instant, link, node, panel, table } from "./parts.js";

export function sessions(asked) {
  const recent = parameters(asked, { groupBy: "session,agent", window: `${Math.min(Number(asked.days), 7)}d`, tz: asked.tz, limit: 50 });
  return {
    title: "Sessions",
    panels: [
      panel("Anomalies", async () => anomalies(await ask(`/anomalies/active${parameters(asked)}`)), { id: "anomalies" }),
      panel("Active now", async () => burning(await ask(`/burn-rates/active${parameters(asked, { limit: 100 })}`)), { id: "burn" }),
      panel("The dearest", async () => dearest(await ask(`/costs${recent}`)), { id: "dearest" }),
      panel("Past anomalies", async () => past((await ask(`/anomalies${parameters(asked, { limit: 20 }, ["agentId", "orgId"])}`)).items), { id: "past" }),
    ],
  };
}

function dearest(answer) {
  return table("Sessions by cost", [
    ["Session", (row) => link(row.sessionId ?? "–", { view: "session", id: row.sessionId }), "text"], ["Agent", "agentId", "text"],
    ["Calls", "calls", "count"], ["Input", "inputTokens", "count"], ["Output", "outputTokens", "count"], ["Cost", "costUsd", "money"], ["Share", "shareOfCost", "share"],
  ], answer.items, "No session in this period.");
}

function past(rows) {
  return table("Anomalies, the newest first", [
    ["Session", (row) => link(row.sessionId, { view: "session", id: row.sessionId }), "text"], ["Agent", "agentId", "text"], ["Severity", "severity", "word"],
    ["Rule", "rule", "text"], ["Peak ratio", "peakRatio", "ratio"], ["Opened", "openedAt", "time"], ["Closed", "closedAt", "time"],
  ], rows, "None so far.");
}

export function session(asked) {
  return drilled(asked, "Session", `/sessions/${encodeURIComponent(asked.id)}${parameters(asked, {}, ["orgId"])}`);
}

export function trace(asked) {
  return drilled(asked, "Trace", `/traces/${encodeURIComponent(asked.id)}${parameters(asked, {}, ["orgId"])}`);
}

function drilled(asked, kind, path) {
  const answer = ask(path);
  return {
    title: `${kind} ${asked.id}`,
    panels: [
      panel("In all", async () => sums(await answer), { id: "totals" }),
      panel("Calls, and how each came to its price", async () => (await answer).items.map((call) => priced(call, kind)), { id: "calls" }),
      panel("Every span, and why it bills or not", async () => spans((await answer).spans), { id: "spans" }),
    ],
  };
}

function sums(answer) {
  const facts = node("dl", null, { class: "facts" });
  for (const [title, text] of [
    ["Cost", dollars(answer.costUsd)], ["Calls", count(answer.calls)], ["Without a price", count(answer.unpricedCalls)], ["Input tokens", count(answer.inputTokens)],
    ["of them cached", count(answer.cachedInputTokens)], ["Output tokens", count(answer.outputTokens)], ["Agent runs", count(answer.agentRuns)], ["Tool calls", count(answer.toolCalls)],
  ]) facts.append(node("dt", title), node("dd", text));
  return [facts, answer.truncated ? node("p", "There is more than is shown.", { class: "unknown" }) : null];
}

function priced(call, kind) {
  const box = node("details");
  const what = call.modelId ?? call.requestModel ?? call.operation ?? "call";
  box.append(node("summary", `${instant(call.at)} · ${call.agentId ?? "unknown"} · ${what} · ${call.calls || call.cacheHits ? dollars(call.costUsd) : call.toolCalls ? "tool call" : "agent run"}`));
  if (call.lines.length) {
    box.append(table("How the price was made", [
      ["Kind", "kind", "text"], ["Tokens", "tokens", "count"], ["USD per thousand", (line) => line.ratePerKTokens ?? line.ratePerK, "money"], ["Cost", "costUsd", "money"], ["Arithmetic", "arithmetic", "text"],
    ], call.lines, ""));
  }
  const rate = call.rateSource ? `Rate: ${call.rateSource}, version ${call.rateVersion}, matched by ${call.matchRule}, tier ${call.tier}.` : "";
  const why = call.unpricedReason ? `No price: ${call.unpricedReason}.` : "";
  const flags = call.flags?.length ? `Flags: ${call.flags.join(", ")}.` : "";
  const reported = call.reportedCostUsd !== null ? `The sender says ${dollars(call.reportedCostUsd)}.` : "";
  const said = [rate, why, flags, reported].filter(Boolean).join(" ");
  if (said) box.append(node("p", said));
  if (kind !== "Trace") {
    const more = node("p");
    more.append(link("The whole trace", { view: "trace", id: call.traceId }));
    box.append(more);
  }
  return box;
}

function spans(rows) {
  return table("Spans with their verdicts", [
    ["Span", (row) => row.name || row.spanId, "text"], ["Class", "class", "text"], ["Verdict", "verdict", "word"], ["Reason", "reason", "text"],
    ["Input", "inputTokens", "count"], ["Output", "outputTokens", "count"], ["At", "at", "time"],
  ], rows, "No span is kept any more.");
}
