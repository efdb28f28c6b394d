// Asks from when on to fetch all bars of some symbols, and shows what can come before it begins.

import { useEffect } from "../vendor/hooks.js";
import { signal, useSignal } from "../vendor/signals.js";
import { go } from "../data/address.js";
import { post } from "../data/api.js";
import { countText, pagesText } from "../data/numbers.js";
import { html } from "./html.js";
import { useModal } from "./modal.js";

const ESTIMATE_MS = 500; // after the last key, until the estimate is requested
const MOST_LISTED = 8;

/**
 * @typedef {object} Wanted
 * @property {string} name
 * @property {{exchange: string, symbol: string}[]} symbols
 * @property {string[]} intervals
 */

/** @typedef {{symbols: Wanted["symbols"], intervals: string[], start: string}} Backfill */

const wanted = signal(/** @type {Wanted | null} */ (null));

/** @param {Wanted} chosen */
export function offerBackfill(chosen) {
  wanted.value = chosen;
}

export function BackfillDialog() {
  const dialog = useModal(wanted.value !== null);
  const close = () => {
    wanted.value = null;
  };
  return html`<dialog ref=${dialog} class="dialog is-wide" aria-labelledby="backfill-title" onCancel=${close}>
    ${wanted.value && html`<${Form} chosen=${wanted.value} onEnd=${close} />`}
  </dialog>`;
}

/** @param {{chosen: Wanted, onEnd: () => void}} props */
function Form({ chosen, onEnd }) {
  const start = useSignal("");
  const intervals = useSignal(chosen.intervals.join(", "));
  const estimate = useSignal(/** @type {any} */ (null));
  const failure = useSignal("");
  const body = () => ({
    symbols: chosen.symbols,
    intervals: intervals.value.split(/[\s,]+/).filter(Boolean),
    start: start.value || "all",
  });
  useEffect(() => {
    let isOld = false;
    const timer = setTimeout(() => {
      post("/market-data/backfill/estimate", body()).then(
        (found) => {
          if (isOld) return;
          estimate.value = found;
          failure.value = "";
        },
        (error) => {
          if (isOld) return;
          estimate.value = null;
          failure.value = error.message;
        },
      );
    }, estimate.peek() ? ESTIMATE_MS : 0);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [start.value, intervals.value]);
  const begin = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    try {
      const job = await post("/market-data/backfill", body());
      onEnd();
      go(`/jobs/${job.job_id}`);
    } catch (error) {
      failure.value = /** @type {Error} */ (error).message;
    }
  };
  const take = (/** @type {import("../vendor/signals.js").Signal<string>} */ field) => (/** @type {any} */ event) => {
    field.value = event.currentTarget.value.trim();
  };
  return html`<form onSubmit=${begin}>
    <h2 id="backfill-title">Backfill ${chosen.name}</h2>
    <p>All bars are fetched from new to old, behind all other work. It can be paused, resumed and cancelled.</p>
    <label class="field"><span>Since <span class="hint">empty: all that there is</span></span>
      <input type="date" name="start" min="1900-01-01" onInput=${take(start)} /></label>
    <label class="field"><span>Intervals <span class="hint">such as 1m, 1h, 1d</span></span>
      <input name="intervals" defaultValue=${chosen.intervals.join(", ")} required autocomplete="off" spellcheck=${false} onInput=${take(intervals)} /></label>
    ${failure.value ? html`<p class="trouble" role="alert">${failure}</p>` : html`<${Estimate} estimate=${estimate.value} />`}
    <div class="actions">
      <button type="button" onClick=${onEnd}>Close</button>
      <button class="primary" disabled=${!estimate.value}>Backfill</button>
    </div>
  </form>`;
}

/** @param {{estimate: any}} props */
function Estimate({ estimate }) {
  if (!estimate) return html`<p class="muted" role="status">Estimating…</p>`;
  const { series, series_count: count, unknown_count: unknown, limit_bars: limit, reported_limit_bars: reported } = estimate;
  return html`<div class="estimate" role="status" aria-label="Estimate">
    <p>About <strong>${countText(estimate.bars)}</strong> bars in ${pagesText(estimate.pages)} can come
      of ${countText(count - unknown)} series${unknown ? `; nothing is known of ${countText(unknown)} yet` : ""}.</p>
    <p class="muted">${limit === null
      ? `How many bars your plan serves shows once a sync has met its limit; less may come.${reported === null ? "" : ` Users report ${countText(reported)} of a series below a day.`}`
      : `Your plan serves ${countText(limit)} bars of a series.`}</p>
    <div class="scroller"><table class="rows"><tbody>${series.slice(0, MOST_LISTED).map(
      (/** @type {any} */ each) => html`<tr key=${`${each.exchange}:${each.symbol}|${each.interval}`}>
        <td>${each.exchange}:${each.symbol} <span class="muted">${each.interval}</span></td>
        <td class="number">${each.bars === null ? "?" : countText(each.bars)}</td>
        <td class="muted">${each.covered ? `and ${countText(each.covered)} here already` : ""}</td>
        <td class="muted">${each.since ? `since ${each.since.slice(0, 10)}` : ""}</td>
        <td class="muted">${each.bound}</td>
      </tr>`,
    )}</tbody></table></div>
    ${series.length > MOST_LISTED && html`<p class="muted">and ${countText(count - MOST_LISTED)} more</p>`}
  </div>`;
}
