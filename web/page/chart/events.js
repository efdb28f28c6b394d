// Splits and dividends of a symbol, as the API lists them, and the bars at which they lie.

import { get, symbolPath } from "../data/api.js";
import { secondsOf } from "../data/intervals.js";
import { epochOf } from "../data/times.js";

const DAY = 86_400;

/** @typedef {{moment: number, text: string}} CorporateEvent `moment` is an epoch second */
/** @typedef {{time: number, text: string}} EventBar by open time */

/**
 * @param {string} symbol
 * @returns {Promise<CorporateEvent[]>}
 */
export async function eventsOf(symbol) {
  const { events } = await get(`/market-data/events/${symbolPath(symbol)}`);
  return events.map((/** @type {any} */ event) => ({
    moment: epochOf(event.before ?? `${event.ex_date}T00:00:00Z`) ?? 0,
    text: event.kind === "split" ? `split ${ratioText(event.factor)}` : dividendText(event),
  }));
}

/**
 * The bars at which events lie, in order of time; a bar of a week or a month holds its own.
 * @param {CorporateEvent[]} events
 * @param {{time: number}[]} bars in order of time
 * @param {string} interval
 * @returns {EventBar[]}
 */
export function eventBarsOf(events, bars, interval) {
  const isLong = secondsOf(interval) > DAY;
  return events
    .filter(({ moment }) => bars.length && moment >= bars[0].time - DAY)
    .flatMap(({ moment, text }) => {
      const bar = isLong ? bars.findLast(({ time }) => time < moment + DAY) : bars.find(({ time }) => time >= moment);
      return bar ? [{ time: bar.time, text }] : [];
    })
    .sort((one, other) => one.time - other.time);
}

/** @param {number} factor of prices: 0.1 is 10 new shares for 1 */
function ratioText(factor) {
  return factor < 1 ? `${shortText(1 / factor)} for 1` : `1 for ${shortText(factor)}`;
}

/** @param {{amount: number | null, factor: number | null}} dividend */
function dividendText({ amount, factor }) {
  if (factor !== null) return `dividend, older prices × ${shortText(factor)}`;
  return amount === null ? "dividend" : `dividend ${shortText(amount)}`;
}

/** @param {number} value */
function shortText(value) {
  return String(Number(value.toPrecision(6)));
}
