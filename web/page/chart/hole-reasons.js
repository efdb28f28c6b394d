// Why bars are not stored, as the API says it of the intervals that are stored.

import { get, symbolPath } from "../data/api.js";
import { epochOf } from "../data/times.js";
import { UNTRADED } from "./holes.js";

const MOST = 10_000;
const WORDS = {
  not_fetched: "never fetched",
  not_synced: "not fetched yet",
  lost: "lost",
  not_served: "too old for the provider",
};

/** @typedef {import("./holes.js").Stretch} Stretch */

/**
 * @param {string} symbol
 * @param {string} interval
 * @param {{start: number, end: number}} range
 * @returns {Promise<Stretch[]>}
 */
export async function stretchesOf(symbol, interval, { start, end }) {
  const { holes, untraded } = await get(`/market-data/holes/${symbolPath(symbol)}`, {
    ...{ interval, limit: MOST },
    start: new Date(start * 1000).toISOString(),
    end: new Date(end * 1000).toISOString(),
  });
  const known = holes.map((/** @type {any} */ hole) => stretchOf(hole, wordsOf(hole.reason)));
  return [...known, ...untraded.map((/** @type {any} */ stretch) => stretchOf(stretch, UNTRADED))];
}

/** @param {string} reason */
function wordsOf(reason) {
  return WORDS[/** @type {keyof typeof WORDS} */ (reason)] ?? reason;
}

/**
 * @param {any} stretch
 * @param {string} reason
 * @returns {Stretch}
 */
function stretchOf(stretch, reason) {
  return { first: epochOf(stretch.first_bar_at) ?? 0, reason };
}
