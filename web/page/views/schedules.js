// When series are brought up to date: make, change, pause and remove schedules, or run one now.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { get, put, remove } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { usePolled } from "../data/polling.js";
import { Age } from "../parts/age.js";
import { confirm } from "../parts/confirm.js";
import { html } from "../parts/html.js";
import { attempt, notify } from "../parts/notices.js";
import { State, Trouble } from "../parts/panel.js";
import { ScheduleDialog } from "../parts/schedule-dialog.js";

const POLL_MS = 5000;

/** @typedef {import("../parts/schedule-dialog.js").Schedule} Schedule */

export default function Schedules() {
  useEffect(() => {
    document.title = "Schedules · PocketQuant";
  }, []);
  const { value, error, reload } = usePolled(() => get("/schedules"), POLL_MS, [], {
    kinds: ["schedules", "jobs"],
    isBusy: (schedules) => schedules.some(isRunning),
  });
  const edited = useSignal(/** @type {Schedule | "new" | null} */ (null));
  return html`<div class="view">
    <div class="view-head">
      <h1>Schedules</h1>
      <span class="spring"></span>
      ${may("admin") && html`<button class="primary" onClick=${() => {
        edited.value = "new";
      }}>New schedule</button>`}
    </div>
    <${Trouble} text=${error} />
    ${value && html`<div class="scroller"><table class="rows">
      <thead><tr><th>Schedule</th><th>When</th><th class="is-minor">What</th><th>Next</th><th class="is-minor">Last run</th><th class="is-minor">Last success</th><th></th></tr></thead>
      <tbody>${value.map(
        (/** @type {Schedule} */ schedule) => html`<${Row} key=${schedule.name} schedule=${schedule} onDone=${reload} onEdit=${() => {
          edited.value = schedule;
        }} />`,
      )}</tbody>
    </table></div>`}
    <p class="hint">Cron times are UTC: minute, hour, day of the month, month, day of the week. Runs leave out markets that have been closed
      since their last sync; a run that you request leaves out none.</p>
    <${ScheduleDialog} edited=${edited.value} onEnd=${(/** @type {boolean} */ isChanged) => {
      edited.value = null;
      if (isChanged) reload();
    }} />
  </div>`;
}

/** @param {{schedule: Schedule, onDone: () => void, onEdit: () => void}} props */
function Row({ schedule, onDone, onEdit }) {
  const { name, paused } = schedule;
  const path = `/schedules/${encodeURIComponent(name)}`;
  const change = (/** @type {object} */ changes, /** @type {string} */ said) =>
    attempt(async () => {
      await put(path, changes);
      notify(said);
    }).then(onDone);
  const removeIt = async () => {
    const { isConfirmed } = await confirm({
      title: `Remove ${name}?`,
      text: "Its series are no longer kept up to date by it. A job of its last run goes on.",
      action: "Remove",
    });
    if (isConfirmed) await attempt(() => remove(path)).then(onDone);
  };
  return html`<tr>
    <td><strong>${name}</strong>${schedule.description && html`<div class="muted note">${schedule.description}</div>`}</td>
    <td>${whenText(schedule)}</td>
    <td class="is-minor">${whatText(schedule)}</td>
    <td>${paused ? html`<span class="tag is-warn">paused</span>` : html`<${Age} at=${schedule.next_run_at} none="–" />`}
      ${schedule.at_risk > 0 && html` <a class="tag is-bad" href="/quality?show=at+risk" title="These series lose history unless they are synced; the schedule can't keep up">${countText(schedule.at_risk)} at risk</a>`}</td>
    <td class="is-minor"><${Age} at=${schedule.last_run_at} />
      ${schedule.last_job_id && html` <a href="/jobs/${schedule.last_job_id}"><${State} name=${schedule.last_job_state ?? "deleted"} /></a>`}</td>
    <td class="is-minor"><${Age} at=${schedule.last_success_at} /></td>
    <td>${may("admin") && html`<div class="row-actions">
      <button onClick=${() => change({ run_now: true }, `${name} runs within seconds.`)} aria-label="Run now: ${name}">Run now</button>
      <button onClick=${() => change({ paused: !paused }, paused ? `${name} runs again.` : `${name} is paused.`)}
        aria-label="${paused ? "Resume" : "Pause"} ${name}">${paused ? "Resume" : "Pause"}</button>
      <button onClick=${onEdit} aria-label="Change ${name}">Change</button>
      ${!schedule.is_built_in && html`<button class="danger" onClick=${removeIt} aria-label="Remove ${name}">Remove</button>`}
    </div>`}</td>
  </tr>`;
}

/** @param {Schedule} schedule */
function isRunning({ last_job_state: state }) {
  return state === "pending" || state === "running";
}

/** @param {Schedule} schedule */
function whenText({ cron, after_close_minutes: minutes }) {
  return cron ? html`<code>${cron}</code>` : `${minutes} min after each close`;
}

/** @param {Schedule} schedule */
function whatText({ symbols, exchange, intervals, n_bars: count }) {
  const series = symbols.length ? symbols.slice(0, 3).join(", ") + (symbols.length > 3 ? ` and ${symbols.length - 3} more` : "") : (exchange ?? "all tracked");
  return `${series}, ${intervals.length ? intervals.join(" ") : "every interval"}, ${count} bars`;
}
