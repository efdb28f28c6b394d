// Live quotes of all watched symbols, with small charts; add and remove symbols.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { partsOf, post } from "../data/api.js";
import { onChanges } from "../data/changes.js";
import { countText } from "../data/numbers.js";
import { QuoteBook } from "../data/quotes.js";
import { sparks } from "../data/sparks.js";
import { html } from "../parts/html.js";
import { attempt, notify } from "../parts/notices.js";
import { Trouble } from "../parts/panel.js";
import { QUOTE_HEAD, QuoteRow } from "../parts/quote-row.js";
import { searchFor } from "../parts/symbol-search.js";
import { VirtualList } from "../parts/virtual-list.js";

const ROW_PIXELS = 46;
const RELOAD_MS = 60_000; // others may watch more
const FIRST_QUOTE_MS = [2000, 8000]; // after a subscription, until its quotes may be there

export default function Watch() {
  const book = useSignal(/** @type {QuoteBook | null} */ (null));
  const isLoaded = useSignal(false);
  const trouble = useSignal("");
  const text = useSignal("");
  useEffect(() => {
    document.title = "Watch · PocketQuant";
    const made = new QuoteBook();
    book.value = made;
    const load = async () => {
      if (document.hidden) return;
      try {
        await made.load();
        [isLoaded.value, trouble.value] = [true, ""];
      } catch (error) {
        trouble.value = /** @type {Error} */ (error).message;
      }
    };
    load();
    const timer = setInterval(load, RELOAD_MS);
    /** @type {ReturnType<typeof setTimeout>[]} */
    let soon = [];
    const stopListening = onChanges(["subscriptions"], () => {
      soon.forEach(clearTimeout);
      soon = FIRST_QUOTE_MS.map((milliseconds) => setTimeout(load, milliseconds));
    });
    return () => {
      clearInterval(timer);
      soon.forEach(clearTimeout);
      stopListening();
      made.end();
    };
  }, []);
  if (!book.value) return null;

  const { symbols, live, state, reason, unstreamed } = book.value;
  const words = text.value.trim().toUpperCase();
  const rows = symbols.value.filter((symbol) => symbol.includes(words));
  const add = () =>
    searchFor("Watch a symbol", (symbol) =>
      attempt(async () => {
        await post("/quotes/subscribe", { symbols: [partsOf(symbol)] });
        book.value?.add([symbol]);
      }),
    );
  const removeOne = (/** @type {string} */ symbol) =>
    attempt(async () => {
      await post("/quotes/unsubscribe", { symbols: [partsOf(symbol)] });
      book.value?.drop(symbol);
      notify(`${symbol} is no longer watched.`);
    });
  return html`<div class="view is-full">
    <div class="view-head">
      <h1>Watch</h1>
      <span class="muted">${countText(rows.length)}</span>
      <input type="search" aria-label="Filter" placeholder="Filter by symbol" value=${text} spellcheck=${false}
        onInput=${(/** @type {any} */ event) => {
          text.value = event.target.value;
        }} />
      ${rows.length > 0 && html`<span class="state ${state.value === "open" ? "is-live" : "is-bad"}" title=${reason.value}>
        ${state.value === "open" ? "Live" : "Reconnecting…"}</span>`}
      <span class="spring"></span>
      ${may("sync") && html`<button class="primary" onClick=${add}>Watch a symbol</button>`}
    </div>
    <${Trouble} text=${trouble.value} />
    ${unstreamed > 0 && html`<p class="tag is-warn">The last ${countText(unstreamed)} symbols are not streamed.</p>`}
    ${isLoaded.value && !symbols.value.length && html`<div class="empty"><h2>No symbol is watched</h2>
      <p>${may("sync") ? "Watch one: its" : "A key of scope sync can watch one. Its"} quotes are streamed until you remove it, and live bars are built from them.</p></div>`}
    ${rows.length > 0 && html`<div class="quotes"><${VirtualList} rows=${rows} rowHeight=${ROW_PIXELS} label="Quotes" cursor=${-1}
      keyOf=${(/** @type {string} */ symbol) => symbol} head=${QUOTE_HEAD} onShown=${(/** @type {string[]} */ shown) => sparks.want(shown)}
      draw=${(/** @type {string} */ symbol) => html`<${QuoteRow} symbol=${symbol} live=${live.get(symbol)} onRemove=${removeOne} />`} /></div>`}
  </div>`;
}
