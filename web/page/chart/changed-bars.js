// Bars whose values changed after they were stored, as the API lists the changes.

import { get, symbolPath } from "../data/api.js";
import { epochOf, momentText } from "../data/times.js";

const MOST = 500;

/** @typedef {{time: number, text: string}} ChangedBar by open time; of each change the bar that changed most */

/**
 * The newest changes of a series.
 * @param {string} symbol
 * @param {string} interval
 * @returns {Promise<ChangedBar[]>}
 */
export async function changedBarsOf(symbol, interval) {
  const revisions = await get(`/market-data/revisions/${symbolPath(symbol)}`, { interval, page_size: MOST });
  return revisions.map((/** @type {any} */ { replaced_at: at, bars, largest_change: change }) => ({
    time: epochOf(change.datetime) ?? 0,
    text: `${change.field} ${change.before ?? "none"} → ${change.after ?? "none"} at ${momentText(epochOf(at) ?? 0)} UTC${othersText(bars - 1)}`,
  }));
}

/** @param {number} count */
function othersText(count) {
  return count ? `, with ${count} more` : "";
}
