// Draws bars with lightweight-charts: candles, volume below them; breaks between trading days, holes, changed bars, events.

import {
  CandlestickSeries,
  createChartEx,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  PriceScaleMode,
} from "../vendor/lightweight-charts.js";
import { firstFrom } from "../data/ordered.js";
import { coloursOf } from "./colours.js";
import { HoleBands } from "./hole-bands.js";
import { SessionBreaks } from "./session-breaks.js";
import { TimeAxis } from "./time-axis.js";

const NEAR_THE_OLDEST = 100; // bars left of the view: then older ones are asked for
const VISIBLE_AT_FIRST = 140;
const MARGINS = { top: 0.08, bottom: 0.24 }; // volume is drawn below
const MODES = {
  price: PriceScaleMode.Normal,
  log: PriceScaleMode.Logarithmic,
  percent: PriceScaleMode.Percentage,
};

/** @typedef {import("../data/bars.js").Bar} Bar */
/** @typedef {(time: number) => string} TimeText */
/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {{time: number, value: number}} Point */

export class Drawing {
  /**
   * @param {HTMLElement} element
   * @param {{
   *   onPoint: (time: number | null) => void,
   *   onNearOldest: () => void,
   *   onMove: () => void,
   * }} listener
   */
  constructor(element, { onPoint, onNearOldest, onMove }) {
    this.element = element;
    this.axis = new TimeAxis();
    this.chart = createChartEx(element, this.axis, {
      autoSize: true,
      // The notice that its licence asks for is in the page's footer.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(element).fontFamily },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderVisible: false, scaleMargins: MARGINS },
      leftPriceScale: { borderVisible: false, scaleMargins: MARGINS },
      timeScale: { borderVisible: false, rightOffset: 4, timeVisible: true, minBarSpacing: 0.3 },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: true });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    /** @type {import("../vendor/lightweight-charts.js").ISeriesApi<"Line"> | null} */
    this.compared = null;
    /** @type {Scale} */
    this.scale = "price";
    this.colours = coloursOf(element);
    this.breaks = new SessionBreaks(this.chart.timeScale(), this.colours.line);
    this.holes = new HoleBands(this.chart.timeScale());
    this.changes = new SessionBreaks(this.chart.timeScale(), this.colours.partial);
    this.events = new SessionBreaks(this.chart.timeScale(), this.colours.event);
    for (const marks of [this.holes, this.breaks, this.changes, this.events]) this.chart.panes()[0].attachPrimitive(marks);
    this.chart.subscribeCrosshairMove(({ time }) => onPoint(/** @type {number} */ (time) ?? null));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_THE_OLDEST) onNearOldest();
      onMove();
    });
    this.takeColours();
  }

  /** Take over the theme's colours; the bars have to be drawn again after it. */
  takeColours() {
    const colours = coloursOf(this.element);
    this.colours = colours;
    this.breaks.colour = colours.line;
    this.changes.colour = colours.partial;
    this.events.colour = colours.event;
    Object.assign(this.holes, { colour: colours.partial, tint: colours.hole, untraded: colours.line });
    this.chart.applyOptions({
      layout: { background: { color: colours.surface }, textColor: colours.muted },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: {
        vertLine: { color: colours.muted, labelBackgroundColor: colours.ink },
        horzLine: { color: colours.muted, labelBackgroundColor: colours.ink },
      },
    });
    this.candles.applyOptions({
      ...{ upColor: colours.up, borderUpColor: colours.up, wickUpColor: colours.up },
      ...{ downColor: colours.down, borderDownColor: colours.down, wickDownColor: colours.down },
    });
  }

  /**
   * Draw these bars in place of all others; those in view stay where they are.
   * @param {Bar[]} bars
   */
  draw(bars) {
    const view = this.#viewAmong(bars);
    this.candles.setData(bars.map((bar) => this.#candle(bar)));
    this.volume.setData(bars.map((bar) => this.#volume(bar)));
    if (view) this.chart.timeScale().setVisibleLogicalRange(view);
  }

  /**
   * Mark the beginnings of days, holes, changed bars and events, in place of all others.
   * @param {number[]} firstOfDays open times of the first bars of trading days
   * @param {import("./holes.js").Hole[]} holes
   * @param {number[]} changed open times of bars, in order
   * @param {number[]} eventful those of bars at which events lie
   */
  mark(firstOfDays, holes, changed, eventful) {
    this.breaks.times = firstOfDays;
    this.holes.holes = holes;
    this.changes.times = changed;
    this.events.times = eventful;
    this.chart.applyOptions({}); // draws all again
  }

  /**
   * Draw the newest bar, new or changed.
   * @param {Bar} bar
   */
  update(bar) {
    this.candles.update(this.#candle(bar));
    this.volume.update(this.#volume(bar));
  }

  /** @param {number} count of all bars */
  showNewest(count) {
    const visible = Math.min(VISIBLE_AT_FIRST, Math.max(30, this.element.clientWidth / 8));
    this.chart.timeScale().setVisibleLogicalRange({ from: count - visible, to: count + 4 });
  }

  /** @param {number} count of all bars; whether the newest one is in view */
  showsNewest(count) {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    return !range || range.to >= count - 1;
  }

  /** Open times of the first and last bar in view, or null. */
  visible() {
    const range = this.chart.timeScale().getVisibleRange();
    return range && { from: Number(range.from), to: Number(range.to) };
  }

  /** @param {{from: number, to: number}} range of open times */
  show({ from, to }) {
    this.chart.timeScale().setVisibleRange(/** @type {any} */ ({ from, to }));
  }

  /** @param {number} digits after the point */
  setDigits(digits) {
    this.candles.applyOptions({ priceFormat: priceFormat(digits) });
  }

  /**
   * Draw the line of a compared symbol in place of the one before.
   * @param {Point[]} points at times of the candles
   * @param {number} digits after the point
   */
  drawCompared(points, digits) {
    this.compared ??= this.chart.addSeries(LineSeries, { lineWidth: 2, priceLineVisible: false });
    this.compared.applyOptions({ color: this.colours.compared, priceFormat: priceFormat(digits) });
    this.compared.setData(/** @type {any} */ (points));
    this.setScale(this.scale);
  }

  /** @param {Point} point the newest one, new or changed */
  updateCompared(point) {
    this.compared?.update(/** @type {any} */ (point));
  }

  endCompared() {
    if (this.compared) this.chart.removeSeries(this.compared);
    this.compared = null;
    this.setScale(this.scale);
  }

  /**
   * In per cent a compared symbol shares the scale; else it has its own at the left.
   * @param {Scale} scale
   */
  setScale(scale) {
    this.scale = scale;
    const isApart = this.compared !== null && scale !== "percent";
    this.compared?.applyOptions({ priceScaleId: isApart ? "left" : "right" });
    this.chart.applyOptions({
      rightPriceScale: { mode: MODES[scale] },
      leftPriceScale: { mode: MODES[scale], visible: isApart },
    });
  }

  /**
   * @param {TimeText} pointed text at the crosshair
   * @param {(time: number, mark: number) => string} marked text at a mark of the axis
   * @param {import("./time-axis.js").Shown} shown
   */
  setTimes(pointed, marked, shown) {
    this.axis.shown = shown;
    this.chart.applyOptions({
      localization: { timeFormatter: /** @type {any} */ (pointed) },
      timeScale: /** @type {any} */ ({ tickMarkFormatter: marked }),
    });
  }

  /** Divide the time axis of what is drawn again, as its times are shown otherwise. */
  divideAgain() {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const drawn = [this.candles, this.volume, this.compared]
      .filter((series) => series !== null)
      .map((series) => ({ series, data: series.data() }));
    for (const { series } of drawn) series.setData([]);
    for (const { series, data } of drawn) series.setData(/** @type {any} */ (data));
    if (range) this.chart.timeScale().setVisibleLogicalRange(range);
  }

  picture() {
    return this.chart.takeScreenshot();
  }

  end() {
    this.chart.remove();
  }

  /**
   * The range in view as it is among these bars; null: the newest ones are in view, and stay so.
   * @param {Bar[]} bars
   */
  #viewAmong(bars) {
    const drawn = this.candles.data();
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range || !drawn.length || this.showsNewest(drawn.length)) return null;
    const at = Math.max(0, Math.min(drawn.length - 1, Math.ceil(range.from)));
    const moved = firstFrom(bars, (bar) => bar.time < Number(drawn[at].time)) - at;
    return { from: range.from + moved, to: range.to + moved };
  }

  /** @param {Bar} bar @returns {any} */
  #candle({ time, open, high, low, close, isPartial }) {
    const { partial } = this.colours;
    const marks = isPartial ? { borderColor: partial, wickColor: partial } : {};
    return { time, open, high, low, close, ...marks };
  }

  /** @param {Bar} bar @returns {any} */
  #volume({ time, open, close, volume }) {
    const color = close >= open ? this.colours.upVolume : this.colours.downVolume;
    return volume === null ? { time } : { time, value: volume, color };
  }
}

/** @param {number} digits after the point */
function priceFormat(digits) {
  return { type: /** @type {const} */ ("price"), precision: digits, minMove: 10 ** -digits };
}
