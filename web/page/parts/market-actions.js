// What can be done with the chosen markets.

import { may } from "../data/access.js";
import { partsOf, patch, post, remove, symbolPath } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { offerBackfill } from "./backfill-dialog.js";
import { confirm } from "./confirm.js";
import { html } from "./html.js";
import { attempt, notify } from "./notices.js";

const FIRST_INTERVAL = "1d";

/** @typedef {import("../data/markets.js").Market} Market */

/**
 * @param {{
 *   chosen: Set<string>,
 *   markets: Market[],
 *   onDone: () => void,
 *   onClear: () => void,
 * }} props
 */
export function MarketActions({ chosen, markets, onDone, onClear }) {
  if (!chosen.size || !may("sync")) return null;
  const all = markets.filter((market) => chosen.has(market.symbol));
  const symbols = all.map((market) => partsOf(market.symbol));
  const run = (/** @type {() => Promise<void>} */ action) => attempt(action).then(onDone);
  const name = all.length === 1 ? all[0].symbol : `${countText(all.length)} symbols`;
  return html`<div class="selection" role="toolbar" aria-label="Chosen symbols">
    <strong>${name}</strong>
    <button onClick=${() => run(() => sync(all))}>Sync</button>
    <button onClick=${() => offerBackfill({ name, symbols, intervals: intervalsOf(all) })}>Backfill</button>
    <button onClick=${() => run(() => watch("subscribe", symbols, name))}>Watch</button>
    <button onClick=${() => run(() => watch("unsubscribe", symbols, name))}>Stop watching</button>
    ${all.some((market) => market.isActive)
      ? html`<button onClick=${() => run(() => track(all, false))}>Pause</button>`
      : html`<button onClick=${() => run(() => track(all, true))}>Resume</button>`}
    ${may("admin") && html`<button class="danger" onClick=${() => run(() => forget(all, name, onClear))}>Forget</button>`}
    <span class="spring"></span>
    <button class="quiet" onClick=${onClear}>Clear</button>
  </div>`;
}

/**
 * Register a symbol, and fetch its days.
 * @param {string} symbol
 * @param {() => void} onDone
 */
export async function addMarket(symbol, onDone) {
  await attempt(async () => {
    const { job_id } = await post("/market-data/sync/background", { ...partsOf(symbol), interval: FIRST_INTERVAL });
    notify(`${symbol} is being fetched.`, { link: { path: `/jobs/${job_id}`, text: "Job" } });
  });
  onDone();
}

/** @param {Market[]} markets */
function intervalsOf(markets) {
  const intervals = new Set(markets.flatMap((market) => market.series.map((each) => each.interval)));
  return intervals.size ? [...intervals] : [FIRST_INTERVAL];
}

/** @param {Market[]} markets each is synced at all of its intervals */
async function sync(markets) {
  /** @type {Map<string, Market[]>} */
  const alike = new Map();
  for (const market of markets) {
    const intervals = market.series.map((each) => each.interval).join(" ") || FIRST_INTERVAL;
    alike.set(intervals, [...(alike.get(intervals) ?? []), market]);
  }
  for (const [intervals, group] of alike) {
    const symbols = group.map((market) => partsOf(market.symbol));
    const job = await post("/market-data/sync/bulk", { symbols, intervals: intervals.split(" ") });
    notify(`${countText(group.length)} symbols are synced at ${intervals}.`, { link: { path: `/jobs/${job.job_id}`, text: "Job" } });
  }
}

/**
 * @param {"subscribe" | "unsubscribe"} action
 * @param {{exchange: string, symbol: string}[]} symbols
 * @param {string} name
 */
async function watch(action, symbols, name) {
  await post(`/quotes/${action}`, { symbols });
  notify(action === "subscribe" ? `${name}: watched; quotes come within seconds.` : `${name}: no longer watched.`);
}

/**
 * @param {Market[]} markets
 * @param {boolean} isActive
 */
async function track(markets, isActive) {
  for (const { symbol } of markets) await patch(`/market-data/symbols/${symbolPath(symbol)}`, { active: isActive });
  notify(isActive ? "Schedules sync them again." : "Schedules leave them out; their bars are kept.");
}

/**
 * @param {Market[]} markets
 * @param {string} name
 * @param {() => void} onClear
 */
async function forget(markets, name, onClear) {
  const { isConfirmed, isTicked } = await confirm({
    title: `Forget ${name}?`,
    text: "Schedules no longer sync it. Stored bars are kept, unless you choose otherwise.",
    action: "Forget",
    choice: "Remove its bars too",
  });
  if (!isConfirmed) return;
  for (const { symbol } of markets) await remove(`/market-data/symbols/${symbolPath(symbol)}`, { with_bars: isTicked });
  notify(`${name}: forgotten.`);
  onClear();
}
