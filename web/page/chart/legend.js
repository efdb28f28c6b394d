// All values of the bar at the crosshair; of the newest bar where none is pointed at.

import { inWords } from "../data/intervals.js";
import { percentText, priceText, volumeText } from "../data/numbers.js";
import { html } from "../parts/html.js";
import { openTexts } from "./time-texts.js";

/** @param {{chart: import("./live-chart.js").LiveChart}} props */
export function Legend({ chart }) {
  const bars = chart.bars.value;
  const pointed = chart.pointed.value;
  const at = pointed === null ? bars.length - 1 : bars.findLastIndex((bar) => bar.time === pointed);
  const bar = bars[at];
  const listing = chart.listing.value;
  return html`<div class="legend">
    <div class="legend-title">
      <h1>${chart.symbol}</h1>
      <span class="legend-name">${listing?.name ?? ""}</span>
      <span class="muted">${inWords(chart.interval)}</span>
      ${listing?.currency && html`<span class="muted">${listing.currency}</span>`}
    </div>
    ${bar && html`<${Values} bar=${bar} before=${bars[at - 1]} digits=${chart.digits.value} />`}
    ${bar && html`<div class="legend-times">
      ${openTexts(bar, chart.hours.value?.zone ?? "UTC").map((text) => html`<span key=${text}>${text}</span>`)}
      ${bar.isForming && html`<span class="tag">forming</span>`}
      ${bar.isPartial && html`<span class="tag is-partial" title="Part of its time was not seen">partial</span>`}
    </div>`}
    ${chart.isLoading.value && html`<div class="muted">Loading…</div>`}
    ${chart.isLoadingOlder.value && html`<div class="muted">Loading older bars…</div>`}
    ${chart.trouble.value && html`<div class="tag is-bad" role="status">${chart.trouble} Trying again…</div>`}
    ${!chart.isLoading.value && !bars.length && html`<div class="muted">No bars are stored yet.</div>`}
  </div>`;
}

/**
 * @param {{
 *   bar: import("../data/bars.js").Bar,
 *   before: import("../data/bars.js").Bar | undefined,
 *   digits: number,
 * }} props
 */
function Values({ bar, before, digits }) {
  const change = before ? 100 * (bar.close / before.close - 1) : null;
  const tone = bar.close >= bar.open ? "is-up" : "is-down";
  const values = [
    ["O", priceText(bar.open, digits)],
    ["H", priceText(bar.high, digits)],
    ["L", priceText(bar.low, digits)],
    ["C", priceText(bar.close, digits)],
    ["V", volumeText(bar.volume)],
  ];
  return html`<dl class="legend-values ${tone}">
    ${values.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}
    ${change !== null && html`<div><dt class="sr">Change</dt><dd>${percentText(change)}</dd></div>`}
  </dl>`;
}
