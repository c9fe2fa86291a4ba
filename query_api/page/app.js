// The page: reads the address, draws the view it names, and draws it anew every few seconds and at every click.

import { address, question } from "./address.js";
import { alerts } from "./alerts.js";
import { ask, authorized, hasToken, keepToken, takeTokenFromAddress } from "./api.js";
import { budgets } from "./budgets.js";
import { session, sessions, trace } from "./drill.js";
import { overview } from "./overview.js";
import { node } from "./parts.js";
import { prices } from "./prices.js";

const VIEWS = { overview, sessions, session, trace, budgets, prices, alerts };
const HOME = { session: "sessions", trace: "sessions" };
const LIVE = new Set(["overview", "sessions", "budgets", "alerts"]);
const EVERY_MS = 10_000;
const byId = (id) => document.getElementById(id);

let timer;
let turn = 0;

async function show({ move = false } = {}) {
  clearTimeout(timer);
  const mine = (turn += 1);
  const asked = question();
  const name = VIEWS[asked.view] ? asked.view : "overview";
  markUp(asked, name);
  try {
    const made = VIEWS[name](asked);
    const drawn = node("div", null, { class: "view", "data-view": name });
    drawn.append(node("h1", made.title), ...made.panels.map((one) => one.section));
    const finished = Promise.all(made.panels.map((one) => one.done));
    const nothing = isEmpty(made, asked);
    for (const promise of [finished, nothing]) promise.catch(() => {}); // each is waited for below, in its turn
    if (move || byId("view").firstChild?.dataset?.view !== name) {
      if (!byId("notice").hidden && (await nothing)) return emptyNotice(mine);
      if (mine !== turn) return;
      put(drawn, made.title);
      if (move) byId("main").focus();
      await finished;
      if (await nothing) return emptyNotice(mine);
    } else {
      if (await nothing) return emptyNotice(mine);
      await finished; // drawn anew only when all is there, so that nothing flickers or jumps
      if (mine !== turn) return;
      keepOpen(byId("view"), drawn);
      put(drawn, made.title);
    }
    if (mine === turn) byId("freshness").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (fault) {
    if (mine === turn) tell(fault);
  }
  if (mine === turn && LIVE.has(name) && !document.hidden) timer = setTimeout(refresh, EVERY_MS);
}

// Someone who is reading a part or filling in a form is not disturbed.
function refresh() {
  if (byId("view").contains(document.activeElement)) timer = setTimeout(refresh, EVERY_MS);
  else show();
}

function put(drawn, title) {
  byId("notice").hidden = true;
  byId("view").replaceChildren(drawn);
  document.title = `${title} · agent-finops`;
}

function keepOpen(old, drawn) {
  const open = new Set([...old.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  for (const summary of drawn.querySelectorAll("details > summary")) if (open.has(summary.textContent)) {
    summary.parentElement.open = true;
    summary.parentElement.dispatchEvent(new Event("fill")); // before it is drawn
  }
}

function markUp(asked, name) {
  for (const link of byId("views").children) {
    link.href = address({ view: link.dataset.view });
    if (link.dataset.view === (HOME[name] ?? name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("days").value = asked.days;
  byId("tz").value = asked.tz;
  for (const filter of ["agentId", "modelId", "orgId"]) byId(filter).value = asked.filters[filter]?.[0] ?? "";
}

// Whether nothing was ever recorded, rather than nothing that was asked for.
async function isEmpty(made, asked) {
  if (!made.empty || !(await made.empty)) return false;
  if (!Object.keys(asked.filters).length) return true;
  const { calls, agentRuns, toolCalls } = (await ask("/costs?window=90d&limit=1")).totals;
  return !calls && !agentRuns && !toolCalls;
}

function tell(fault) {
  if (fault.isAboutTheToken) {
    const said = hasToken() ? `The API answered: ${fault.message}. ` : "";
    notice("This page needs a token", `${said}Open the page's address as agent-finops printed it, or enter what "agent-finops token show" prints.`, { token: true });
  } else byId("freshness").textContent = `not reachable since ${new Date().toLocaleTimeString()}; trying again`;
}

function notice(title, text, { token = false, lines = "" } = {}) {
  byId("view").replaceChildren();
  byId("notice").hidden = false;
  byId("notice-title").textContent = title;
  byId("notice-text").textContent = text;
  byId("token-form").hidden = !token;
  byId("notice-lines").hidden = !lines;
  byId("notice-lines").textContent = lines;
}

function emptyNotice(mine) {
  if (mine !== turn) return;
  const [, host, port] = document.querySelector('meta[name="otlp-grpc"]').content.match(/^(.*):(\d+)$/);
  const here = /^(127\.|0\.0\.0\.0|localhost|\[::1?\])/.test(host);
  const lines = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${here ? location.hostname : host}:${port}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    "export OTEL_SERVICE_NAME=my-agent",
  ];
  notice("No calls yet", "Start an agent with these lines in its environment; it appears here within seconds.", { lines: lines.join("\n") });
  if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
}

function go(where) {
  history.pushState(null, "", where);
  show({ move: true });
}

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-inside], #views a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", () => show({ move: true }));
addEventListener("hashchange", () => { takeTokenFromAddress(); show(); });
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : show()));

function zoneExists(name) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

byId("question").addEventListener("submit", (event) => {
  event.preventDefault();
  const zone = byId("tz");
  zone.setCustomValidity(zone.value && !zoneExists(zone.value) ? "no such time zone; for example Europe/Berlin" : "");
  if (!zone.reportValidity()) return;
  const said = Object.fromEntries(["days", "tz", "agentId", "modelId", "orgId"].map((name) => [name, byId(name).value.trim()]));
  const { view, stack } = question();
  go(address({ ...said, view: HOME[view] ?? view, stack }));
});
byId("tz").addEventListener("input", () => byId("tz").setCustomValidity(""));
byId("days").addEventListener("change", () => byId("question").requestSubmit());
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(byId("token").value.trim());
  byId("token").value = "";
  show({ move: true });
});
byId("openapi").addEventListener("click", async (event) => {
  event.preventDefault();
  const answer = await fetch("/openapi.json", { headers: authorized() });
  if (answer.ok) location.assign(URL.createObjectURL(await answer.blob()));
});

function nameZones() {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const name of new Set(["UTC", here, ...(Intl.supportedValuesOf?.("timeZone") ?? [])])) byId("zones").append(node("option", null, { value: name }));
}
byId("tz").addEventListener("focus", nameZones, { once: true });
takeTokenFromAddress();
show();
