// The errors of syncs that failed for good, with their counts; each can be tried again.

import { may } from "../data/access.js";
import { post } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { html } from "./html.js";
import { attempt, notify } from "./notices.js";

/**
 * Try failed syncs of all jobs again: those with one code, or a single one.
 * @param {{code: string} | {unit_id: string}} choice
 * @param {() => void} onDone
 */
export function retryFailed(choice, onDone) {
  return attempt(async () => {
    const { retried } = await post("/dead-letters/retry", undefined, choice);
    notify(`${countText(retried)} tried again.`);
    onDone();
  });
}

/** @param {{codes: {code: string, count: number}[], onDone: () => void}} props */
export function FailedCodes({ codes, onDone }) {
  return html`<ul class="chips">${codes.map(
    ({ code, count }) => html`<li key=${code}><span class="tag is-bad">${code} ${countText(count)}</span>
      ${may("sync") && html`<button onClick=${() => retryFailed({ code }, onDone)} title="Try all of them again">Retry all</button>`}</li>`,
  )}</ul>`;
}
