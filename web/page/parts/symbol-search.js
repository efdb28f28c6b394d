// Finds a symbol: among those stored here as you type, then at the provider.

import { useEffect, useRef } from "../vendor/hooks.js";
import { signal, useSignal, useSignalEffect } from "../vendor/signals.js";
import { address, chartPath, go } from "../data/address.js";
import { get, getPage, isSymbol, symbolOf } from "../data/api.js";
import { inItsCase } from "../data/variants.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

const PAUSE_MS = 180; // of typing, before the search
const MOST_STORED = 8;
const MOST_FOUND = 20;

/** What a choice does; null: the dialog is closed. */
const choosing = signal(/** @type {{title: string, choose: (symbol: string) => void} | null} */ (null));

/** Search for a symbol and show its chart. */
export function searchForChart() {
  const interval = address.value.searchParams.get("interval") ?? "1d";
  searchFor("Show a symbol", (symbol) => go(chartPath(symbol, interval)));
}

/**
 * @param {string} title
 * @param {(symbol: string) => void} choose
 */
export function searchFor(title, choose) {
  choosing.value = { title, choose };
}

/** @typedef {{symbol: string, name: string, type: string, isStored: boolean}} Match */

export function SymbolSearch() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const text = useSignal("");
  const matches = useSignal(/** @type {Match[]} */ ([]));
  const chosen = useSignal(0);
  const note = useSignal("");
  const answered = useSignal(""); // the text that the matches belong to
  const isHasty = useRef(false); // Enter was pressed before they came

  useSignalEffect(() => {
    if (choosing.value && !dialog.current?.open) {
      dialog.current?.showModal();
      field.current?.select();
    }
    if (!choosing.value && dialog.current?.open) dialog.current?.close();
  });

  useEffect(() => {
    if (!choosing.value) return undefined;
    let isOld = false;
    const wanted = text.value.trim();
    const timer = setTimeout(() => find(wanted, (found, said) => {
      if (isOld) return;
      [matches.value, note.value, chosen.value, answered.value] = [found, said, 0, wanted];
      if (isHasty.current && found.length) choose(found[0].symbol);
    }), wanted ? PAUSE_MS : 0);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [text.value, choosing.value]);

  const choose = (/** @type {string} */ symbol) => {
    const { choose: act } = choosing.value ?? {};
    choosing.value = null;
    isHasty.current = false;
    act?.(symbol);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const count = matches.value.length;
      chosen.value = count ? (chosen.value + step + count) % count : 0;
    }
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const typed = inItsCase(text.value.trim());
    const isAnswered = answered.value === text.value.trim();
    const match = isAnswered && matches.value[chosen.value];
    if (match) choose(match.symbol);
    else if (isSymbol(typed)) choose(typed);
    else isHasty.current = !isAnswered;
  };

  return html`<dialog ref=${dialog} class="dialog search" aria-label=${choosing.value?.title ?? "Search"}
      onCancel=${() => {
        choosing.value = null;
      }}
      onClick=${(/** @type {MouseEvent} */ event) => {
        if (event.target === dialog.current) choosing.value = null;
      }}>
    <form onSubmit=${submit} role="search">
      <div class="search-field">
        <${Icon} name="search" />
        <input ref=${field} value=${text} aria-label="Symbol or name" placeholder="Symbol or name, such as apple or NASDAQ:AAPL"
          role="combobox" aria-expanded="true" aria-controls="search-matches" autocomplete="off" spellcheck=${false} maxlength="160"
          aria-activedescendant=${matches.value.length ? `match-${chosen.value}` : undefined}
          onInput=${(/** @type {any} */ event) => {
            text.value = event.target.value;
            isHasty.current = false;
          }}
          onKeyDown=${press} />
        <kbd>esc</kbd>
      </div>
      <ul id="search-matches" role="listbox" aria-label="Symbols">
        ${matches.value.map(
          ({ symbol, name, type, isStored }, index) => html`<li key=${symbol} id="match-${index}" role="option"
              aria-selected=${index === chosen.value} onClick=${() => choose(symbol)}
              onMouseMove=${() => {
                chosen.value = index;
              }}>
            <strong>${symbol}</strong><span class="match-name">${name}</span>
            <span class="muted">${type}</span>${isStored && html`<span class="tag">stored</span>`}
          </li>`,
        )}
      </ul>
      ${note.value && html`<p class="hint">${note}</p>`}
    </form>
  </dialog>`;
}

/**
 * @param {string} query
 * @param {(matches: Match[], note: string) => void} show called twice: the provider takes longer
 */
async function find(query, show) {
  /** @type {Match[]} */
  let stored = [];
  try {
    const { entries } = await getPage("/market-data/symbols", {
      query: query.split(":").pop() || null,
      page_size: MOST_STORED,
    });
    stored = entries.map((entry) => ({ ...matchOf(entry), isStored: true }));
    if (query.length < 2) return show(stored, "");
    show(stored, "Asking the provider…");
    const { symbols } = await get("/market-data/symbols/search", searchOf(query));
    const known = new Set(stored.map((match) => match.symbol));
    const found = symbols.map(matchOf).filter((/** @type {Match} */ match) => !known.has(match.symbol));
    const all = [...stored, ...found];
    return show(all, all.length ? "" : `No symbol matches ${query}.`);
  } catch (error) {
    return show(stored, /** @type {Error} */ (error).message);
  }
}

/** @param {string} query */
function searchOf(query) {
  const [exchange, ticker] = query.includes(":") ? query.split(":", 2) : ["", query];
  return { query: ticker || exchange, exchange: ticker ? exchange || null : null, limit: MOST_FOUND };
}

/** @param {any} entry @returns {Match} */
function matchOf(entry) {
  return { symbol: symbolOf(entry), name: entry.name, type: entry.type, isStored: false };
}
