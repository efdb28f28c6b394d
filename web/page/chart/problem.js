// Why there is no chart, and what to do about it.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { access, may } from "../data/access.js";
import { chartPath } from "../data/address.js";
import { getPage, partsOf, post, symbolOf } from "../data/api.js";
import { isInterval, STORED } from "../data/intervals.js";
import { html } from "../parts/html.js";
import { attempt } from "../parts/notices.js";
import { searchForChart } from "../parts/symbol-search.js";

const NEAREST = 5;
const RETRY_MS = 5000;

/**
 * @param {{
 *   symbol: string,
 *   interval: string,
 *   problem: {status: number, message: string},
 *   onRetry: () => void,
 * }} props
 */
export function ChartProblem({ symbol, interval, problem, onRetry }) {
  const isUnstored = problem.status === 404;
  const isWrong = problem.status === 422;
  useEffect(() => {
    const isPassing = problem.status === 0 || problem.status === 429 || problem.status >= 500;
    if (!isPassing) return undefined;
    const timer = setTimeout(onRetry, RETRY_MS);
    addEventListener("online", onRetry);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", onRetry);
    };
  }, [problem]);
  return html`<div class="problem" role="alert">
    <h2>${titleOf(symbol, interval, problem.status)}</h2>
    <p class="muted">${explained(interval, problem)}</p>
    <div class="actions">
      ${isUnstored && STORED.includes(interval) && html`<${Fetch} symbol=${symbol} interval=${interval} onDone=${onRetry} />`}
      ${!isUnstored && !isWrong && html`<button class="primary" onClick=${onRetry}>Try again</button>`}
      <button onClick=${searchForChart}>Search for a symbol</button>
    </div>
    ${isWrong && html`<p>${STORED.map((each) => html`<a key=${each} class="chip" href=${chartPath(symbol, each)}>${each}</a>`)}</p>`}
    ${isUnstored && html`<${Nearest} symbol=${symbol} interval=${interval} />`}
  </div>`;
}

/**
 * @param {string} symbol
 * @param {string} interval
 * @param {number} status
 */
function titleOf(symbol, interval, status) {
  if (status === 404) return `${symbol} has no bars of ${interval} here`;
  if (status === 422) return "This chart can't be made";
  return "The bars can't be loaded";
}

/**
 * @param {string} interval
 * @param {{status: number, message: string}} problem
 */
function explained(interval, { status, message }) {
  if (!isInterval(interval)) return `${interval} is no interval: write a number and m, h, d, w or M.`;
  const isUnstored = status === 404 && STORED.includes(interval);
  return isUnstored ? "Its bars were never fetched from the provider." : message;
}

/**
 * Fetches bars that are not stored.
 * @param {{symbol: string, interval: string, onDone: () => void}} props
 */
export function Fetch({ symbol, interval, onDone }) {
  const isBusy = useSignal(false);
  const fetchBars = async () => {
    isBusy.value = true;
    const isDone = await attempt(() => post("/market-data/sync", { ...partsOf(symbol), interval }));
    isBusy.value = false;
    if (isDone) onDone();
  };
  if (!may("sync")) return access.value && html`<span class="muted">A key of scope sync can fetch them.</span>`;
  return html`<button class="primary" onClick=${fetchBars} disabled=${isBusy}>
    ${isBusy.value ? "Fetching…" : "Fetch them"}</button>`;
}

/**
 * Stored symbols with a like name.
 * @param {{symbol: string, interval: string}} props
 */
function Nearest({ symbol, interval }) {
  const found = useSignal(/** @type {string[]} */ ([]));
  useEffect(() => {
    const { symbol: ticker } = partsOf(symbol);
    getPage("/market-data/symbols", { query: ticker.slice(0, 3), page_size: NEAREST + 1 })
      .then(({ entries }) => {
        found.value = entries.map(symbolOf).filter((each) => each !== symbol).slice(0, NEAREST);
      })
      .catch(() => {});
  }, [symbol]);
  if (!found.value.length) return null;
  return html`<p class="muted">Stored here:
    ${found.value.map((each) => html`<a key=${each} class="chip" href=${chartPath(each, interval)}>${each}</a>`)}</p>`;
}
