// Whether markets are open now; asked for one by one, only for those in view.

import { signal } from "../vendor/signals.js";
import { now } from "./times.js";
import { tradingHours } from "./trading-hours.js";

const MOST_AT_ONCE = 4;
const UNKNOWN_SECONDS = 600;

/** @typedef {{isOpen: boolean | null, until: number}} MarketState */

/** By symbol; those that are missing have not been asked for. */
export const marketStates = signal(/** @type {Record<string, MarketState>} */ ({}));

/** @type {Set<string>} */
const waiting = new Set();
let asking = 0;

/**
 * See to it that these symbols' states become known and stay true.
 * @param {string[]} symbols
 */
export function wantMarketStates(symbols) {
  waiting.clear();
  for (const symbol of symbols) {
    const known = marketStates.peek()[symbol];
    if (!known || known.until <= now()) waiting.add(symbol);
  }
  while (asking < MOST_AT_ONCE && waiting.size) askNext();
}

async function askNext() {
  const [symbol] = waiting;
  if (symbol === undefined) return;
  waiting.delete(symbol);
  asking += 1;
  /** @type {MarketState} */
  let state = { isOpen: null, until: now() + UNKNOWN_SECONDS };
  try {
    const hours = await tradingHours(symbol);
    const next = hours?.isOpen ? hours.nextClose : hours?.nextOpen;
    if (hours) state = { isOpen: hours.isOpen, until: next ?? now() + UNKNOWN_SECONDS };
  } catch {
    // It stays unknown for a while.
  } finally {
    asking -= 1;
  }
  marketStates.value = { ...marketStates.peek(), [symbol]: state };
  askNext();
}
