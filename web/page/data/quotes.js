// Live quotes of many symbols: one stream, a signal for each symbol.

import { batch, signal } from "../vendor/signals.js";
import { get, symbolOf } from "./api.js";
import { follow } from "./stream.js";

const MOST_STREAMED = 500;
const DRAWN_MS = 150; // quotes in between are not drawn
const BEGIN_MS = 300; // after the last change of the symbols, until they are streamed

/**
 * @typedef {object} Live
 * @property {any} quote as the API sends it; null: none has come yet
 * @property {number} changes counts the changes of the price
 * @property {-1 | 0 | 1} direction of the last change
 */

/** @typedef {import("../vendor/signals.js").Signal<Live>} LiveSignal */

export class QuoteBook {
  constructor() {
    this.symbols = signal(/** @type {string[]} */ ([]));
    this.state = signal(/** @type {import("./stream.js").StreamState} */ ("connecting"));
    this.reason = signal("");
    /** @type {Map<string, LiveSignal>} */
    this.live = new Map();
    /** @type {Map<string, any>} */
    this.pending = new Map();
    this.stop = () => {};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.beginTimer = undefined;
    this.drawTimer = setInterval(() => this.#draw(), DRAWN_MS);
  }

  /** Take all symbols that have live quotes. */
  async load() {
    const quotes = await get("/quotes/all");
    for (const quote of quotes) this.pending.set(symbolOf(quote), quote);
    this.add(quotes.map(symbolOf));
  }

  /** @param {string[]} symbols */
  add(symbols) {
    const fresh = symbols.filter((symbol) => !this.live.has(symbol));
    if (!fresh.length) return;
    for (const symbol of fresh) this.live.set(symbol, signal({ quote: null, changes: 0, direction: 0 }));
    this.#take([...this.live.keys()]);
  }

  /** @param {string} symbol */
  drop(symbol) {
    this.live.delete(symbol);
    this.#take([...this.live.keys()]);
  }

  end() {
    this.stop();
    clearTimeout(this.beginTimer);
    clearInterval(this.drawTimer);
  }

  /** How many symbols are beyond what one stream carries. */
  get unstreamed() {
    return Math.max(0, this.symbols.value.length - MOST_STREAMED);
  }

  /** @param {string[]} symbols */
  #take(symbols) {
    this.symbols.value = symbols.sort();
    clearTimeout(this.beginTimer);
    this.beginTimer = setTimeout(() => this.#follow(), BEGIN_MS);
  }

  #follow() {
    this.stop();
    const symbols = this.symbols.value.slice(0, MOST_STREAMED);
    if (!symbols.length) return;
    this.stop = follow("/quotes/stream", { symbols: symbols.join(",") }, {
      onEvent: (_, quote) => {
        this.pending.set(symbolOf(quote), quote);
      },
      onState: (state, reason) => {
        this.state.value = state;
        this.reason.value = reason ?? "";
      },
    });
  }

  #draw() {
    if (document.hidden || !this.pending.size) return;
    const quotes = this.pending;
    this.pending = new Map();
    batch(() => {
      for (const [symbol, quote] of quotes) {
        const live = this.live.get(symbol);
        if (live) live.value = next(live.peek(), quote);
      }
    });
  }
}

/**
 * @param {Live} before
 * @param {any} quote
 * @returns {Live}
 */
export function next({ quote: old, changes, direction }, quote) {
  if (!old || old.last_price === quote.last_price) return { quote, changes, direction };
  return { quote, changes: changes + 1, direction: quote.last_price > old.last_price ? 1 : -1 };
}
