// The closes of the last hours, for small charts.

import { get, symbolPath } from "./api.js";
import { InView } from "./in-view.js";

const QUERY = { interval: "5m", limit: 72, format: "columns" };

/** By symbol; empty where no minutes are stored. */
export const sparks = new InView(
  /** @returns {Promise<number[]>} */
  async (symbol) => {
    try {
      return (await get(`/market-data/ohlcv/${symbolPath(symbol)}`, QUERY)).columns.close.reverse();
    } catch {
      return [];
    }
  },
  () => true,
);
