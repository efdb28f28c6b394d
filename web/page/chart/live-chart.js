// One series on the screen: fetches its bars, draws them, follows quotes, loads older bars.

import { signal } from "../vendor/signals.js";
import { get, symbolOf, symbolPath } from "../data/api.js";
import { BarPages, PAGE } from "../data/bars.js";
import { isIntraday, STORED } from "../data/intervals.js";
import { digitsOf } from "../data/numbers.js";
import { follow } from "../data/stream.js";
import { epochOf, now, zoneText } from "../data/times.js";
import { variantInWords } from "../data/variants.js";
import { TradingCalendar } from "../data/trading-hours.js";
import { Compared } from "./compared.js";
import { firstOfDays, tradingDayAt } from "./days.js";
import { Drawing } from "./drawing.js";
import { eventBarsOf, eventsOf } from "./events.js";
import { stretchesOf } from "./hole-reasons.js";
import { changedBarsOf } from "./changed-bars.js";
import { hasHoles, holesOf, withReasons } from "./holes.js";
import { axisText, markTexts, shownTime } from "./time-texts.js";

const QUOTED_REFRESH_MS = 2000; // while quotes arrive; they move the forming bar in between
const UNQUOTED_REFRESH_MS = 60_000; // so often, older bars are looked at too: repairs change them
const CLOSING_MS = 3000; // from a bar's end until streamers have stored it
const RETRY_MS = 5000;
const QUOTE_WAIT_MS = 4000; // then the symbol counts as not live
const MOST_PAGES_BACK = 20; // to a moment that the address names

/** @typedef {import("../data/bars.js").Bar} Bar */
/** @typedef {"asking" | "live" | "none" | "broken"} LiveState */
/**
 * @typedef {object} Options
 * @property {import("./scale.js").Scale} scale
 * @property {string | null} compared another symbol
 * @property {boolean} isExchangeTime
 * @property {{from: number, to: number} | null} range open times in view; null: the newest bars
 */

export class LiveChart {
  /**
   * @param {HTMLElement} element
   * @param {string} symbol
   * @param {string} interval
   * @param {Options} options
   * @param {(range: {from: number, to: number} | null) => void} onRange
   */
  constructor(element, symbol, interval, options, onRange) {
    this.symbol = symbol;
    this.interval = interval;
    this.options = options;
    this.onRange = onRange;
    this.pages = new BarPages(symbol, interval);
    /** The bars as they are drawn. */
    this.bars = signal(/** @type {Bar[]} */ ([]));
    /** Open time of the bar at the crosshair. */
    this.pointed = signal(/** @type {number | null} */ (null));
    this.isLoading = signal(true);
    this.isLoadingOlder = signal(false);
    /** Why there are no bars to show. */
    this.failure = signal(/** @type {import("../data/api.js").ApiError | null} */ (null));
    /** Why the bars on the screen may be old. */
    this.trouble = signal("");
    this.live = signal(/** @type {LiveState} */ ("asking"));
    this.quote = signal(/** @type {any} */ (null));
    this.digits = signal(2);
    this.calendar = new TradingCalendar(symbol);
    /** @type {import("../vendor/signals.js").Signal<import("./holes.js").Hole[]>} */
    this.holes = signal([]);
    this.changed = signal(/** @type {import("./changed-bars.js").ChangedBar[]} */ ([]));
    /** @type {import("./events.js").CorporateEvent[]} */
    this.corporateEvents = [];
    this.events = signal(/** @type {import("./events.js").EventBar[]} */ ([]));
    this.hours = signal(/** @type {import("../data/trading-hours.js").TradingHours | null} */ (null));
    this.listing = signal(/** @type {any} */ (null));
    this.compared = signal(/** @type {Compared | null} */ (null));
    /** Open time of the oldest bar in view, from which per cents count. */
    this.base = signal(/** @type {number | null} */ (null));
    this.drawing = new Drawing(element, {
      onPoint: (time) => {
        this.pointed.value = time;
      },
      onNearOldest: () => this.#loadOlder(),
      onMove: () => this.#noteRange(),
    });
    /** @type {Map<number, string>} by open time; empty for bars shorter than a day */
    this.tradingDays = new Map();
    /** @type {import("./holes.js").Stretch[]} */
    this.stretches = [];
    this.explained = ""; // the holes that these belong to
    this.zone = "UTC"; // of the time axis
    this.isOver = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.refreshTimer = undefined;
    this.refreshAt = Infinity;
    this.wholeAt = Date.now(); // when older bars were looked at
    this.followed = ""; // symbols whose quotes are streamed
    this.stopQuotes = () => {};
    this.onReturn = () => {
      this.wholeAt = 0;
      if (!document.hidden) this.#refreshIn(0);
    };
  }

  async start() {
    try {
      await this.pages.load();
    } catch (error) {
      if (!this.isOver) this.failure.value = /** @type {any} */ (error);
      return;
    } finally {
      this.isLoading.value = false;
    }
    if (this.isOver) return;
    this.#drawAll();
    await this.#showRange();
    this.loadCompared();
    this.#follow();
    this.#markChanged();
    this.#markEvents();
    await this.#describe();
  }

  /** Draw again with the theme's colours. */
  takeColours() {
    this.drawing.takeColours();
    this.#drawAll();
  }

  /** @param {Options} options */
  setOptions(options) {
    this.options = options;
    this.drawing.setScale(options.scale);
    this.#setTimes();
    this.#compareWith(options.compared);
  }

  /** Load the compared symbol's bars as far back as the chart's own, and draw them. */
  async loadCompared() {
    const compared = this.compared.peek();
    await compared?.reach(this.bars.peek()[0]?.time ?? Infinity);
    if (!compared || compared.isOver || !this.bars.peek().length) return;
    compared.draw(this.bars.peek());
    this.#followQuotes();
  }

  showNewest() {
    this.drawing.showNewest(this.bars.value.length);
  }

  end() {
    this.isOver = true;
    this.stopQuotes();
    clearTimeout(this.refreshTimer);
    this.compared.peek()?.end();
    document.removeEventListener("visibilitychange", this.onReturn);
    for (const name of ["online", "offline"]) removeEventListener(name, this.onReturn);
    this.drawing.end();
  }

  /**
   * The trading day of a bar, unless it is only the date in UTC.
   * @param {Bar} bar
   */
  tradingDayOf({ time, tradingDay }) {
    const isPlain = zoneText(this.hours.value?.zone ?? "UTC") === "UTC";
    return tradingDay ?? (isPlain ? null : tradingDayAt(time, this.calendar.sessions));
  }

  /** The bars in view. */
  visibleBars() {
    const range = this.drawing.visible();
    return this.bars.value.filter((bar) => range && bar.time >= range.from && bar.time <= range.to);
  }

  #drawAll() {
    const bars = this.pages.bars;
    this.digits.value = digitsOf(this.listing.value?.tick_size, bars.map((bar) => bar.close));
    this.drawing.setDigits(this.digits.value);
    this.#show(bars);
    this.drawing.draw(bars);
    this.#drawMarks();
    if (this.compared.peek()?.isLoaded) this.compared.peek()?.draw(bars);
    this.setOptions(this.options);
  }

  /** @param {Bar[]} bars that are drawn now */
  #show(bars) {
    for (const { time, tradingDay } of bars) if (tradingDay) this.tradingDays.set(time, tradingDay);
    this.bars.value = bars;
  }

  #drawNewest() {
    const drawn = this.bars.value.at(-1)?.time ?? -Infinity;
    const known = new Set(this.bars.value.slice(-100).map((bar) => bar.time));
    const bars = this.pages.bars;
    // A bar that is stored late comes after the next one was drawn; the chart only updates its last.
    if (bars.slice(-50).some((bar) => bar.time < drawn && !known.has(bar.time))) {
      this.#drawAll();
      return;
    }
    this.#show(bars);
    for (const bar of bars.slice(-50)) if (bar.time >= drawn) this.drawing.update(bar);
    if (this.compared.peek()?.isLoaded) this.compared.peek()?.drawNewest(bars.slice(-50));
  }

  /** @param {string | null} symbol */
  #compareWith(symbol) {
    const before = this.compared.peek();
    if (symbol === (before?.symbol ?? null)) return;
    before?.end();
    this.compared.value = symbol ? new Compared(symbol, this.interval, this.drawing) : null;
    if (symbol) this.loadCompared();
    else this.#followQuotes();
  }

  #setTimes() {
    const zone = (this.options.isExchangeTime && this.hours.value?.zone) || "UTC";
    const dayOf = (/** @type {number} */ time) => this.tradingDays.get(time) ?? null;
    this.drawing.setTimes(axisText(dayOf, zone), markTexts(dayOf, zone), shownTime(dayOf, zone));
    if (zone !== this.zone) this.drawing.divideAgain();
    this.zone = zone;
  }

  /** Fetch the hours as far back as the bars, and mark days and holes by them. */
  async #mark() {
    const newest = this.pages.closed.at(-1)?.time ?? now();
    const oldest = hasHoles(this.interval) ? this.pages.closed[0]?.time : newest;
    try {
      await this.calendar.cover(oldest ?? newest, newest);
    } catch {
      return; // the chart is whole without it; the next bar tries again
    }
    if (this.isOver) return;
    this.hours.value = this.calendar.hours;
    this.#drawMarks();
    this.#setTimes();
    await this.#explainHoles();
  }

  /** Fetch which bars changed after they were stored. */
  async #markChanged() {
    if (this.pages.resampledFrom) return;
    try {
      this.changed.value = await changedBarsOf(this.symbol, this.interval);
    } catch {
      return; // the chart is whole without them
    }
    if (!this.isOver) this.#drawMarks();
  }

  /** Fetch the splits and dividends of the symbol. */
  async #markEvents() {
    try {
      this.corporateEvents = await eventsOf(this.symbol);
    } catch {
      return; // the chart is whole without them
    }
    if (!this.isOver) this.#drawMarks();
  }

  /** Fetch why bars are not stored, once for each set of holes. */
  async #explainHoles() {
    const [holes, { closed }] = [this.holes.peek(), this.pages];
    if (!holes.length || !STORED.includes(this.interval)) return;
    const start = closed[holes[0].after].time;
    const end = closed[holes[holes.length - 1].after + 1].time;
    const range = `${start} ${end} ${holes.length}`;
    if (range === this.explained) return;
    try {
      this.stretches = await stretchesOf(this.symbol, this.interval, { start, end });
      this.explained = range;
    } catch {
      return; // they are seen without a reason
    }
    if (!this.isOver) this.#drawMarks();
  }

  #drawMarks() {
    const { sessions } = this.calendar;
    const { closed } = this.pages;
    this.holes.value = withReasons(holesOf(closed, sessions, this.interval), closed, this.stretches);
    const days = isIntraday(this.interval) ? firstOfDays(this.bars.value, sessions) : [];
    const changed = this.changed.value.map(({ time }) => time).sort((one, other) => one - other);
    this.events.value = eventBarsOf(this.corporateEvents, this.bars.value, this.interval);
    const eventful = this.events.value.map(({ time }) => time);
    this.drawing.mark(days, this.holes.value, changed, eventful);
  }

  async #showRange() {
    const { range } = this.options;
    if (!range) return this.showNewest();
    for (let page = 0; page < MOST_PAGES_BACK && !this.isOver; page += 1) {
      if (this.pages.closed[0]?.time <= range.from || !this.pages.hasOlder) break;
      await this.pages.loadOlder();
    }
    if (this.isOver) return undefined;
    this.#drawAll();
    return this.drawing.show(range);
  }

  #noteRange() {
    const showsNewest = this.drawing.showsNewest(this.bars.value.length);
    const visible = this.drawing.visible();
    this.base.value = visible && visible.from;
    this.onRange(showsNewest ? null : visible);
  }

  async #loadOlder() {
    if (!this.bars.value.length || !this.pages.hasOlder || this.pages.isLoadingOlder) return;
    this.isLoadingOlder.value = true;
    try {
      if ((await this.pages.loadOlder()) && !this.isOver) {
        this.#drawAll();
        this.#mark();
        this.loadCompared();
      }
      this.trouble.value = "";
    } catch (error) {
      this.trouble.value = /** @type {Error} */ (error).message;
    } finally {
      this.isLoadingOlder.value = false;
    }
  }

  /** Fetch the texts around the bars; the chart is whole without them. */
  async #describe() {
    const [, listing] = await Promise.allSettled([
      this.#mark(),
      get(`/market-data/symbols/${symbolPath(this.symbol)}`),
    ]);
    if (this.isOver || listing.status !== "fulfilled") return;
    this.listing.value = listing.value;
    this.#drawAll();
  }

  #follow() {
    this.#followQuotes();
    document.addEventListener("visibilitychange", this.onReturn);
    for (const name of ["online", "offline"]) addEventListener(name, this.onReturn);
    this.#refreshIn(UNQUOTED_REFRESH_MS);
  }

  /** Stream the quotes of what is drawn: browsers have few connections, so all come by one. */
  #followQuotes() {
    const compared = this.compared.peek();
    const drawn = [this.symbol, ...(compared?.isLoaded ? [compared.symbol] : [])];
    const symbols = drawn.filter((symbol) => !variantInWords(symbol)).join(","); // variants have no quotes
    if (this.isOver || symbols === this.followed) return;
    this.followed = symbols;
    this.stopQuotes();
    if (!symbols) return;
    this.stopQuotes = follow("/quotes/stream", { symbols }, {
      onEvent: (_, quote) => this.#takeQuote(quote),
      onState: (state, reason) => {
        if (state === "waiting") this.live.value = "broken";
        if (state === "open") {
          if (this.live.value === "broken") this.#refreshIn(0);
          this.live.value = "asking";
          setTimeout(() => {
            if (this.live.value === "asking") this.live.value = "none";
          }, QUOTE_WAIT_MS);
        }
        this.trouble.value = state === "waiting" ? (reason ?? "") : "";
      },
    });
  }

  /** @param {any} quote */
  #takeQuote(quote) {
    const isOwn = symbolOf(quote) === this.symbol;
    if (isOwn) {
      this.live.value = "live";
      this.quote.value = quote;
    }
    const pages = isOwn ? this.pages : this.compared.peek()?.pages;
    if (pages?.follow(quote.last_price, epochOf(quote.timestamp))) this.#drawNewest();
    this.#refreshIn(QUOTED_REFRESH_MS);
  }

  /** @param {number} milliseconds at the latest */
  #refreshIn(milliseconds) {
    const at = Date.now() + milliseconds;
    if (this.isOver || at >= this.refreshAt) return;
    clearTimeout(this.refreshTimer);
    this.refreshAt = at;
    this.refreshTimer = setTimeout(() => this.#refresh(), milliseconds);
  }

  async #refresh() {
    let pause = UNQUOTED_REFRESH_MS;
    try {
      if (document.hidden) return; // its return refreshes
      const oldest = this.bars.peek()[0]?.time ?? Infinity;
      const newest = this.pages.closed.at(-1);
      const isWhole = Date.now() - this.wholeAt >= UNQUOTED_REFRESH_MS;
      if (isWhole) this.wholeAt = Date.now();
      const limit = isWhole ? PAGE : undefined;
      const changes = await Promise.all([
        this.pages.refresh(limit),
        this.compared.peek()?.refresh(oldest, limit),
      ]);
      if (this.isOver) return;
      this.trouble.value = "";
      if (changes.includes("all")) this.#drawAll();
      else if (changes.includes("newest")) this.#drawNewest();
      const isChanged = changes.includes("all") || newest !== this.pages.closed.at(-1);
      if (isChanged || this.calendar.isOutdated(now())) this.#mark();
      const end = this.pages.forming?.end;
      if (end) pause = Math.min(pause, Math.max(0, 1000 * (end - now())) + CLOSING_MS);
    } catch (error) {
      this.trouble.value = /** @type {Error} */ (error).message;
      pause = RETRY_MS;
    } finally {
      this.refreshAt = Infinity;
      this.#refreshIn(pause);
    }
  }
}
