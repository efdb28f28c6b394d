// Where a symbol's hours let bars open between two stored ones, and none is stored: nothing was
// traded then, or it was not fetched.

import { isIntraday, secondsOf } from "../data/intervals.js";
import { clockText, dateText, momentText } from "../data/times.js";

const DAY = 86_400;
export const UNTRADED = "nothing was traded";

/** @typedef {import("../data/trading-hours.js").Sessions} Sessions */
/**
 * @typedef {object} Hole
 * @property {number} after index of the bar before it
 * @property {number} first open time of its first bar; of days, midnight of the trading day in UTC
 * @property {number} last that of its last bar
 * @property {number} count of its bars
 * @property {string[]} [reasons] in words, if they are known
 * @property {boolean} [isUntraded] whether nothing was traded, so that nothing is missing
 */

/**
 * The holes between bars, in order.
 * @param {import("../data/bars.js").Bar[]} bars closed ones
 * @param {Sessions} sessions
 * @param {string} interval
 * @returns {Hole[]}
 */
export function holesOf(bars, sessions, interval) {
  if (!hasHoles(interval)) return [];
  const between = isIntraday(interval) ? intradayHoles(sessions, secondsOf(interval)) : dailyHoles(sessions, secondsOf(interval) / DAY);
  return bars.slice(1).flatMap((bar, after) => {
    const hole = between(bars[after], bar);
    return hole ? [{ after, ...hole }] : [];
  });
}

/** @typedef {{first: number, reason: string}} Stretch `first`: when its first bar would open */

/**
 * The holes with the reasons of the stretches in them.
 * @param {Hole[]} holes
 * @param {import("../data/bars.js").Bar[]} bars
 * @param {Stretch[]} stretches
 * @returns {Hole[]}
 */
export function withReasons(holes, bars, stretches) {
  return holes.map((hole) => {
    const [from, to] = [bars[hole.after].time, bars[hole.after + 1].time];
    const within = stretches.filter(({ first }) => first > from && first < to);
    const reasons = [...new Set(within.map(({ reason }) => reason))];
    return { ...hole, reasons, isUntraded: reasons.length === 1 && reasons[0] === UNTRADED };
  });
}

/**
 * `no bars from 2026-11-27 10:31 to 10:46 UTC (15)`; of days, `no bar of 2026-11-26`. Then come
 * the reasons, if they are known.
 * @param {Hole} hole
 * @param {string} interval
 */
export function holeText(hole, interval) {
  return [rangeText(hole, interval), ...(hole.reasons ?? [])].join(", ");
}

/**
 * @param {Hole} hole
 * @param {string} interval
 */
function rangeText({ first, last, count }, interval) {
  if (!isIntraday(interval)) {
    const from = dateText(first);
    return last === first ? `no bar of ${from}` : `no bars of ${from} to ${dateText(last)} (${count})`;
  }
  const end = last + secondsOf(interval);
  const until = dateText(first) === dateText(end) ? clockText(end) : momentText(end);
  return count === 1 ? `no bar of ${momentText(first)} UTC` : `no bars from ${momentText(first)} to ${until} UTC (${count})`;
}

/**
 * Whether bars of this length can have holes: weeks and months are made of what days there are.
 * @param {string} interval
 */
export function hasHoles(interval) {
  return !/[wM]$/.test(interval);
}

/** @typedef {{time: number, tradingDay: string | null}} Place */
/** @typedef {(one: Place, next: Place) => Omit<Hole, "after"> | null} Between */

/**
 * Bars count from the open of each session.
 * @param {Sessions} sessions
 * @param {number} seconds of a bar
 * @returns {Between}
 */
function intradayHoles({ opens, closes }, seconds) {
  let session = 0; // bars come in order, so earlier ones are not looked at again
  return ({ time }, { time: next }) => {
    if (next - time <= seconds) return null;
    while (closes[session] <= time) session += 1;
    let [first, last, count] = [Infinity, -Infinity, 0];
    for (let at = session; opens[at] < next; at += 1) {
      const passed = Math.max(0, Math.floor((time - opens[at]) / seconds) + 1);
      const begin = opens[at] + passed * seconds;
      const found = Math.ceil((Math.min(closes[at], next) - begin) / seconds);
      if (found <= 0) continue;
      [first, last, count] = [Math.min(first, begin), begin + (found - 1) * seconds, count + found];
    }
    return count ? { first, last, count } : null;
  };
}

/**
 * A bar of so many trading days is followed by one that opens so many trading days later.
 * @param {Sessions} sessions
 * @param {number} length in trading days
 * @returns {Between}
 */
function dailyHoles({ days }, length) {
  const traded = [...new Set(days)];
  let at = 0;
  return ({ tradingDay }, { tradingDay: next }) => {
    if (!tradingDay || !next) return null;
    const [from, to] = [Date.parse(tradingDay) / 1000, Date.parse(next) / 1000];
    while (traded[at] < from) at += 1;
    let end = at;
    while (traded[end] < to) end += 1;
    const count = Math.floor((end - at) / length) - 1;
    return count > 0 ? { first: traded[at + length], last: traded[end - 1], count } : null;
  };
}
