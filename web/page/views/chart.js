// One symbol's bars: candles and volume, live; the address says which, and how they are shown.

import { useEffect, useRef } from "../vendor/hooks.js";
import { untracked, useSignal, useSignalEffect } from "../vendor/signals.js";
import { address, changeQuery, chartPath, go } from "../data/address.js";
import { getPage, symbolOf } from "../data/api.js";
import { isInterval } from "../data/intervals.js";
import { isDark } from "../data/theme.js";
import { inItsCase } from "../data/variants.js";
import { html } from "../parts/html.js";
import { useKeys } from "../parts/keyboard.js";
import { searchForChart } from "../parts/symbol-search.js";
import { ChartProblem } from "../chart/problem.js";
import { chooseCompared } from "../chart/compared-legend.js";
import { Legend } from "../chart/legend.js";
import { LiveChart } from "../chart/live-chart.js";
import { scaleOf } from "../chart/scale.js";
import { Toolbar } from "../chart/toolbar.js";
import { useIntervalKeys } from "../chart/interval-keys.js";

const ADDRESS_MS = 300; // after the last move, until the address names the range

/** @param {{name: string}} props `EXCHANGE:TICKER`; empty: none is chosen yet */
export default function ChartView({ name }) {
  if (!name) return html`<${AnySymbol} />`;
  const interval = address.value.searchParams.get("interval") ?? "1d";
  return html`<${SymbolChart} key=${`${name}|${interval}`} symbol=${inItsCase(name)} interval=${interval} />`;
}

/** Without a symbol: the first stored one is shown. */
function AnySymbol() {
  const isNone = useSignal(false);
  useEffect(() => {
    getPage("/market-data/symbols", { page_size: 1, active: true })
      .then(({ entries }) => {
        if (entries.length) go(chartPath(symbolOf(entries[0]), entries[0].intervals[0]), { replace: true });
        else isNone.value = true;
      })
      .catch(() => {
        isNone.value = true;
      });
  }, []);
  if (!isNone.value) return html`<p class="starting">Loading…</p>`;
  return html`<div class="empty">
    <h1>No symbol is stored yet</h1>
    <p>Search for one; its bars are then fetched from the provider.</p>
    <button class="primary" onClick=${searchForChart}>Search for a symbol</button>
  </div>`;
}

/** @param {{symbol: string, interval: string}} props */
function SymbolChart({ symbol, interval }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useSignal(/** @type {LiveChart | null} */ (null));
  const attempts = useSignal(0);
  const typed = useIntervalKeys((chosen) => changeQuery({ interval: chosen, from: null, to: null }));

  useKeys((event) => {
    if (event.key !== "+") return;
    event.preventDefault();
    chooseCompared(symbol);
  }, [symbol]);

  useEffect(() => {
    document.title = `${symbol} ${interval} · PocketQuant`;
    if (!isInterval(interval) || !place.current) return undefined;
    const noter = rangeNoter();
    const drawn = new LiveChart(place.current, symbol, interval, optionsOf(address.peek()), noter.note);
    chart.value = drawn;
    Object.assign(window, { pocketquantChart: drawn }); // for tests, and for the browser's console
    drawn.start();
    return () => {
      chart.value = null;
      drawn.end();
      noter.stop();
    };
  }, [symbol, interval, attempts.value]);

  useSignalEffect(() => {
    const [drawn, options] = [chart.value, optionsOf(address.value)];
    untracked(() => drawn?.setOptions(options));
  });
  useSignalEffect(() => {
    isDark.value; // the style sheet follows it first
    requestAnimationFrame(() => chart.peek()?.takeColours());
  });
  useSignalEffect(() => {
    const last = chart.value?.bars.value.at(-1);
    if (last) document.title = `${last.close} ${symbol} ${interval} · PocketQuant`;
  });

  const problem = isInterval(interval) ? chart.value?.failure.value : { status: 422, message: "" };
  return html`<section class="chart-view" aria-label="Chart of ${symbol}">
    <${Toolbar} symbol=${symbol} interval=${interval} chart=${chart.value} />
    <div class="chart-frame">
      <div class="chart" ref=${place} role="img" aria-label="Candles of ${symbol}, ${interval}"></div>
      ${chart.value && !problem && html`<${Legend} chart=${chart.value} />`}
      ${typed.value && html`<div class="typed-interval" role="status">${typed}</div>`}
      ${problem && html`<${ChartProblem} symbol=${symbol} interval=${interval} problem=${problem}
        onRetry=${() => {
          attempts.value += 1;
        }} />`}
    </div>
  </section>`;
}

/** @param {URL} url */
function optionsOf(url) {
  const [from, to] = ["from", "to"].map((name) => Number(url.searchParams.get(name)));
  return {
    scale: scaleOf(url.searchParams),
    compared: inItsCase(url.searchParams.get("compare") ?? "") || null,
    isExchangeTime: url.searchParams.get("tz") === "exchange",
    range: from && to > from ? { from, to } : null,
  };
}

/** Writes the range in view into the address, once it rests. */
function rangeNoter() {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const stop = () => clearTimeout(timer);
  const note = (/** @type {{from: number, to: number} | null} */ range) => {
    stop();
    const [from, to] = range ? [String(range.from), String(range.to)] : [null, null];
    timer = setTimeout(() => changeQuery({ from, to }, { replace: true }), ADDRESS_MS);
  };
  return { note, stop };
}
