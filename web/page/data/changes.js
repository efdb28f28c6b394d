// What has changed on the server: one stream for all views of this page, while it is looked at.

import { follow } from "./stream.js";

const KEPT_MS = 5000; // without a view that listens: the next one may

/** @typedef {"jobs" | "schedules" | "subscriptions"} Kind */
/** @typedef {{kinds: Kind[], onChange: () => void}} Listener */

/** @type {Set<Listener>} */
const listeners = new Set();
let isOpen = false;
/** @type {(() => void) | null} */
let stop = null;
/** @type {ReturnType<typeof setTimeout>} */
let endTimer;

/**
 * Call `onChange` after each change of these kinds, until the returned function is called.
 * @param {Kind[]} kinds
 * @param {() => void} onChange
 */
export function onChanges(kinds, onChange) {
  const listener = { kinds, onChange };
  listeners.add(listener);
  adapt();
  return () => {
    listeners.delete(listener);
    clearTimeout(endTimer);
    endTimer = setTimeout(adapt, KEPT_MS);
  };
}

/** Whether changes are heard; if not, a view must look again by itself. */
export function areHeard() {
  return isOpen;
}

function adapt() {
  const isWanted = listeners.size > 0 && !document.hidden;
  if (isWanted && !stop) stop = follow("/changes/stream", {}, { onEvent: tell, onState: (state) => {
    isOpen = state === "open";
  } });
  if (!isWanted && stop) {
    stop();
    stop = null;
    isOpen = false;
  }
}

/**
 * @param {string} _
 * @param {Kind[]} kinds
 */
function tell(_, kinds) {
  for (const listener of listeners) if (listener.kinds.some((kind) => kinds.includes(kind))) listener.onChange();
}

document.addEventListener("visibilitychange", adapt);
