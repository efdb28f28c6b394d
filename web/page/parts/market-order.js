// Which markets are shown, and in which order.

import { now } from "../data/times.js";

const STALE_SECONDS = 2 * 86_400;

/** @typedef {import("../data/markets.js").Market} Market */

/** @type {Record<string, (market: Market) => boolean>} */
export const SHOWS = {
  all: () => true,
  live: (market) => market.isLive,
  error: (market) => market.status === "error",
  stale: (market) => market.series.some(({ lastSync }) => lastSync === null || lastSync < now() - STALE_SECONDS),
  paused: (market) => !market.isActive,
};

/** @type {Record<string, (market: Market) => string | number>} */
const VALUES = {
  symbol: (market) => market.symbol,
  type: (market) => market.type,
  last: (market) => market.lastBar ?? 0,
  sync: (market) => market.lastSync ?? 0,
  bars: (market) => market.bars,
  status: (market) => market.status,
};

/**
 * @param {Market[]} markets ordered by symbol
 * @param {{text: string, show: string, by: string, isDescending: boolean}} wanted
 */
export function arranged(markets, { text, show, by, isDescending }) {
  const words = text.trim().toLowerCase();
  const isShown = SHOWS[show] ?? SHOWS.all;
  const found = markets.filter(
    (market) => isShown(market) && `${market.symbol} ${market.name} ${market.type}`.toLowerCase().includes(words),
  );
  const valueOf = VALUES[by] ?? VALUES.symbol;
  const sign = isDescending ? -1 : 1;
  return found.sort((one, other) => {
    const [a, b] = [valueOf(one), valueOf(other)];
    return a < b ? -sign : Number(a > b) * sign;
  });
}
