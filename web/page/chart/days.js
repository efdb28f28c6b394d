// Where trading days begin among bars shorter than a day.

import { firstFrom } from "../data/ordered.js";
import { dateText } from "../data/times.js";

const DAY = 86_400;

/** @typedef {import("../data/trading-hours.js").Sessions} Sessions */

/**
 * Open times of the first bar of each trading day, except the oldest. Where no session is known,
 * days are those of UTC.
 * @param {{time: number}[]} bars
 * @param {Sessions} sessions
 * @returns {number[]}
 */
export function firstOfDays(bars, { opens, days }) {
  let session = -1; // the last one that has opened
  const bounds = bars.map(({ time }) => {
    while (opens[session + 1] <= time) session += 1;
    return days[session] ?? Math.floor(time / DAY) * DAY;
  });
  return bars.filter((_, at) => at > 0 && bounds[at] !== bounds[at - 1]).map((bar) => bar.time);
}

/**
 * The trading day of the session that holds a time; null where none is known.
 * @param {number} time
 * @param {Sessions} sessions
 */
export function tradingDayAt(time, { opens, closes, days }) {
  const session = firstFrom(opens, (opened) => opened <= time) - 1;
  return closes[session] > time ? dateText(days[session]) : null;
}
