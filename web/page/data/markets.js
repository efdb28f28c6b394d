// All registered symbols with their series: read page by page, and joined.

import { get, getPages, symbolOf } from "./api.js";
import { STORED } from "./intervals.js";
import { epochOf } from "./times.js";

/**
 * @typedef {object} Series
 * @property {string} interval
 * @property {string} status of its last sync; "none": it was never synced
 * @property {number} bars
 * @property {number | null} lastBar open time
 * @property {number | null} lastSync
 * @property {string | null} error
 */

/**
 * @typedef {object} Market
 * @property {string} symbol
 * @property {string} name
 * @property {string} type
 * @property {boolean} isActive whether schedules sync it
 * @property {boolean} isLive
 * @property {Series[]} series the tracked ones, and all others that were synced
 * @property {number} bars of all series
 * @property {number | null} lastBar newest open time of all series
 * @property {number | null} lastSync
 * @property {string} status the worst of its series
 */

const WORST_FIRST = ["error", "syncing", "pending", "none", "completed"];

/**
 * Read everything; after each page `show` gets the markets that are known with all of their series.
 * @param {(markets: Market[], isWhole: boolean) => void} show
 * @param {() => boolean} isOver
 */
export async function readMarkets(show, isOver) {
  const live = get("/quotes/all").then((quotes) => new Set(quotes.map(symbolOf)));
  const [symbols, statuses] = [getPages("/market-data/symbols", {}), getPages("/market-data/sync-status", {})];
  /** @type {Map<string, Series[]>} */
  const series = new Map();
  /** @type {any[]} */
  const listings = [];
  /** @type {Market[]} */
  const markets = [];
  let last = ""; // key of the last status; both lists are in the order of their keys
  for (;;) {
    const [more, found, known] = await Promise.all([symbols.next(), statuses.next(), live]);
    if (isOver()) return;
    listings.push(...(more.value?.entries ?? []));
    for (const status of found.value?.entries ?? []) {
      const name = symbolOf(status);
      series.set(name, [...(series.get(name) ?? []), seriesOf(status)]);
      last = `${name}|${status.interval}`;
    }
    for (const listing of listings.slice(markets.length)) {
      const symbol = symbolOf(listing);
      if (!found.done && last <= `${symbol}}`) break; // "}" comes after "|"
      markets.push(marketOf(listing, series.get(symbol) ?? [], known));
    }
    const isWhole = Boolean(more.done && found.done);
    show([...markets], isWhole);
    if (isWhole) return;
  }
}

/**
 * The interval that a market's chart shows first: days, where there are any.
 * @param {Market} market
 */
export function firstInterval({ series }) {
  const intervals = series.map((each) => each.interval);
  return intervals.includes("1d") ? "1d" : (intervals.at(-1) ?? "1d");
}

/**
 * @param {any} listing
 * @param {Series[]} synced
 * @param {Set<string>} live
 * @returns {Market}
 */
export function marketOf(listing, synced, live) {
  const known = new Set(synced.map((each) => each.interval));
  const never = listing.intervals
    .filter((/** @type {string} */ interval) => !known.has(interval))
    .map((/** @type {string} */ interval) => seriesOf({ interval, status: "none", bar_count: 0 }));
  const series = [...synced, ...never].sort((one, other) => STORED.indexOf(one.interval) - STORED.indexOf(other.interval));
  return {
    symbol: symbolOf(listing),
    name: listing.name,
    type: listing.type,
    isActive: listing.active,
    isLive: live.has(symbolOf(listing)),
    series,
    bars: series.reduce((sum, each) => sum + each.bars, 0),
    lastBar: latest(series.map((each) => each.lastBar)),
    lastSync: latest(series.map((each) => each.lastSync)),
    status: WORST_FIRST.find((status) => series.some((each) => each.status === status)) ?? "none",
  };
}

/** @param {any} status @returns {Series} */
function seriesOf({ interval, status, bar_count, last_bar_at, last_sync_at, error_message }) {
  return {
    interval,
    status,
    bars: bar_count,
    lastBar: epochOf(last_bar_at),
    lastSync: epochOf(last_sync_at),
    error: error_message ?? null,
  };
}

/** @param {(number | null)[]} moments */
function latest(moments) {
  const known = moments.filter((each) => each !== null);
  return known.length ? Math.max(...known) : null;
}
