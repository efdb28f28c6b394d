// All values of the bar at the crosshair; of the newest bar where none is pointed at.

import { address } from "../data/address.js";
import { inWords } from "../data/intervals.js";
import { priceText, volumeText } from "../data/numbers.js";
import { plainOf, variantInWords } from "../data/variants.js";
import { html } from "../parts/html.js";
import { changeText, ComparedLegend, InView } from "./compared-legend.js";
import { holeText } from "./holes.js";
import { scaleOf } from "./scale.js";
import { openTexts } from "./time-texts.js";

/** @typedef {import("../data/bars.js").Bar} Bar */

/** @param {{chart: import("./live-chart.js").LiveChart}} props */
export function Legend({ chart }) {
  const bars = chart.bars.value;
  const pointed = chart.pointed.value;
  const at = pointed === null ? bars.length - 1 : bars.findLastIndex((bar) => bar.time === pointed);
  const bar = bars[at];
  const holes = chart.holes.value.filter(({ after }) => after === at || after === at - 1);
  const changes = chart.changed.value.filter(({ time }) => time === bar?.time);
  const events = chart.events.value.filter(({ time }) => time === bar?.time);
  const listing = chart.listing.value;
  const variant = variantInWords(chart.symbol);
  const compared = chart.compared.value;
  const scale = scaleOf(address.value.searchParams);
  const base = scale === "percent" ? baseOf(bars, chart.base.value) : null;
  return html`<div class="legend ${compared && scale !== "percent" ? "is-indented" : ""}">
    <div class="legend-title">
      <h1>${plainOf(chart.symbol)}</h1>
      ${variant && html`<span class="tag">${variant}</span>`}
      <span class="legend-name">${listing?.name ?? ""}</span>
      <span class="muted">${inWords(chart.interval)}</span>
      ${listing?.currency && html`<span class="muted">${listing.currency}</span>`}
    </div>
    ${bar && html`<${Values} bar=${bar} before=${bars[at - 1]} base=${base} digits=${chart.digits.value} />`}
    ${bar && html`<div class="legend-times">
      ${openTexts(bar.time, chart.tradingDayOf(bar), chart.hours.value?.zone ?? "UTC").map((text) => html`<span key=${text}>${text}</span>`)}
      ${bar.isForming && html`<span class="tag">forming</span>`}
      ${holes.map((hole) => html`<span key=${hole.after} class="tag is-warn">${holeText(hole, chart.interval)}</span>`)}
      ${changes.map(({ text }) => html`<span key=${text} class="tag is-warn">changed: ${text}</span>`)}
      ${events.map(({ text }) => html`<span key=${text} class="tag is-event">${text}</span>`)}
      ${bar.isPartial && html`<span class="tag is-partial" title="Part of its time was not seen">partial</span>`}
    </div>`}
    ${compared && html`<${ComparedLegend} key=${compared.symbol} chart=${chart} compared=${compared}
      bar=${pointed === null ? null : bar} base=${base} />`}
    ${chart.isLoading.value && html`<div class="muted">Loading…</div>`}
    ${chart.isLoadingOlder.value && html`<div class="muted">Loading older bars…</div>`}
    ${chart.trouble.value && html`<div class="tag is-bad" role="status">${chart.trouble} Trying again…</div>`}
    ${!chart.isLoading.value && !bars.length && html`<div class="muted">No bars are stored yet.</div>`}
  </div>`;
}

/**
 * The oldest bar in view.
 * @param {Bar[]} bars
 * @param {number | null} from its open time
 */
function baseOf(bars, from) {
  return bars.find((bar) => from !== null && bar.time >= from) ?? null;
}

/** @param {{bar: Bar, before: Bar | undefined, base: Bar | null, digits: number}} props */
function Values({ bar, before, base, digits }) {
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
    ${before && html`<div><dt class="sr">Change</dt><dd>${changeText(before, bar)}</dd></div>`}
    ${base && html`<${InView} from=${base} to=${bar} />`}
  </dl>`;
}
