// Panels of the overview about jobs, failures and series.

import { may } from "../data/access.js";
import { chartPath } from "../data/address.js";
import { symbolOf } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { Age } from "./age.js";
import { FailedCodes, retryFailed } from "./failed-codes.js";
import { html } from "./html.js";
import { JobProgress, JobState } from "./job-progress.js";
import { Panel } from "./panel.js";

/** @param {{jobs: any[], recent: any[]}} props */
export function RunningJobs({ jobs, recent }) {
  const shown = [...jobs, ...recent.filter((job) => !jobs.some((each) => each.job_id === job.job_id))].slice(0, 8);
  return html`<${Panel} title="Jobs" path="/jobs" count=${jobs.length ? `${jobs.length} running` : ""}>
    ${!shown.length && html`<p class="muted">No job was requested yet.</p>`}
    <table>
      <tbody>${shown.map(
        (job) => html`<tr key=${job.job_id}><td><a href="/jobs/${job.job_id}">${job.kind}</a></td>
          <td><${JobState} job=${job} /></td>
          <td><${JobProgress} counts=${job.counts} /></td>
          <td class="number">${countText(job.counts.completed)} of ${countText(job.counts.total)}</td>
          <td class="number muted"><${Age} at=${job.created_at} /></td></tr>`,
      )}</tbody>
    </table>
  <//>`;
}

/** @param {{failed: {entries: any[], total: number}, codes: any[], onChange: () => void}} props */
export function Failures({ failed, codes, onChange }) {
  return html`<${Panel} title="Failed syncs" count=${countText(failed.total)}>
    ${!failed.total && html`<p class="muted">None failed for good.</p>`}
    <${FailedCodes} codes=${codes} onDone=${onChange} />
    <ul class="reasons">${failed.entries.map(
      (unit) => html`<li key=${unit.unit_id}>
        <div><a href=${chartPath(symbolOf(unit), unit.interval)}>${symbolOf(unit)}</a> <span class="muted">${unit.interval}</span>
          <a class="muted" href="/jobs/${unit.job_ids[0]}"><${Age} at=${unit.finished_at} /></a>
          ${may("sync") && html`<button onClick=${() => retryFailed({ unit_id: unit.unit_id }, onChange)}
            aria-label="Retry ${symbolOf(unit)} ${unit.interval}">Retry</button>`}</div>
        <p class="muted">${unit.error_message}</p></li>`,
    )}</ul>
  <//>`;
}

/** @param {{stored: number, wrong: {entries: any[], total: number}, stale: {entries: any[], total: number}}} props */
export function Series({ stored, wrong, stale }) {
  return html`<${Panel} title="Series" path="/markets" count=${countText(stored)}>
    <dl class="facts">
      <div><dt>In error</dt><dd><a href="/markets?show=error">${countText(wrong.total)}</a></dd></div>
      <div><dt>Not synced for two days</dt><dd><a href="/markets?show=stale">${countText(stale.total)}</a></dd></div>
    </dl>
    <ul class="reasons">${wrong.entries.map(
      (status) => html`<li key=${`${symbolOf(status)}|${status.interval}`}>
        <div><a href=${chartPath(symbolOf(status), status.interval)}>${symbolOf(status)}</a> <span class="muted">${status.interval}</span></div>
        <p class="muted">${status.error_message}</p></li>`,
    )}</ul>
  <//>`;
}
