// The compared symbol in the legend: how it is chosen and removed, its values, its trouble.

import { changeQuery } from "../data/address.js";
import { percentText, priceText } from "../data/numbers.js";
import { STORED } from "../data/intervals.js";
import { html } from "../parts/html.js";
import { notify } from "../parts/notices.js";
import { searchFor } from "../parts/symbol-search.js";
import { firstBeside, indexesBeside } from "./alignment.js";
import { Fetch } from "./problem.js";

/** @typedef {import("../data/bars.js").Bar} Bar */

/**
 * Search for a symbol, and compare it with this one.
 * @param {string} symbol
 */
export function chooseCompared(symbol) {
  searchFor(`Compare ${symbol} with`, (chosen) => {
    if (chosen === symbol) notify(`The chart already shows ${symbol}.`, { isError: true });
    else changeQuery({ compare: chosen });
  });
}

/**
 * @param {{
 *   chart: import("./live-chart.js").LiveChart,
 *   compared: import("./compared.js").Compared,
 *   bar: Bar | null,
 *   base: Bar | null,
 * }} props `bar`: the one at the crosshair, without which the newest values are shown; `base`: that
 *   from which per cents count
 */
export function ComparedLegend({ chart, compared, bar, base }) {
  const { symbol } = compared;
  return html`<div class="legend-compared">
    <strong>${symbol}</strong>
    <${Content} chart=${chart} compared=${compared} bar=${bar} base=${base} />
    <button class="quiet" title="Stop comparing" aria-label="Stop comparing with ${symbol}"
      onClick=${() => changeQuery({ compare: null })}>×</button>
  </div>`;
}

/** @param {Parameters<typeof ComparedLegend>[0]} props */
function Content({ chart, compared, bar, base }) {
  const { interval } = chart;
  const failure = compared.failure.value;
  if (failure) {
    const isUnstored = failure.status === 404;
    return html`<span class="tag is-bad" role="alert">${isUnstored ? `has no bars of ${interval} here` : failure.message}</span>
      ${isUnstored && STORED.includes(interval) && html`<${Fetch} symbol=${compared.symbol} interval=${interval}
        onDone=${() => chart.loadCompared()} />`}`;
  }
  if (compared.isLoading.value) return html`<span class="muted">Loading…</span>`;
  const others = compared.bars.value;
  const at = bar ? indexesBeside([bar], others, interval)[0] : others.length - 1;
  const first = base && firstBeside(base, others, interval);
  const [found, before] = [others[at], others[at - 1]];
  return html`<dl>
    <div><dt>C</dt><dd>${priceText(found?.close, compared.digits.value)}</dd></div>
    ${found && before && html`<div><dt class="sr">Change</dt><dd>${changeText(before, found)}</dd></div>`}
    ${found && first && html`<${InView} from=${first} to=${found} />`}
  </dl>`;
}

/**
 * The change since the left edge of the chart.
 * @param {{from: Bar, to: Bar}} props
 */
export function InView({ from, to }) {
  return html`<div><dt>in view</dt><dd>${changeText(from, to)}</dd></div>`;
}

/**
 * @param {Bar} before
 * @param {Bar} after
 */
export function changeText(before, after) {
  return percentText(100 * (after.close / before.close - 1));
}
