// Data that a view looks at: loaded when it may have changed, and again and again while it does.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { areHeard, onChanges } from "./changes.js";

const QUIET_MS = 60_000; // while changes are heard, and nothing goes on

/**
 * Return what `load` gave last (null at first), its last error, and a function that loads at once.
 * @template T
 * @param {() => Promise<T>} load
 * @param {number} milliseconds between the end of a call and the next one
 * @param {unknown[]} [uses] what `load` depends on
 * @param {{
 *   kinds?: import("./changes.js").Kind[],
 *   isBusy?: (value: T) => boolean,
 *   quietMilliseconds?: number,
 * }} [told] `kinds` of changes after which to load; then the next call is late, unless `isBusy` says of the
 *   value that it changes without any of them
 */
export function usePolled(load, milliseconds, uses = [], { kinds = [], isBusy = () => true, quietMilliseconds = QUIET_MS } = {}) {
  const value = useSignal(/** @type {T | null} */ (null));
  const error = useSignal("");
  const again = useSignal(0);
  useEffect(() => {
    let [isOver, isLoading, isWantedAgain] = [false, false, false];
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const run = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      isWantedAgain = isLoading; // what is being loaded may be older than the change
      if (isLoading) return;
      isLoading = true;
      let isQuiet = false;
      try {
        const found = await load();
        if (isOver) return;
        value.value = found;
        error.value = "";
        isQuiet = areHeard() && !isBusy(found);
      } catch (failure) {
        error.value = /** @type {Error} */ (failure).message;
      }
      isLoading = false;
      if (isOver) return;
      if (isWantedAgain) run();
      else timer = setTimeout(run, isQuiet ? quietMilliseconds : milliseconds);
    };
    run();
    const stopListening = kinds.length ? onChanges(kinds, run) : () => {};
    document.addEventListener("visibilitychange", run);
    addEventListener("online", run);
    return () => {
      isOver = true;
      clearTimeout(timer);
      stopListening();
      document.removeEventListener("visibilitychange", run);
      removeEventListener("online", run);
    };
  }, [...uses, again.value]);
  return {
    value: value.value,
    error: error.value,
    reload: () => {
      again.value += 1;
    },
  };
}
