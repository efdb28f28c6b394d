// What the API lets the user do, so that the page shows no button that would fail.

import { effect, signal } from "../vendor/signals.js";
import { get } from "./api.js";
import { key } from "./door.js";

const RETRY_MS = 3000;
const SCOPES = ["read", "sync", "admin"]; // each includes those before it

/**
 * @typedef {object} Access
 * @property {string} scope
 * @property {string | null} id of the key; null: none is needed
 * @property {string | null} name
 * @property {string | null} expires_at
 */

/** Null: not known yet. */
export const access = signal(/** @type {Access | null} */ (null));

/** Why it is not known. */
export const accessTrouble = signal("");

/**
 * Whether the key in use includes this scope; false until that is known.
 * @param {"read" | "sync" | "admin"} scope
 */
export function may(scope) {
  return access.value !== null && SCOPES.indexOf(access.value.scope) >= SCOPES.indexOf(scope);
}

// Until a new key's rights are known, those of the last one hold: nothing on the screen is dropped meanwhile.
effect(() => {
  const used = key.value;
  const isOver = () => key.peek() !== used;
  read(isOver);
});

/** @param {() => boolean} isOver */
async function read(isOver) {
  while (!isOver()) {
    try {
      const found = await get("/keys/current");
      if (isOver()) return;
      access.value = found;
      accessTrouble.value = "";
      return;
    } catch (error) {
      accessTrouble.value = /** @type {Error} */ (error).message;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
