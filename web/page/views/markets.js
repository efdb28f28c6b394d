// Every symbol with its series: filter, sort, add; sync, watch, pause or forget one or many.

import { useEffect, useMemo, useRef } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { address, changeQuery, chartPath, go } from "../data/address.js";
import { areHeard, onChanges } from "../data/changes.js";
import { marketStates } from "../data/market-state.js";
import { firstInterval, readMarkets } from "../data/markets.js";
import { countText } from "../data/numbers.js";
import { html } from "../parts/html.js";
import { useKeys } from "../parts/keyboard.js";
import { MarketActions, addMarket } from "../parts/market-actions.js";
import { headOf, MarketRow } from "../parts/market-row.js";
import { arranged, SHOWS } from "../parts/market-order.js";
import { Trouble } from "../parts/panel.js";
import { searchFor } from "../parts/symbol-search.js";
import { VirtualList } from "../parts/virtual-list.js";

const ROW_PIXELS = 46;
const RELOAD_MS = 60_000; // while something changes
const RETRY_MS = 5000;
const MOST_RESTS = 10; // of a minute each, without a change that was heard

/** @typedef {import("../data/markets.js").Market} Market */

export default function Markets() {
  const markets = useSignal(/** @type {Market[]} */ ([]));
  const isWhole = useSignal(false);
  const trouble = useSignal("");
  const round = useSignal(0);
  const text = useSignal("");
  const chosen = useSignal(/** @type {Set<string>} */ (new Set()));
  const cursor = useSignal(-1);
  const hasChanged = useRef(false);
  const query = address.value.searchParams;
  const order = { by: query.get("sort") ?? "symbol", isDescending: query.get("desc") === "1" };
  const show = query.get("show") ?? "all";
  const reload = () => {
    round.value += 1;
  };

  useEffect(() => {
    document.title = "Markets · PocketQuant";
  }, []);
  useEffect(
    () =>
      onChanges(["jobs", "subscriptions"], () => {
        hasChanged.current = true;
      }),
    [],
  );
  useEffect(() => {
    let isOver = false;
    let rests = 0;
    hasChanged.current = false;
    let timer = setInterval(() => {
      rests += 1;
      const mayDiffer = hasChanged.current || !areHeard() || markets.peek().some(isBeingSynced) || rests >= MOST_RESTS;
      if (mayDiffer && !document.hidden) reload();
    }, RELOAD_MS);
    readMarkets((found, whole) => {
      if (isOver || (isWhole.peek() && !whole)) return; // a reload replaces the rows at once
      markets.value = found;
      isWhole.value = whole;
      trouble.value = "";
    }, () => isOver).catch((error) => {
      trouble.value = error.message;
      clearInterval(timer);
      if (!isOver) timer = setTimeout(reload, RETRY_MS);
    });
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [round.value]);

  const rows = useMemo(
    () => arranged(markets.value, { text: text.value, show, ...order }),
    [markets.value, text.value, show, order.by, order.isDescending],
  );
  const toggle = (/** @type {string} */ symbol) => {
    const next = new Set(chosen.value);
    if (!next.delete(symbol)) next.add(symbol);
    chosen.value = next;
  };
  useKeys((event) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    const at = rows[cursor.value];
    if (step) {
      event.preventDefault();
      cursor.value = Math.min(rows.length - 1, Math.max(0, cursor.value + step));
    } else if (event.key === "Enter" && at) go(chartPath(at.symbol, firstInterval(at)));
    else if (event.key === "x" && at && may("sync")) toggle(at.symbol);
    else if (event.key === "f") {
      event.preventDefault();
      document.getElementById("market-filter")?.focus();
    }
  }, [rows]);

  const add = () => searchFor("Add a symbol", (symbol) => addMarket(symbol, reload));
  return html`<div class="view is-full ${may("sync") ? "" : "has-no-choice"}">
    <div class="view-head">
      <h1>Markets</h1>
      <span class="muted" role="status">${rows.length === markets.value.length ? "" : `${countText(rows.length)} of `}${countText(markets.value.length)}${isWhole.value ? "" : "…"}</span>
      <input id="market-filter" type="search" placeholder="Filter by symbol, name or type" aria-label="Filter" value=${text} spellcheck=${false}
        onInput=${(/** @type {any} */ event) => {
          text.value = event.target.value;
          cursor.value = -1;
        }} />
      <div class="choices" role="group" aria-label="Show">
        ${Object.keys(SHOWS).map(
          (each) => html`<button key=${each} aria-pressed=${show === each} onClick=${() => changeQuery({ show: each === "all" ? null : each })}>${each}</button>`,
        )}
      </div>
      <span class="spring"></span>
      <button onClick=${reload}>Reload</button>
      ${may("sync") && html`<button class="primary" onClick=${add}>Add a symbol</button>`}
    </div>
    <${Trouble} text=${trouble.value} />
    <${MarketActions} chosen=${chosen.value} markets=${markets.value} onDone=${reload} onClear=${() => {
      chosen.value = new Set();
    }} />
    ${isWhole.value && !markets.value.length && html`<div class="empty"><h2>No symbol is stored yet</h2>
      <p>${may("sync") ? "Add one: its" : "A key of scope sync can add one. Its"} bars are fetched from the provider, and schedules keep them up to date.</p></div>`}
    ${isWhole.value && markets.value.length > 0 && !rows.length && html`<p class="empty">No symbol matches.</p>`}
    ${rows.length > 0 && html`<${VirtualList} rows=${rows} rowHeight=${ROW_PIXELS} label="Markets" cursor=${cursor.value}
      keyOf=${(/** @type {Market} */ market) => market.symbol}
      head=${headOf(order, {
        isAllChosen: rows.every((market) => chosen.value.has(market.symbol)),
        onAll: (/** @type {boolean} */ isChosen) => {
          chosen.value = new Set(isChosen ? rows.map((market) => market.symbol) : []);
        },
      })}
      onShown=${(/** @type {Market[]} */ shown) => marketStates.want(shown.filter((market) => market.lastSync !== null).map((market) => market.symbol))}
      draw=${(/** @type {Market} */ market) => html`<${MarketRow} market=${market} isChosen=${chosen.value.has(market.symbol)} onToggle=${toggle} />`} />`}
  </div>`;
}

/** @param {Market} market */
function isBeingSynced({ status }) {
  return status === "pending" || status === "syncing";
}
