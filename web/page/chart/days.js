// Where trading days begin among bars shorter than a day.

import { zoneOffset } from "../data/times.js";

const DAY = 86_400;
const EVENING = 7 * 3600; // sessions that open from 17:00 on belong to the next date

/** @typedef {import("../data/trading-hours.js").TradingHours} TradingHours */

/**
 * Open times of the first bar of each trading day, except the oldest.
 * @param {{time: number}[]} bars
 * @param {TradingHours | null} hours
 * @returns {number[]}
 */
export function firstOfDays(bars, hours) {
  const zone = hours?.zone ?? "UTC";
  const shift = hours?.dayShift ? EVENING : 0;
  /** @type {Map<number, number>} the zone's offset by UTC day: asking for it is slow */
  const offsets = new Map();
  const dayOf = (/** @type {number} */ time) => {
    const utcDay = Math.floor(time / DAY);
    let offset = offsets.get(utcDay);
    if (offset === undefined) {
      offset = zoneOffset(time, zone);
      offsets.set(utcDay, offset);
    }
    return Math.floor((time + offset + shift) / DAY);
  };
  return bars.slice(1).filter((bar, before) => dayOf(bar.time) !== dayOf(bars[before].time)).map((bar) => bar.time);
}
