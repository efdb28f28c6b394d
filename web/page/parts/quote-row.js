// One symbol's live quote as a row of the list, and the list's head.

import { may } from "../data/access.js";
import { chartPath } from "../data/address.js";
import { digitsOf, percentText, priceText, volumeText } from "../data/numbers.js";
import { sparks } from "../data/sparks.js";
import { clockText, epochOf, momentText, now } from "../data/times.js";
import { html } from "./html.js";
import { Sparkline } from "./sparkline.js";

const DAY = 86_400;
const HEADINGS = [
  ["Symbol", ""],
  ["Last", "number"],
  ["Change", "number"],
  ["Bid", "number is-wide"],
  ["Ask", "number is-wide"],
  ["Day", "is-wide"],
  ["Volume", "number is-wide"],
  ["Last hours", "is-spark"],
  ["Feed", "is-wide"],
  ["", ""],
];

export const QUOTE_HEAD = html`${HEADINGS.map(([title, style]) => html`<span key=${title} role="columnheader" class=${style}>${title}</span>`)}`;

/**
 * @param {{
 *   symbol: string,
 *   live: import("../data/quotes.js").LiveSignal,
 *   onRemove: (symbol: string) => void,
 * }} props
 */
export function QuoteRow({ symbol, live, onRemove }) {
  const { quote, changes, direction } = live.value;
  const digits = digitsOf(null, [quote?.last_price, quote?.bid, quote?.ask].filter(Boolean));
  const price = (/** @type {number | null | undefined} */ value) => priceText(value, digits);
  const tone = (quote?.change ?? 0) >= 0 ? "is-up" : "is-down";
  // Two names for one animation: changing from one to the other starts it again.
  const flash = direction ? `flash-${direction > 0 ? "up" : "down"}-${changes % 2}` : "";
  const at = epochOf(quote?.timestamp);
  return html`<span role="cell" class="is-symbol"><a href=${chartPath(symbol, "1m")}>${symbol}</a>
      <span class="muted clip">${at === null ? "no quote yet" : `${tradedText(at)} UTC`}</span></span>
    <span role="cell" class="number is-last ${flash}">${price(quote?.last_price)}</span>
    <span role="cell" class="number ${tone}">${percentText(quote?.change_percent)}</span>
    <span role="cell" class="number is-wide">${price(quote?.bid)}</span>
    <span role="cell" class="number is-wide">${price(quote?.ask)}</span>
    <span role="cell" class="is-wide"><${DayRange} quote=${quote} price=${price} /></span>
    <span role="cell" class="number is-wide">${volumeText(quote?.volume)}</span>
    <span role="cell" class="is-spark"><${Sparkline} closes=${sparks.values.value[symbol] ?? []} last=${quote?.last_price ?? null} /></span>
    <span role="cell" class="is-wide"><${Feed} mode=${quote?.update_mode} /></span>
    <span role="cell">${may("sync") && html`<button class="quiet" aria-label="Stop watching ${symbol}" title="Stop watching"
      onClick=${() => onRemove(symbol)}>×</button>`}</span>`;
}

/** @param {number} at */
function tradedText(at) {
  const text = now() - at < DAY ? clockText : momentText;
  return text(at, "UTC", { seconds: true });
}

/**
 * Where the price stands between the day's low and high.
 * @param {{quote: any, price: (value: number | null) => string}} props
 */
function DayRange({ quote, price }) {
  const { low_price: low, high_price: high, last_price: last } = quote ?? {};
  if (!(high > low)) return html`<span class="muted">–</span>`;
  const share = Math.min(100, Math.max(0, (100 * (last - low)) / (high - low)));
  return html`<span class="range" title="low ${price(low)}, high ${price(high)}"><span style=${{ left: `${share}%` }}></span></span>`;
}

/** @param {{mode: string | null | undefined}} props */
function Feed({ mode }) {
  if (!mode) return html`<span class="muted">–</span>`;
  const delay = /_(\d+)$/.exec(mode);
  return delay
    ? html`<span class="tag is-warn">${Math.round(Number(delay[1]) / 60)} min late</span>`
    : html`<span class="tag ${mode === "streaming" ? "is-good" : ""}">${mode.replaceAll("_", " ")}</span>`;
}
