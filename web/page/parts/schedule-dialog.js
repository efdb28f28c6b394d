// Makes a schedule, or changes one.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { post, put } from "../data/api.js";
import { html } from "./html.js";
import { useModal } from "./modal.js";

/**
 * @typedef {object} Schedule
 * @property {string} name
 * @property {string} description
 * @property {string | null} cron
 * @property {number | null} after_close_minutes
 * @property {string | null} exchange
 * @property {string[]} symbols
 * @property {string[]} intervals
 * @property {number} n_bars
 * @property {boolean} is_built_in
 * @property {boolean} paused
 * @property {string | null} next_run_at
 * @property {string | null} last_run_at
 * @property {string | null} last_job_id
 * @property {string | null} last_job_state
 * @property {string | null} last_success_at
 * @property {number} at_risk
 */

/** @param {{edited: Schedule | "new" | null, onEnd: (isChanged: boolean) => void}} props null: it is closed */
export function ScheduleDialog({ edited, onEnd }) {
  const dialog = useModal(edited !== null);
  const failure = useSignal("");
  useEffect(() => {
    failure.value = "";
  }, [edited]);
  const old = edited === "new" ? null : edited;
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const given = bodyOf(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)), old);
    try {
      if (old) await put(`/schedules/${encodeURIComponent(old.name)}`, given);
      else await post("/schedules", given);
      onEnd(true);
    } catch (error) {
      failure.value = /** @type {Error} */ (error).message;
    }
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="schedule-title" onCancel=${() => onEnd(false)}>
    ${edited && html`<form key=${old?.name ?? ""} onSubmit=${save}>
      <h2 id="schedule-title">${old ? `Change ${old.name}` : "New schedule"}</h2>
      ${!old && html`<${Field} name="name" label="Name" value="" isRequired hint="small letters, digits, - and _" />`}
      <${Field} name="cron" label="Cron (UTC)" value=${old?.cron ?? ""} hint="such as 0 */6 * * *; or leave it empty and use the next field" />
      <${Field} name="after_close_minutes" label="Minutes after each market's close" value=${old?.after_close_minutes ?? ""} type="number" />
      <${Field} name="symbols" label="Symbols" value=${old?.symbols.join(", ") ?? ""} hint="NASDAQ:AAPL, BINANCE:BTCUSDT; empty: all tracked series" />
      <${Field} name="exchange" label="Only of one exchange" value=${old?.exchange ?? ""} hint="in place of symbols" />
      <${Field} name="intervals" label="Intervals" value=${old?.intervals.join(", ") ?? ""} hint="1h, 1d; empty: all that are tracked" />
      <${Field} name="n_bars" label="Bars to fetch at most" value=${old?.n_bars ?? 500} type="number" isRequired />
      ${failure.value && html`<p class="trouble" role="alert">${failure}</p>`}
      <div class="actions">
        <button type="button" onClick=${() => onEnd(false)}>Close</button>
        <button class="primary">${old ? "Save" : "Create"}</button>
      </div>
    </form>`}
  </dialog>`;
}

/** @param {{name: string, label: string, value: string | number, hint?: string, type?: string, isRequired?: boolean}} props */
function Field({ name, label, value, hint, type = "text", isRequired = false }) {
  return html`<label class="field"><span>${label} ${hint && html`<span class="hint">${hint}</span>`}</span>
    <input name=${name} type=${type} defaultValue=${value} required=${isRequired} autocomplete="off" spellcheck=${false} /></label>`;
}

/**
 * The request: of a change, only what has changed.
 * @param {FormData} form
 * @param {Schedule | null} old
 */
function bodyOf(form, old) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const list = (/** @type {string} */ name) => text(name).split(/[\s,]+/).filter(Boolean);
  const number = (/** @type {string} */ name) => (text(name) ? Number(text(name)) : null);
  /** @type {Record<string, any>} */
  const given = {
    ...(old ? {} : { name: text("name") }),
    cron: text("cron") || null,
    after_close_minutes: number("after_close_minutes"),
    symbols: list("symbols"),
    exchange: text("exchange"),
    intervals: list("intervals"),
    n_bars: number("n_bars"),
  };
  if (!old) return given;
  const before = /** @type {Record<string, any>} */ ({ ...old, exchange: old.exchange ?? "" });
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])),
  );
}
