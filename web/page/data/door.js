// The API key: asked for when the API wants one, kept for this tab or for this browser.

import { signal } from "../vendor/signals.js";

const NAME = "pocketquant.key";

export const key = signal(sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "");

/** Why a key is asked for now; null: it is not. */
export const question = signal(/** @type {string | null} */ (null));

/** @type {(() => void)[]} */
let waiting = [];

/**
 * Ask for a key; the promise resolves once one is given.
 * @param {string} reason
 * @returns {Promise<void>}
 */
export function askForKey(reason) {
  question.value = reason;
  return new Promise((resolve) => waiting.push(resolve));
}

/**
 * Use this key from now on; an empty one is none.
 * @param {string} text
 * @param {boolean} isForBrowser whether other tabs and later visits use it too
 */
export function giveKey(text, isForBrowser) {
  forgetKey();
  if (text) (isForBrowser ? localStorage : sessionStorage).setItem(NAME, text);
  key.value = text;
  question.value = null;
  const resolved = waiting;
  waiting = [];
  for (const resolve of resolved) resolve();
}

export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
  key.value = "";
}
