// What fired and who was told.

import { ask } from "./api.js";
import { parameters } from "./address.js";
import { node, panel, table } from "./parts.js";

export function alerts(asked) {
  const firing = parameters(asked, { state: "firing", limit: 50 }, ["agentId", "orgId"]);
  const over = parameters(asked, { state: "resolved", limit: 50 }, ["agentId", "orgId"]);
  const org = parameters(asked, {}, ["orgId"]);
  return {
    title: "Alerts",
    panels: [
      panel("Firing", async () => list("Alerts that are firing", (await ask(`/alerts${firing}`)).items, "Nothing is firing."), { id: "firing" }),
      panel("Over", async () => list("Alerts that are over", (await ask(`/alerts${over}`)).items, "Nothing has fired yet."), { id: "over" }),
      panel("Who is told", async () => destinations(await ask(`/alert-destinations${org}`)), { id: "destinations" }),
      panel("Silences", async () => silences(await ask(`/alert-silences${org}`)), { id: "silences" }),
    ],
  };
}

const told = (alert) => alert.deliveries.map((one) => `${one.destination}: ${one.event} ${one.state}`).join("; ") || "nobody";

function list(caption, rows, none) {
  return table(caption, [
    ["Alert", "title", "text"], ["Severity", "severity", "word"], ["Kind", "kind", "text"], ["Agent", "agentId", "text"], ["Fired", "firedAt", "time"],
    ["Over", "resolvedAt", "time"], ["What", "summary", "text"], ["Told", told, "text"],
  ], rows, none);
}

function destinations(rows) {
  const test = (row) => {
    const box = node("span");
    const [button, answer] = [node("button", "Test", { type: "button", "aria-label": `Send a test to ${row.name}` }), node("span", "", { role: "status" })];
    button.addEventListener("click", async () => {
      answer.textContent = " …";
      const said = await ask(`/alert-destinations/${row.destinationId}/test`, { method: "POST" }).catch((fault) => ({ fault: fault.message }));
      answer.textContent = said.delivered ? " delivered" : ` failed: ${said.fault ?? said.status}`;
    });
    box.append(button, answer);
    return box;
  };
  return table("Destinations of alerts", [
    ["Name", "name", "text"], ["Kind", "kind", "text"], ["Target", "target", "text"], ["Waiting", "waiting", "count"], ["Given up", "dead", "count"],
    ["Last delivered", "lastDeliveredAt", "time"], ["Last fault", "lastFault", "text"], ["Test", test, "text"],
  ], rows, "Nobody is told yet. POST /api/v1/finops/alert-destinations adds a webhook, Slack, PagerDuty or Alertmanager.");
}

function silences(rows) {
  return table("Silences", [
    ["What", (row) => Object.entries(row.matchers).map(([name, values]) => `${name} ${[values].flat().join(" or ")}`).join(", ") || "everything", "text"],
    ["Until", "endsAt", "time"], ["Why", "comment", "text"], ["By", "createdBy", "text"],
  ], rows, "None.");
}

