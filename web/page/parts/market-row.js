// One market as a row of the list, and the list's head.

import { may } from "../data/access.js";
import { changeQuery, chartPath } from "../data/address.js";
import { clock } from "../data/clock.js";
import { marketStates } from "../data/market-state.js";
import { firstInterval } from "../data/markets.js";
import { countText } from "../data/numbers.js";
import { momentText, spanText } from "../data/times.js";
import { plainOf, variantInWords } from "../data/variants.js";
import { html } from "./html.js";
import { State } from "./panel.js";

const COLUMNS = [
  ["symbol", "Symbol", ""],
  ["type", "Type", "is-type"],
  ["", "Intervals", "is-intervals"],
  ["", "Market", "is-market"],
  ["last", "Last bar", "is-last"],
  ["sync", "Synced", "is-sync"],
  ["bars", "Bars", "is-bars number"],
  ["status", "Status", "is-status"],
];

/**
 * @param {{by: string, isDescending: boolean}} order
 * @param {{isAllChosen: boolean, onAll: (isChosen: boolean) => void}} choice
 */
export function headOf({ by, isDescending }, { isAllChosen, onAll }) {
  const sort = (/** @type {string} */ column) => {
    const isAgain = column === by && !isDescending;
    changeQuery({ sort: column === "symbol" ? null : column, desc: isAgain ? "1" : null });
  };
  return html`${may("sync") && html`<span role="columnheader" class="is-choice"><input type="checkbox" aria-label="Choose all that are listed"
      checked=${isAllChosen} onChange=${(/** @type {any} */ event) => onAll(event.target.checked)} /></span>`}
    ${COLUMNS.map(
      ([column, title, style]) => html`<span key=${title} role="columnheader" class=${style}
          aria-sort=${column && column === by ? (isDescending ? "descending" : "ascending") : undefined}>
        ${column ? html`<button class="quiet" onClick=${() => sort(column)}>${title}${column === by ? (isDescending ? " ↓" : " ↑") : ""}</button>` : title}
      </span>`,
    )}`;
}

/**
 * @param {{
 *   market: import("../data/markets.js").Market,
 *   isChosen: boolean,
 *   onToggle: (symbol: string) => void,
 * }} props
 */
export function MarketRow({ market, isChosen, onToggle }) {
  const { symbol, series } = market;
  const variant = variantInWords(symbol);
  const errors = series.filter((each) => each.error).map((each) => `${each.interval}: ${each.error}`);
  return html`${may("sync") && html`<span role="cell" class="is-choice"><input type="checkbox" aria-label="Choose ${symbol}" checked=${isChosen}
      onChange=${() => onToggle(symbol)} /></span>`}
    <span role="cell" class="is-symbol"><a href=${chartPath(symbol, firstInterval(market))}>${plainOf(symbol)}</a>${variant && html`<span class="tag">${variant}</span>`}<span class="muted clip">${market.name}</span></span>
    <span role="cell" class="is-type muted">${market.type}</span>
    <span role="cell" class="is-intervals">${series.map(
      (each) => html`<a key=${each.interval} class="interval is-${each.status}" href=${chartPath(symbol, each.interval)}
        title="${countText(each.bars)} bars, ${each.status}">${each.interval}</a>`,
    )}</span>
    <span role="cell" class="is-market"><${Open} symbol=${symbol} isLive=${market.isLive} /></span>
    <span role="cell" class="is-last"><${Moment} at=${market.lastBar} /></span>
    <span role="cell" class="is-sync muted"><${Moment} at=${market.lastSync} /></span>
    <span role="cell" class="is-bars number">${countText(market.bars)}</span>
    <span role="cell" class="is-status">${market.isActive
      ? html`<${State} name=${market.status === "none" ? "never synced" : market.status} title=${errors.join("\n")} />`
      : html`<span class="tag" title="Schedules do not sync it">paused</span>`}</span>`;
}

/** @param {{symbol: string, isLive: boolean}} props */
function Open({ symbol, isLive }) {
  const state = marketStates.values.value[symbol]?.isOpen;
  const text = { true: "open", false: "closed" }[String(state)];
  return html`${text ? html`<span class="tag ${state ? "is-good" : ""}">${text}</span>` : html`<span class="muted">–</span>`}
    ${isLive && html`<span class="tag is-good">live</span>`}`;
}

/** @param {{at: number | null}} props */
function Moment({ at }) {
  if (at === null) return html`<span class="muted">–</span>`;
  return html`<span title="${momentText(at)} UTC">${spanText(clock.value - at)} ago</span>`;
}
