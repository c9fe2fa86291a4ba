// What is asked lives in the address, so a view can be sent to a colleague and the back button works.

const FILTERS = ["agentId", "modelId", "orgId"];
const SHARED = ["days", "tz", ...FILTERS];
const DEFAULTS = { view: "overview", days: "7", tz: "UTC", stack: "agent" };

export function question() {
  const said = new URLSearchParams(location.search);
  return {
    view: said.get("view") ?? DEFAULTS.view,
    id: said.get("id") ?? "",
    days: ["1", "7", "30", "90"].includes(said.get("days")) ? said.get("days") : DEFAULTS.days,
    tz: said.get("tz") || DEFAULTS.tz,
    stack: said.get("stack") ?? DEFAULTS.stack,
    filters: Object.fromEntries(FILTERS.flatMap((name) => (said.getAll(name).length ? [[name, said.getAll(name)]] : []))),
  };
}

// An address of this page: what is asked now, with the changes given ("" takes one away).
export function address(changes) {
  const now = new URLSearchParams(location.search);
  const next = new URLSearchParams();
  for (const name of SHARED) for (const value of now.getAll(name)) next.append(name, value);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    if (value && value !== DEFAULTS[name]) next.set(name, value);
  }
  return `?${next}`;
}

// The parameters of an API question: the filters asked for and whatever else is given.
export function parameters(asked, more = {}, filters = FILTERS) {
  const said = new URLSearchParams(more);
  for (const name of filters) for (const value of asked.filters[name] ?? []) said.append(name, value);
  return said.size ? `?${said}` : "";
}
