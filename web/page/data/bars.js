// The bars of one series as far as they were fetched: the newest pages, older ones by cursor.

import { get, symbolPath } from "./api.js";
import { epochOf, now } from "./times.js";

export const PAGE = 1000;
export const MOST_AT_ONCE = 5000;
const NEWEST = 20; // fetched again to see whether a bar has closed
const CLOSING_SECONDS = 30;

/**
 * @typedef {object} Bar
 * @property {number} time open time in epoch seconds
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 * @property {number | null} volume
 * @property {string | null} tradingDay the date that it belongs to; null for bars shorter than a day
 * @property {boolean} isPartial whether part of its time was not seen
 * @property {boolean} [isForming] whether it has not closed yet
 * @property {number} [end] when a forming bar closes
 */

/** @typedef {"nothing" | "newest" | "all"} Change what a call has changed of the bars */

export class BarPages {
  /**
   * @param {string} symbol
   * @param {string} interval
   */
  constructor(symbol, interval) {
    this.symbol = symbol;
    this.interval = interval;
    /** @type {Bar[]} closed bars, the oldest first */
    this.closed = [];
    /** @type {Bar | null} */
    this.forming = null;
    /** @type {string | null} the interval that they were computed from */
    this.resampledFrom = null;
    /** @type {string | null} */
    this.cursor = null;
    this.isLoadingOlder = false;
  }

  /** All bars, the forming one last. */
  get bars() {
    return this.forming ? [...this.closed, this.forming] : this.closed;
  }

  get hasOlder() {
    return this.cursor !== null;
  }

  async load() {
    const page = await this.#fetch({ limit: PAGE });
    this.closed = page.bars;
    this.forming = page.forming;
    this.cursor = page.cursor;
    this.resampledFrom = page.resampledFrom;
  }

  /** Put the next older page before the bars; return whether there was one. */
  async loadOlder(limit = PAGE) {
    if (this.cursor === null || this.isLoadingOlder) return false;
    this.isLoadingOlder = true;
    const { cursor } = this;
    try {
      const page = await this.#fetch({ limit, cursor });
      if (this.cursor !== cursor) return false; // all was loaded again meanwhile
      const first = this.closed[0]?.time ?? Infinity;
      this.closed = [...page.bars.filter((bar) => bar.time < first), ...this.closed];
      this.cursor = page.cursor;
      return page.bars.length > 0;
    } finally {
      this.isLoadingOlder = false;
    }
  }

  /**
   * Fetch the newest bars again and take over what has changed among them. More are fetched if
   * they do not reach back to those known.
   * @returns {Promise<Change>}
   */
  async refresh(limit = NEWEST) {
    const page = await this.#fetch({ limit });
    const change = changeOf(this.closed, page.bars);
    if (change === "all" && limit < PAGE) return this.refresh(PAGE);
    if (change === "all") this.#replaceNewest(page);
    else this.#addNewest(page.bars);
    const before = JSON.stringify(this.forming);
    this.forming = page.forming ?? this.#closing();
    return change === "nothing" && before !== JSON.stringify(this.forming) ? "newest" : change;
  }

  /**
   * Let the forming bar follow a price; return whether that changed it.
   * @param {number | null} price
   * @param {number | null} at when it was traded
   */
  follow(price, at) {
    const bar = this.forming;
    const isOfBar = bar && bar.end && at !== null && at >= bar.time && at < bar.end;
    if (price === null || !isOfBar || bar.close === price) return false;
    const [high, low] = [Math.max(bar.high, price), Math.min(bar.low, price)];
    this.forming = { ...bar, close: price, high, low };
    return true;
  }

  /** @param {Bar[]} newest */
  #addNewest(newest) {
    const last = this.closed.at(-1)?.time ?? -Infinity;
    const added = newest.filter((bar) => bar.time > last);
    if (added.length) this.closed = [...this.closed, ...added];
  }

  /**
   * Keep the bars before a page if it reaches back to them; else there may be more in between.
   * @param {{bars: Bar[], cursor: string | null}} page
   */
  #replaceNewest({ bars, cursor }) {
    const first = bars[0]?.time ?? Infinity;
    const isReached = first <= (this.closed.at(-1)?.time ?? -Infinity);
    const older = isReached ? this.closed.filter((bar) => bar.time < first) : [];
    if (!older.length) this.cursor = cursor;
    this.closed = [...older, ...bars];
  }

  /** The forming bar whose end has come: it stays until it is stored, or for a while. */
  #closing() {
    const bar = this.forming;
    const isAwaited = bar && bar.time > (this.closed.at(-1)?.time ?? -Infinity);
    return isAwaited && bar.end && now() < bar.end + CLOSING_SECONDS ? bar : null;
  }

  /** @param {import("./api.js").Query} query */
  async #fetch(query) {
    const path = `/market-data/ohlcv/${symbolPath(this.symbol)}`;
    const answer = await get(path, { interval: this.interval, format: "columns", ...query });
    const bars = barsOf(answer);
    const forming = formingOf(answer.forming, bars.at(-1)?.time ?? -Infinity);
    return { bars, forming, cursor: answer.next_cursor, resampledFrom: answer.resampled_from };
  }
}

/**
 * How the newest bars of the API differ from those known.
 * @param {Bar[]} known
 * @param {Bar[]} newest
 * @returns {Change}
 */
export function changeOf(known, newest) {
  if (!newest.length) return known.length ? "all" : "nothing";
  const last = known.at(-1)?.time ?? -Infinity;
  if (newest[0].time > last) return "all"; // there may be more between them
  if (newest[0].time < known[0].time) return "all"; // older ones have come
  const before = known.slice(-2 * newest.length).filter((bar) => bar.time >= newest[0].time);
  const overlap = newest.filter((bar) => bar.time <= last);
  if (JSON.stringify(before) !== JSON.stringify(overlap)) return "all";
  return newest.length > overlap.length ? "newest" : "nothing";
}

/**
 * @param {any} answer in columns, the newest bar first
 * @returns {Bar[]} the oldest first
 */
export function barsOf({ columns, live }) {
  const partial = new Set(live.partial.map(epochOf));
  return columns.datetime
    .map((/** @type {string} */ opened, /** @type {number} */ index) => {
      const time = Date.parse(opened) / 1000;
      return {
        time,
        open: columns.open[index],
        high: columns.high[index],
        low: columns.low[index],
        close: columns.close[index],
        volume: columns.volume[index],
        tradingDay: columns.trading_day?.[index] ?? null,
        isPartial: partial.has(time),
      };
    })
    .reverse();
}

/**
 * @param {any} forming
 * @param {number} last open time of the newest closed bar
 * @returns {Bar | null}
 */
function formingOf(forming, last) {
  const time = epochOf(forming?.bar_start);
  if (time === null || time <= last) return null;
  const { open, high, low, close, volume, partial: isPartial } = forming;
  const tradingDay = forming.trading_day ?? null;
  const end = epochOf(forming.bar_end) ?? undefined;
  return { time, open, high, low, close, volume, tradingDay, isPartial, isForming: true, end };
}
