// The closes of the last hours, for small charts; asked for one by one, only for symbols in view.

import { signal } from "../vendor/signals.js";
import { get, symbolPath } from "./api.js";

const INTERVAL = "5m";
const CLOSES = 72;
const MOST_AT_ONCE = 4;

/** By symbol; those that are missing have not been asked for. */
export const sparks = signal(/** @type {Record<string, number[]>} */ ({}));

/** @type {Set<string>} */
const waiting = new Set();
let asking = 0;

/** @param {string[]} symbols */
export function wantSparks(symbols) {
  waiting.clear();
  for (const symbol of symbols) if (!(symbol in sparks.peek())) waiting.add(symbol);
  while (asking < MOST_AT_ONCE && waiting.size) askNext();
}

async function askNext() {
  const [symbol] = waiting;
  if (symbol === undefined) return;
  waiting.delete(symbol);
  asking += 1;
  /** @type {number[]} */
  let closes = [];
  try {
    const query = { interval: INTERVAL, limit: CLOSES, format: "columns" };
    closes = (await get(`/market-data/ohlcv/${symbolPath(symbol)}`, query)).columns.close.reverse();
  } catch {
    // Without stored minutes there is no small chart.
  } finally {
    asking -= 1;
  }
  sparks.value = { ...sparks.peek(), [symbol]: closes };
  askNext();
}
