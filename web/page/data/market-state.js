// Whether markets are open now.

import { InView } from "./in-view.js";
import { now } from "./times.js";
import { tradingHours } from "./trading-hours.js";

const UNKNOWN_SECONDS = 600;

/** By symbol; `until` is when it changes, or is asked for again. */
export const marketStates = new InView(
  async (symbol) => {
    const hours = await tradingHours(symbol).catch(() => null);
    const next = hours?.isOpen ? hours.nextClose : hours?.nextOpen;
    return { isOpen: hours?.isOpen ?? null, until: next ?? now() + UNKNOWN_SECONDS };
  },
  (state) => state.until > now(),
);
