// What has no price, and a rate for it: looked at before it is saved. Below, the rates in force.

import { ask } from "./api.js";
import { parameters } from "./address.js";
import { count, dollars, node, panel, table } from "./parts.js";

const RATES = [
  ["inputRatePerKTokens", "Input", true], ["outputRatePerKTokens", "Output", true],
  ["cachedInputRatePerKTokens", "Cached input (as input, if empty)", false], ["reasoningRatePerKTokens", "Reasoning (as output, if empty)", false],
];

export function prices(asked) {
  const arrived = parameters(asked, { days: asked.days, tz: asked.tz }, ["orgId"]);
  return {
    title: "Prices",
    panels: [
      panel("Without a price", async () => unpriced(await ask(`/coverage${arrived}`)), { id: "unpriced" }),
      panel("Rates in use, in USD per thousand tokens", async () => rates(await ask(`/valuation-rates?inUse=true`)), { id: "rates" }),
    ],
  };
}

function unpriced(answer) {
  const place = node("div");
  const button = (row) => {
    const made = node("button", "Set a rate", { type: "button", "aria-label": `Set a rate for ${row.modelId ?? "calls without a model"}` });
    made.disabled = !row.modelId;
    made.addEventListener("click", () => {
      place.replaceChildren(form(row));
      place.querySelector("input").focus();
    });
    return made;
  };
  return [
    table("Models without a price", [
      ["Model", "modelId", "text"], ["Provider", "provider", "text"], ["Calls", "calls", "count"], ["Input", "inputTokens", "count"],
      ["Output", "outputTokens", "count"], ["What helps", "fix", "text"], ["A rate", button, "text"],
    ], answer.unpricedModels, "Every call of this period has a price, or states no usage."),
    place,
  ];
}

function form(row) {
  const made = node("form", null, { class: "rate", "aria-label": `Rate for ${row.modelId}` });
  made.append(node("h3", `Rate for ${row.modelId}, in USD per thousand tokens`));
  for (const [name, title, required] of RATES) {
    const field = node("span", null, { class: "field" });
    const input = node("input", null, { id: name, name, inputmode: "decimal", autocomplete: "off", pattern: "[0-9]*[.]?[0-9]+", title: "a decimal number, such as 0.0025", size: "9" });
    input.required = required;
    field.append(node("label", title, { for: name }), input);
    made.append(field);
  }
  const answer = node("div", null, { role: "status" });
  let only = {};
  const [preview, save] = [node("button", "Preview", { type: "submit", name: "step", value: "preview" }), node("button", "Save this rate", { type: "button" })];
  save.hidden = true;
  made.append(preview, save, answer);
  made.addEventListener("input", () => { save.hidden = true; });
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(answer, async () => {
      only = await unchanged(row);
      answer.replaceChildren(...previewed(await ask("/valuation-rates/reprice", { method: "POST", body: question(made, row) })));
      save.hidden = false;
    });
  });
  save.addEventListener("click", () => attempt(answer, async () => {
    const stored = await ask("/valuation-rates", { method: "PUT", only, body: { ...stated(made, row), ...(save.dataset.confirm ? { confirm: true } : {}) } });
    save.hidden = true;
    answer.replaceChildren(node("p", `Saved as version ${stored.version}. ${count(stored.repricedCalls)} calls have a price now${stored.pendingCalls ? `, ${count(stored.pendingCalls)} more follow` : ""}.`));
  }, save));
  return made;
}

// The condition that nobody has stated another rate under these names since they were looked at.
async function unchanged(row) {
  const { items } = await ask(`/valuation-rates/history?modelId=${encodeURIComponent(row.modelId)}&limit=1000`);
  const newest = items.find((one) => one.orgId === null && one.source === "operator" && (one.provider ?? null) === (row.provider ?? null));
  return newest && !newest.ended ? { "If-Match": `"${newest.version}"` } : { "If-None-Match": "*" };
}

// Numbers go as they were typed: JSON text is made by hand where a float would round, here they are short enough.
function stated(made, row) {
  const body = { modelId: row.modelId, reason: "set on the page" };
  if (row.provider) body.provider = row.provider;
  for (const [name] of RATES) if (made.elements[name].value) body[name] = Number(made.elements[name].value);
  return body;
}

function question(made, row) {
  const from = new Date(Date.now() - 90 * 86_400_000).toISOString();
  const { reason, ...rate } = stated(made, row);
  return { from, modelId: row.modelId, priceSource: { rates: [rate] }, apply: false };
}

function previewed(answer) {
  return [
    node("p", `Nothing is changed yet. Of ${count(answer.calls)} calls of the last 90 days, ${count(answer.callsTouched)} would change: ${dollars(answer.beforeUsd)} before, ${dollars(answer.afterUsd)} after; ${count(answer.unpricedCallsAfter)} would still have no price.`),
  ];
}

async function attempt(answer, step, save) {
  try {
    await step();
  } catch (fault) {
    const lines = fault.status === 412 ? ["Somebody else has set a rate for this model since the preview. Nothing was changed: preview again, then save."] : fault.faults?.length ? fault.faults.map((one) => `${one.field}: ${one.detail}`) : [fault.message];
    answer.replaceChildren(...lines.map((text) => node("p", text, { class: "unknown" })));
    if (save && fault.status === 412) save.hidden = true;
    if (save && fault.status === 422) {
      save.dataset.confirm = "1";
      save.textContent = "Save it all the same";
    }
  }
}

function rates(rows) {
  return table("Rates in use", [
    ["Model", "modelId", "text"], ["Provider", "provider", "text"], ["Input", "inputRatePerKTokens", "money"], ["Cached", "cachedInputRatePerKTokens", "normal"],
    ["Output", "outputRatePerKTokens", "money"], ["Reasoning", "reasoningRatePerKTokens", "normal"], ["Source", "source", "text"], ["Since", "effectiveFrom", "time"], ["Version", "version", "count"],
  ], rows, "No model has been used yet.");
}
