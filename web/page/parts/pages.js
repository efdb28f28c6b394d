// Steps through the pages of a list; the address holds the page.

import { changeQuery } from "../data/address.js";
import { countText } from "../data/numbers.js";
import { html } from "./html.js";

/** @param {{page: number, size: number, total: number, name?: string}} props `name`: of the page in the address */
export function Pages({ page, size, total, name = "page" }) {
  if (total <= size && page === 1) return null;
  const [first, last] = [(page - 1) * size + 1, Math.min(total, page * size)];
  const show = (/** @type {number} */ next) => changeQuery({ [name]: next === 1 ? null : String(next) });
  return html`<nav class="pages" aria-label="Pages">
    <button disabled=${page <= 1} onClick=${() => show(page - 1)}>Newer</button>
    <span class="muted">${countText(first)} to ${countText(last)} of ${countText(total)}</span>
    <button disabled=${last >= total} onClick=${() => show(page + 1)}>Older</button>
  </nav>`;
}
