// Values that are asked for one by one, and only for what is in view.

import { signal } from "../vendor/signals.js";

const MOST_AT_ONCE = 4;

/** @template T */
export class InView {
  /**
   * @param {(key: string) => Promise<T>} ask
   * @param {(value: T) => boolean} isFresh whether a value need not be asked for again
   */
  constructor(ask, isFresh) {
    this.ask = ask;
    this.isFresh = isFresh;
    /** By key; those that are missing have not been asked for. */
    this.values = signal(/** @type {Record<string, T>} */ ({}));
    /** @type {Set<string>} */
    this.waiting = new Set();
    this.asking = 0;
  }

  /**
   * See to it that these become known; others that still wait are left out.
   * @param {string[]} keys
   */
  want(keys) {
    const known = this.values.peek();
    this.waiting = new Set(keys.filter((key) => !(key in known && this.isFresh(known[key]))));
    while (this.asking < MOST_AT_ONCE && this.waiting.size) this.#askNext();
  }

  async #askNext() {
    const [key] = this.waiting;
    if (key === undefined) return;
    this.waiting.delete(key);
    this.asking += 1;
    const value = await this.ask(key);
    this.asking -= 1;
    this.values.value = { ...this.values.peek(), [key]: value };
    this.#askNext();
  }
}
