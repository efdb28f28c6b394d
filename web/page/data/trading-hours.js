// When a symbol trades: open or closed now, its zone, where its days begin.

import { get, symbolPath } from "./api.js";
import { dateText, epochOf, isKnownZone } from "./times.js";

const DAY = 86_400;

/**
 * @typedef {object} TradingHours
 * @property {string} zone
 * @property {boolean | null} isOpen
 * @property {number | null} nextOpen
 * @property {number | null} nextClose
 * @property {string | null} problem
 * @property {number} dayShift days from the date of a day's first open to its trading day
 */

/**
 * The hours of a symbol; null while no sync has seen them.
 * @param {string} symbol
 * @returns {Promise<TradingHours | null>}
 */
export async function tradingHours(symbol) {
  try {
    return hoursOf(await get(`/market-data/calendar/${symbolPath(symbol)}`));
  } catch (error) {
    if (/** @type {any} */ (error).status === 404) return null;
    throw error;
  }
}

/** @param {any} answer @returns {TradingHours} */
function hoursOf(answer) {
  const zone = isKnownZone(answer.timezone) ? answer.timezone : "UTC";
  const [first] = answer.sessions;
  const opened = first && dateText(Date.parse(first.open) / 1000, zone);
  return {
    zone,
    isOpen: answer.is_open,
    nextOpen: epochOf(answer.next_open),
    nextClose: epochOf(answer.next_close),
    problem: answer.problem ?? (answer.doubts.length ? "its bars do not follow its hours" : null),
    dayShift: first ? (Date.parse(first.trading_day) - Date.parse(opened)) / (DAY * 1000) : 0,
  };
}
