// A series' time as a strip: what is complete, and what is missing and why.

import { partText, WORDS } from "../data/quality.js";
import { epochOf } from "../data/times.js";
import { html } from "./html.js";

/** @typedef {import("../data/quality.js").Part} Part */

/**
 * @param {{parts: Part[], marks?: Part[]}} props `marks`: single stretches above the parts, however short
 */
export function Strip({ parts, marks = [] }) {
  if (!parts.length) return html`<span class="strip is-empty"></span>`;
  const first = epochOf(parts[0].start) ?? 0;
  const whole = Math.max(1, (epochOf(parts[parts.length - 1].end) ?? 0) - first);
  const place = (/** @type {Part} */ { start, end }) => {
    const [from, to] = [(epochOf(start) ?? 0) - first, (epochOf(end) ?? 0) - first];
    return { left: `${(100 * from) / whole}%`, width: `${(100 * (to - from)) / whole}%` };
  };
  return html`<span class="strip" aria-hidden="true">${[...parts, ...marks].map(
    (part) => html`<span key=${part.start + part.state} class="is-${part.state.replaceAll("_", "-")}" style=${place(part)} title=${partText(part)}></span>`,
  )}</span>`;
}

export function StripKey() {
  return html`<ul class="strip-key" aria-label="Colours">${Object.entries(WORDS).map(
    ([state, words]) => html`<li key=${state}><span class="strip"><span class="is-${state.replaceAll("_", "-")}" style=${{ left: 0, width: "100%" }}></span></span>${words}</li>`,
  )}</ul>`;
}
