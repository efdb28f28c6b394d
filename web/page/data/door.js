// The API key: asked for when the API wants one, kept for this tab or for this browser.

import { batch, signal } from "../vendor/signals.js";

const NAME = "pocketquant.key";

export const key = signal(sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "");

/** Why a key is asked for now; empty: the user asks for it; null: it is not. */
export const question = signal(/** @type {string | null} */ (null));

/** Whether the API wants a key, or a larger one, that was not given yet. */
export const isShut = signal(false);

/** @type {{isPatient: boolean, resolve: (isGiven: boolean) => void}[]} */
let waiting = [];

/**
 * Ask for a key; return whether one was given. Patient callers wait for it after the dialog is closed, too, and do
 * not open it again.
 * @param {string} reason
 * @param {boolean} isPatient
 * @returns {Promise<boolean>}
 */
export function askForKey(reason, isPatient) {
  const isDismissed = isShut.peek() && question.peek() === null;
  batch(() => {
    if (!(isPatient && isDismissed)) question.value = reason;
    isShut.value = true;
  });
  return new Promise((resolve) => waiting.push({ isPatient, resolve }));
}

/**
 * Use this key from now on.
 * @param {string} text
 * @param {boolean} isForBrowser whether other tabs and later visits use it too
 */
export function giveKey(text, isForBrowser) {
  if (isForBrowser) {
    sessionStorage.removeItem(NAME);
    localStorage.setItem(NAME, text);
  } else sessionStorage.setItem(NAME, text);
  use(text);
}

/** Close the question without a key. */
export function dismiss() {
  const refused = waiting.filter((each) => !each.isPatient);
  waiting = waiting.filter((each) => each.isPatient);
  batch(() => {
    question.value = null;
    isShut.value = waiting.length > 0;
  });
  for (const { resolve } of refused) resolve(false);
}

/** Forget the key, in other tabs that use it from the browser, too. */
export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
  key.value = "";
}

/** @param {string} text */
function use(text) {
  const given = waiting;
  waiting = [];
  batch(() => {
    key.value = text;
    question.value = null;
    isShut.value = false;
  });
  for (const { resolve } of given) resolve(true);
}

// Another tab has changed the browser's key; a tab with a key of its own keeps that.
addEventListener("storage", ({ storageArea, key: name, newValue }) => {
  if (storageArea !== localStorage || (name ?? NAME) !== NAME || sessionStorage.getItem(NAME)) return;
  if (newValue) use(newValue);
  else key.value = "";
});
