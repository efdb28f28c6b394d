// A second symbol on the chart: its bars, drawn as a line of closes at the times of the chart's own.

import { signal } from "../vendor/signals.js";
import { ApiError, isSymbol } from "../data/api.js";
import { BarPages, MOST_AT_ONCE } from "../data/bars.js";
import { digitsOf } from "../data/numbers.js";
import { indexesBeside } from "./alignment.js";

/** @typedef {import("../data/bars.js").Bar} Bar */

export class Compared {
  /**
   * @param {string} symbol
   * @param {string} interval
   * @param {import("./drawing.js").Drawing} drawing
   */
  constructor(symbol, interval, drawing) {
    this.symbol = symbol;
    this.interval = interval;
    this.drawing = drawing;
    this.pages = new BarPages(symbol, interval);
    /** Its bars, as they are drawn. */
    this.bars = signal(/** @type {Bar[]} */ ([]));
    this.digits = signal(2);
    this.isLoading = signal(true);
    /** Why there is no line. */
    this.failure = signal(/** @type {ApiError | null} */ (null));
    this.isOver = false;
    this.drawnTo = -Infinity; // open time of the chart's bar at the end of the line
    this.reached = Promise.resolve();
  }

  get isLoaded() {
    return !this.isLoading.peek() && !this.failure.peek();
  }

  /**
   * Load bars back to a time; calls wait for each other.
   * @param {number} time
   */
  reach(time) {
    this.reached = this.reached.then(() => this.#reach(time));
    return this.reached;
  }

  /**
   * Take over what has changed of the newest bars; load them if that has failed.
   * @param {number} oldest time of the chart
   * @param {number} [limit] of bars to look at
   */
  async refresh(oldest, limit) {
    const { status } = this.failure.peek() ?? {};
    if (status === 404 || status === 422) return "nothing"; // until they are fetched
    if (this.isLoaded) return this.pages.refresh(limit).catch(() => "nothing"); // the chart's own tells it
    await this.reach(oldest);
    return "all";
  }

  /** @param {Bar[]} bars of the chart, all of them */
  draw(bars) {
    if (this.isOver) return;
    this.bars.value = this.pages.bars;
    this.digits.value = digitsOf(null, this.bars.value.map((bar) => bar.close));
    const points = this.#points(bars);
    this.drawnTo = points.at(-1)?.time ?? -Infinity;
    this.drawing.drawCompared(points, this.digits.value);
  }

  /** @param {Bar[]} bars the newest of the chart */
  drawNewest(bars) {
    this.bars.value = this.pages.bars;
    for (const point of this.#points(bars.filter((bar) => bar.time >= this.drawnTo))) {
      this.drawnTo = point.time;
      this.drawing.updateCompared(point);
    }
  }

  end() {
    this.isOver = true;
    this.drawing.endCompared();
  }

  /** @param {number} time */
  async #reach(time) {
    try {
      if (!isSymbol(this.symbol)) {
        throw new ApiError(422, "invalid_symbol", `${this.symbol} is no symbol: write EXCHANGE:TICKER.`);
      }
      if (!this.isLoaded) await this.pages.load();
      while (!this.isOver && this.pages.hasOlder && this.pages.closed[0].time > time) {
        await this.pages.loadOlder(MOST_AT_ONCE);
      }
      this.failure.value = null;
    } catch (error) {
      if (!this.pages.closed.length) this.failure.value = /** @type {any} */ (error);
    } finally {
      this.isLoading.value = false;
    }
  }

  /** @param {Bar[]} bars @returns {{time: number, value: number}[]} */
  #points(bars) {
    const others = this.bars.value;
    const beside = indexesBeside(bars, others, this.interval);
    return bars.flatMap((bar, at) => {
      const found = others[beside[at]];
      return found ? [{ time: bar.time, value: found.close }] : [];
    });
  }
}
