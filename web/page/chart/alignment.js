// Which bar of another symbol belongs beside a bar of the chart.

import { isIntraday, secondsOf } from "../data/intervals.js";
import { firstFrom } from "../data/ordered.js";

const DAY = 86_400;

/** @typedef {import("../data/bars.js").Bar} Bar */

/**
 * For each bar the index of the one that opened nearest to it, at most half a bar away; -1: there
 * is none. Days and longer bars are compared by their trading days.
 * @param {Bar[]} bars the oldest first
 * @param {Bar[]} others the oldest first
 * @param {string} interval of all of them
 */
export function indexesBeside(bars, others, interval) {
  const placeOf = placing(interval);
  let at = bars.length ? firstIndexBeside(bars[0], others, interval) : 0;
  return bars.map((bar) => {
    const wanted = placeOf(bar);
    const distance = (/** @type {number} */ index) => Math.abs(placeOf(others[index]) - wanted);
    while (at + 1 < others.length && distance(at + 1) < distance(at)) at += 1;
    return at < others.length && distance(at) <= secondsOf(interval) / 2 ? at : -1;
  });
}

/**
 * The oldest bar beside this one or a later one; undefined: there is none.
 * @param {Bar} bar
 * @param {Bar[]} others the oldest first
 * @param {string} interval of all of them
 * @returns {Bar | undefined}
 */
export function firstBeside(bar, others, interval) {
  return others[firstIndexBeside(bar, others, interval)];
}

/**
 * @param {Bar} bar
 * @param {Bar[]} others
 * @param {string} interval
 */
function firstIndexBeside(bar, others, interval) {
  const placeOf = placing(interval);
  const earliest = placeOf(bar) - secondsOf(interval) / 2;
  return firstFrom(others, (other) => placeOf(other) < earliest);
}

/** @param {string} interval */
function placing(interval) {
  return isIntraday(interval) ? (/** @type {Bar} */ bar) => bar.time : dayOf;
}

/** @param {Bar} bar */
function dayOf({ time, tradingDay }) {
  return tradingDay ? Date.parse(tradingDay) / 1000 : Math.floor(time / DAY) * DAY;
}
