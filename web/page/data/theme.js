// Light or dark: as the system is, unless chosen here.

import { computed, effect, signal } from "../vendor/signals.js";

const NAME = "pocketquant.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

const systemIsDark = signal(system.matches);
const chosen = signal(localStorage.getItem(NAME));

export const isDark = computed(() => (chosen.value ? chosen.value === "dark" : systemIsDark.value));

export function toggleTheme() {
  const next = isDark.value ? "light" : "dark";
  const isSystems = (next === "dark") === systemIsDark.value;
  chosen.value = isSystems ? null : next;
  if (isSystems) localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, next);
}

export function followTheme() {
  system.addEventListener("change", () => {
    systemIsDark.value = system.matches;
  });
  effect(() => {
    document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
  });
}
