// The time of day as a signal, so that ages on the screen grow by themselves.

import { signal } from "../vendor/signals.js";
import { now } from "./times.js";

export const clock = signal(now());

setInterval(() => {
  if (!document.hidden) clock.value = now();
}, 1000);
