// Data that is fetched again and again while it is looked at; for what the API has no stream of.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";

/**
 * Return what `load` gave last (null at first), its last error, and a function that loads at once.
 * @template T
 * @param {() => Promise<T>} load
 * @param {number} milliseconds between the end of a call and the next one
 * @param {unknown[]} [uses] what `load` depends on
 */
export function usePolled(load, milliseconds, uses = []) {
  const value = useSignal(/** @type {T | null} */ (null));
  const error = useSignal("");
  const again = useSignal(0);
  useEffect(() => {
    let isOver = false;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const run = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      try {
        const found = await load();
        if (isOver) return;
        value.value = found;
        error.value = "";
      } catch (failure) {
        error.value = /** @type {Error} */ (failure).message;
      }
      if (!isOver) timer = setTimeout(run, milliseconds);
    };
    run();
    document.addEventListener("visibilitychange", run);
    addEventListener("online", run);
    return () => {
      isOver = true;
      clearTimeout(timer);
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
