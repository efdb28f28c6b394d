// Digits and a letter change the interval, as traders' hands know it: `5m`, `1d`, `90m`.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { isInterval } from "../data/intervals.js";
import { useKeys } from "../parts/keyboard.js";

const FORGOTTEN_MS = 2500;

/**
 * Call `choose` with each interval that is typed; return what has been typed of the next one.
 * @param {(interval: string) => void} choose
 */
export function useIntervalKeys(choose) {
  const typed = useSignal("");
  useEffect(() => {
    const timer = setTimeout(() => {
      typed.value = "";
    }, FORGOTTEN_MS);
    return () => clearTimeout(timer);
  }, [typed.value]);
  useKeys((event) => {
    const next = afterKey(typed.value, event.key);
    typed.value = next.typed;
    if (next.chosen) choose(next.chosen);
    if (next.typed) event.preventDefault();
  }, []);
  return typed;
}

/**
 * What a key does to the digits typed so far; Enter means minutes.
 * @param {string} typed
 * @param {string} key
 * @returns {{typed: string, chosen?: string}}
 */
export function afterKey(typed, key) {
  if (/^\d$/.test(key)) return { typed: (typed + key).replace(/^0+/, "").slice(0, 4) };
  if (key === "Backspace") return { typed: typed.slice(0, -1) };
  if (key === "Shift") return { typed };
  if (typed && key === "Enter") return { typed: "", chosen: `${typed}m` };
  const written = key === "M" || key === "m" ? key : key.toLowerCase();
  return isInterval(typed + written) ? { typed: "", chosen: typed + written } : { typed: "" };
}
