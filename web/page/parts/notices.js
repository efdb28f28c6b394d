// Short messages about what an action has done, or why it failed.

import { signal } from "../vendor/signals.js";
import { html } from "./html.js";

const SHOWN_MS = 6000;

/** @typedef {{id: number, text: string, isError: boolean, link?: {path: string, text: string}}} Notice */

const notices = signal(/** @type {Notice[]} */ ([]));
let lastId = 0;

/**
 * @param {string} text
 * @param {{isError?: boolean, link?: {path: string, text: string}}} [options]
 */
export function notify(text, { isError = false, link } = {}) {
  lastId += 1;
  const id = lastId;
  notices.value = [...notices.value, { id, text, isError, link }].slice(-4);
  setTimeout(() => dismiss(id), isError ? 2 * SHOWN_MS : SHOWN_MS);
}

/**
 * Run an action; show its error.
 * @param {() => Promise<unknown>} action
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    notify(/** @type {Error} */ (error).message, { isError: true });
    return false;
  }
}

/** @param {number} id */
function dismiss(id) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function Notices() {
  return html`<div class="notices" role="status" aria-live="polite">
    ${notices.value.map(
      ({ id, text, isError, link }) => html`<div key=${id} class="notice ${isError ? "is-error" : ""}">
        <span>${text}</span>
        ${link && html`<a href=${link.path}>${link.text}</a>`}
        <button class="quiet" aria-label="Dismiss" onClick=${() => dismiss(id)}>×</button>
      </div>`,
    )}
  </div>`;
}
