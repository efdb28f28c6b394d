// The address of the page, which says what it shows.

import { signal } from "../vendor/signals.js";

export const address = signal(new URL(location.href));

const VIEW = /^\/(?:markets|watch|schedules|quality|keys|jobs(?:\/[^/]+)?|chart(?:\/.+)?)?$/;

/**
 * Show another address; `replace` makes no entry in the browser's history.
 * @param {string} path
 * @param {{replace?: boolean}} [options]
 */
export function go(path, { replace = false } = {}) {
  const next = new URL(path, location.href);
  if (next.href === location.href) return;
  if (replace) history.replaceState(null, "", next);
  else history.pushState(null, "", next);
  address.value = next;
  if (!replace) scrollTo(0, 0);
}

/**
 * Change parts of the query; null removes one.
 * @param {Record<string, string | null>} changes
 * @param {{replace?: boolean}} [options]
 */
export function changeQuery(changes, options = {}) {
  const next = new URL(address.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  next.search = next.search.replaceAll("%3A", ":"); // of symbols, as people write them
  go(next.href, options);
}

/** @param {string} symbol `EXCHANGE:TICKER` */
export function chartPath(symbol, interval = "1d") {
  const path = symbol.split("/").map(encodeURIComponent).join("/").replaceAll("%3A", ":");
  return `/chart/${path}?interval=${encodeURIComponent(interval)}`;
}

/** Follow the browser's history, and links to views without loading a page. */
export function followLinks() {
  addEventListener("popstate", () => {
    address.value = new URL(location.href);
  });
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a");
    const hasModifier = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!link || event.button !== 0 || hasModifier || link.target || link.download) return;
    const next = new URL(link.href);
    if (next.origin !== location.origin || !VIEW.test(next.pathname)) return;
    event.preventDefault();
    go(next.href);
  });
}
