// Asks the API with the token of this tab. The token lives in sessionStorage and never stays in an address.

export const PREFIX = "/api/v1/finops";
const TOKEN = "finops-token";

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the API answered ${status}`);
    this.status = status;
    this.faults = problem.errors ?? [];
  }

  get isAboutTheToken() {
    return this.status === 401 || this.status === 403;
  }
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;
export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  keepToken(given);
  history.replaceState(null, "", location.pathname + location.search);
}

export const authorized = (headers = {}) => ({ ...headers, Authorization: `Bearer ${sessionStorage.getItem(TOKEN) ?? ""}` });

export async function ask(path, { method = "GET", body, only = {} } = {}) {
  const headers = authorized(body === undefined ? only : { ...only, "Content-Type": "application/json" });
  const answer = await fetch(PREFIX + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return answer.status === 204 ? null : answer.json();
}

// Every page of a paged answer, up to a limit that is said where it is reached.
export async function askAll(path, pagesMax = 10) {
  const items = [];
  let answer = await ask(path);
  for (let page = 1; ; page += 1) {
    items.push(...answer.items);
    if (!answer.nextCursor || page >= pagesMax) return { ...answer, items, cut: Boolean(answer.nextCursor) };
    answer = await ask(`${path}&cursor=${encodeURIComponent(answer.nextCursor)}`);
  }
}
