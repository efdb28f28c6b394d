// The quality of series in words, and the filters of its view.

import { countText, digitsOf, priceText } from "./numbers.js";
import { epochOf, momentText, spanText } from "./times.js";

/** @typedef {"complete" | "rescaled" | "untraded" | "not_served" | "not_synced" | "failed" | "lost" | "not_fetched"} PartState */
/** @typedef {{start: string, end: string, state: PartState}} Part */
/**
 * @typedef {object} Quality
 * @property {string} symbol
 * @property {string} exchange
 * @property {string} interval
 * @property {string} status
 * @property {number} bar_count
 * @property {string | null} last_bar_at
 * @property {string | null} last_sync_at
 * @property {string | null} fetched_from
 * @property {number} gaps
 * @property {number | null} not_fetched_bars
 * @property {number | null} late_bars
 * @property {number} lost_bars
 * @property {number} refused_bars
 * @property {number} outliers
 * @property {number} differences
 * @property {boolean} limited
 * @property {number | null} limit_bars
 * @property {string | null} calendar_problem
 * @property {string | null} late_since
 * @property {string | null} served_until
 * @property {boolean} at_risk
 * @property {string | null} error_code
 * @property {string | null} error_message
 * @property {string | null} job_id
 * @property {Part[]} strip
 */

/** The filters of the view: their names, and the API's. */
export const SHOWS = /** @type {const} */ ({
  all: null,
  stale: "stale",
  holes: "gaps",
  "at risk": "at_risk",
  "never synced": "never_synced",
  doubtful: "doubtful",
  refused: "refused",
  outliers: "outliers",
  differences: "differences",
});

/** By the state of a part. */
export const WORDS = /** @type {Record<PartState, string>} */ ({
  complete: "complete",
  rescaled: "multiplied after a split, not fetched again yet",
  untraded: "nothing was traded",
  not_served: "too old for the provider",
  not_synced: "not fetched yet",
  failed: "its sync failed",
  lost: "lost",
  not_fetched: "never fetched",
});

/**
 * What is wrong with a series, the worst first; nothing of one that is whole.
 * @param {Quality} row
 * @param {number} now in epoch seconds
 * @returns {{text: string, tone: "is-bad" | "is-warn" | ""}[]}
 */
export function troublesOf(row, now) {
  const bars = (/** @type {number | null} */ count) => `${countText(count)} bar${count === 1 ? "" : "s"}`;
  const left = (epochOf(row.served_until) ?? 0) - now;
  const risk = left > 0 ? `at risk: what is missing is served for ${spanText(left)} more` : "at risk: the provider serves less and less of what is missing";
  const older = row.limit_bars === null ? "older bars are not served" : `the plan serves ${bars(row.limit_bars)}, no older ones`;
  const late = row.late_bars ? `${bars(row.late_bars)} since the last fetch` : "";
  return [
    /** @type {const} */ ([row.status === "error", `its sync failed: ${row.error_message}`, "is-bad"]),
    /** @type {const} */ ([row.at_risk, risk, "is-bad"]),
    /** @type {const} */ ([row.last_sync_at === null, "never synced", "is-warn"]),
    /** @type {const} */ ([row.gaps > 0, row.not_fetched_bars === null ? `${countText(row.gaps)} gaps` : `${bars(row.not_fetched_bars)} never fetched`, "is-warn"]),
    /** @type {const} */ ([row.lost_bars > 0, `${bars(row.lost_bars)} lost`, "is-warn"]),
    /** @type {const} */ ([row.refused_bars > 0, `${bars(row.refused_bars)} refused as impossible`, "is-warn"]),
    /** @type {const} */ ([row.outliers > 0, `${bars(row.outliers)}, perhaps of bad prints`, "is-warn"]),
    /** @type {const} */ ([row.differences > 0, `${countText(row.differences)} values of days differ from another source's`, "is-warn"]),
    /** @type {const} */ ([row.calendar_problem !== null, `${row.calendar_problem}`, "is-warn"]),
    /** @type {const} */ ([late !== "", late, ""]),
    /** @type {const} */ ([row.limited, older, ""]),
  ].flatMap(([holds, text, tone]) => (holds ? [{ text, tone }] : []));
}

/**
 * The strip of a series; what was not fetched since the last sync has failed if that has.
 * @param {Quality} row
 * @returns {Part[]}
 */
export function stripOf({ strip, status }) {
  return strip.map((part) => (part.state === "not_synced" && status === "error" ? { ...part, state: /** @type {const} */ ("failed") } : part));
}

/** @typedef {{datetime: string, field: string, value: number, usual: number, lowest: number, highest: number}} Outlier */

/** @param {Outlier} outlier */
export function outlierText({ datetime, field, value, usual, lowest, highest }) {
  const digits = digitsOf(null, [value]);
  const [price, middle, from, to] = [value, usual, lowest, highest].map((each) => priceText(each, digits));
  return `${momentText(epochOf(datetime) ?? 0)} UTC: ${field} ${price}, where ${middle} is usual; not within ${from} to ${to}`;
}

/** @typedef {{datetime: string, against: string, field: string, stored: number, other: number}} Difference */

/** @param {Difference} difference */
export function differenceText({ datetime, against, field, stored, other }) {
  const text = (/** @type {number} */ value) => (field === "volume" ? countText(value) : priceText(value, digitsOf(null, [stored, other])));
  const source = against === "quote" ? "in the quote" : `by its bars of ${against}`;
  return `${momentText(epochOf(datetime) ?? 0)} UTC: ${field} ${text(stored)}, ${text(other)} ${source}`;
}

/** @param {Part} part */
export function partText({ start, end, state }) {
  return `${WORDS[state]}, ${momentText(epochOf(start) ?? 0)} to ${momentText(epochOf(end) ?? 0)} UTC`;
}
