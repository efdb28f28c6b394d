// Keys that work anywhere outside a field.

import { useEffect } from "../vendor/hooks.js";

/**
 * Call `press` for keys without modifiers that no field and no dialog takes.
 * @param {(event: KeyboardEvent) => void} press
 * @param {unknown[]} uses what `press` depends on
 */
export function useKeys(press, uses) {
  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      const target = /** @type {Element} */ (event.target);
      const isTaken = target.closest("input, select, textarea, dialog");
      if (!isTaken && !event.ctrlKey && !event.metaKey && !event.altKey) press(event);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, uses);
}
