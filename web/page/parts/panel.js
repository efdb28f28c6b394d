// A titled part of a view, and what stands in it: meters, states, trouble.

import { html } from "./html.js";

/** @param {{title: string, path?: string, count?: string | number, wide?: boolean, children?: any}} props */
export function Panel({ title, path, count, wide = false, children }) {
  return html`<section class="panel ${wide ? "is-wide" : ""}">
    <h2>${path ? html`<a href=${path}>${title}</a>` : title}
      ${count !== undefined && html`<span class="muted">${count}</span>`}</h2>
    ${children}
  </section>`;
}

/** @param {{value: number, most: number, label: string}} props */
export function Meter({ value, most, label }) {
  const share = most ? Math.min(100, (100 * value) / most) : 0;
  return html`<span class="meter" role="meter" aria-label=${label} aria-valuenow=${value} aria-valuemin="0" aria-valuemax=${most}>
    <span style=${{ width: `${share}%` }}></span></span>`;
}

const TONES = {
  ...{ ok: "is-good", completed: "is-good", running: "is-live", syncing: "is-live", closed: "is-good" },
  ...{ degraded: "is-warn", "partly failed": "is-warn", paused: "is-warn", cancelled: "", pending: "", queued: "", half_open: "is-warn" },
  ...{ down: "is-bad", error: "is-bad", failed: "is-bad", open: "is-bad" },
};

/** @param {{name: string, title?: string}} props a state of the API */
export function State({ name, title }) {
  const tone = TONES[/** @type {keyof typeof TONES} */ (name)] ?? "";
  return html`<span class="state ${tone}" title=${title}>${name.replaceAll("_", " ")}</span>`;
}

/** @param {{text: string}} props nothing, where it is empty */
export function Trouble({ text }) {
  return text ? html`<p class="trouble" role="status">${text.replace(/\.?$/, ".")} Trying again…</p>` : null;
}
