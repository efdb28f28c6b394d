// Which bar of another symbol belongs beside a bar of the chart.

import { isIntraday, secondsOf } from "../data/intervals.js";
import { firstFrom } from "../data/ordered.js";

const DAY = 86_400;

/** @typedef {import("../data/bars.js").Bar} Bar */

/**
 * The index of the bar that opened nearest to this one, at most half a bar away; -1: there is none.
 * Days and longer bars are compared by their trading days.
 * @param {Bar} bar
 * @param {Bar[]} others the oldest first
 * @param {string} interval of all of them
 */
export function indexBeside(bar, others, interval) {
  const placeOf = placing(interval);
  const wanted = placeOf(bar);
  const low = firstFrom(others, (other) => placeOf(other) < wanted);
  const distance = (/** @type {number} */ index) =>
    others[index] ? Math.abs(placeOf(others[index]) - wanted) : Infinity;
  const nearest = distance(low) < distance(low - 1) ? low : low - 1;
  return distance(nearest) <= secondsOf(interval) / 2 ? nearest : -1;
}

/**
 * The oldest bar beside this one or a later one; undefined: there is none.
 * @param {Bar} bar
 * @param {Bar[]} others the oldest first
 * @param {string} interval of all of them
 * @returns {Bar | undefined}
 */
export function firstBeside(bar, others, interval) {
  const placeOf = placing(interval);
  const earliest = placeOf(bar) - secondsOf(interval) / 2;
  return others[firstFrom(others, (other) => placeOf(other) < earliest)];
}

/** @param {string} interval */
function placing(interval) {
  return isIntraday(interval) ? (/** @type {Bar} */ bar) => bar.time : dayOf;
}

/** @param {Bar} bar */
function dayOf({ time, tradingDay }) {
  return tradingDay ? Date.parse(tradingDay) / 1000 : Math.floor(time / DAY) * DAY;
}
