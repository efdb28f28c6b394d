// Calls of the public API under `/api/v1`.

import { askForKey, key } from "./door.js";

const PREFIX = "/api/v1";

/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

/** An error that the API answered, or that kept its answer away. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: no answer came
   * @param {string} code stable name of the error
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

/**
 * @param {string} path below `/api/v1`; or of another route, beginning with `/health`
 * @param {Query} [query]
 * @returns {Promise<any>}
 */
export async function get(path, query) {
  return (await send("GET", path, { query })).json();
}

/** Get the checks of all servers and parts; a 503 holds them too. */
export async function getReadiness() {
  const answer = await send("GET", "/health/ready", { accepted: [503] });
  return answer.json();
}

/**
 * Get one page of a list and the number of all its entries.
 * @param {string} path
 * @param {Query} query
 * @returns {Promise<{entries: any[], total: number}>}
 */
export async function getPage(path, query) {
  const answer = await send("GET", path, { query });
  const entries = await answer.json();
  const { total } = JSON.parse(answer.headers.get("X-Pagination") ?? "{}");
  return { entries, total: total ?? entries.length };
}

/**
 * Yield all pages of a list, one after the other.
 * @param {string} path
 * @param {Query} query
 */
export async function* getPages(path, query) {
  for (let page = 1, seen = 0; ; page += 1) {
    const found = await getPage(path, { page_size: 500, ...query, page });
    yield found;
    seen += found.entries.length;
    if (!found.entries.length || seen >= found.total) return;
  }
}

/**
 * @param {string} path
 * @param {object} [body]
 * @param {Query} [query]
 */
export async function post(path, body, query) {
  return (await send("POST", path, { body, query })).json();
}

/**
 * @param {string} path
 * @param {object} body
 */
export async function put(path, body) {
  return (await send("PUT", path, { body })).json();
}

/**
 * @param {string} path
 * @param {object} body
 */
export async function patch(path, body) {
  return (await send("PATCH", path, { body })).json();
}

/**
 * @param {string} path
 * @param {Query} [query]
 */
export async function remove(path, query) {
  await send("DELETE", path, { query });
}

/**
 * Send a request; ask for a key and send it again where the API wants one, or one of a larger scope. Reading
 * requests wait for it as long as it takes; others fail once the question is dismissed.
 * @param {string} method
 * @param {string} path
 * @param {{query?: Query, body?: object, accepted?: number[], signal?: AbortSignal}} [options] `accepted`:
 *   statuses of answers besides those of success
 * @returns {Promise<Response>}
 */
export async function send(method, path, { query, body, accepted = [], signal } = {}) {
  for (;;) {
    const used = key.value;
    const answer = await reach(urlOf(path, query), {
      method,
      signal,
      headers: {
        ...(used ? { "X-API-Key": used } : {}),
        ...(body ? { "Content-Type": "application/json" } : {}),
      },
      body: body ? JSON.stringify(body) : undefined,
    });
    if (answer.ok || accepted.includes(answer.status)) return answer;
    const error = await errorOf(answer);
    if (error.status !== 401 && error.code !== "forbidden") throw error;
    const isSame = key.value === used;
    if (isSame && !(await askForKey(reasonOf(error, used), method === "GET"))) throw error;
  }
}

/**
 * Why a key is asked for.
 * @param {ApiError} error
 * @param {string} used the key that was sent
 */
function reasonOf({ status, message }, used) {
  if (status === 401 && !used) return "This API wants a key.";
  return `${message[0].toUpperCase()}${message.slice(1)}.`;
}

/**
 * @param {string} path
 * @param {Query} [query]
 */
export function urlOf(path, query = {}) {
  const url = new URL(path.startsWith("/health") ? path : PREFIX + path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/**
 * The path of a symbol below a route: `NASDAQ:AAPL` → `NASDAQ/AAPL`.
 * @param {string} symbol
 */
export function symbolPath(symbol) {
  const at = symbol.indexOf(":");
  const parts = [symbol.slice(0, at), ...symbol.slice(at + 1).split("/")];
  return parts.map(encodeURIComponent).join("/");
}

/** @param {{exchange: string, symbol: string}} named */
export function symbolOf(named) {
  return `${named.exchange}:${named.symbol}`;
}

/**
 * Whether a text is written `EXCHANGE:TICKER`.
 * @param {string} text
 */
export function isSymbol(text) {
  return /^[^:\s]+:\S+$/.test(text);
}

/**
 * The exchange and ticker of a symbol, as bodies of requests have them.
 * @param {string} symbol
 */
export function partsOf(symbol) {
  const at = symbol.indexOf(":");
  return { exchange: symbol.slice(0, at), symbol: symbol.slice(at + 1) };
}

/**
 * @param {URL} url
 * @param {RequestInit} options
 */
async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The server does not answer.");
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<ApiError>}
 */
async function errorOf(answer) {
  try {
    const { error, message } = await answer.json();
    return new ApiError(answer.status, error, message);
  } catch {
    return new ApiError(answer.status, "unknown", `The server answered ${answer.status}.`);
  }
}
