// All jobs, the newest first, and the failed syncs of all of them by their error.

import { useEffect } from "../vendor/hooks.js";
import { address, changeQuery } from "../data/address.js";
import { get, getPage } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { usePolled } from "../data/polling.js";
import { epochOf, spanText } from "../data/times.js";
import { Age } from "../parts/age.js";
import { FailedCodes } from "../parts/failed-codes.js";
import { html } from "../parts/html.js";
import { JobProgress, JobState } from "../parts/job-progress.js";
import { Pages } from "../parts/pages.js";
import { Trouble } from "../parts/panel.js";

const PAGE_SIZE = 50;
const POLL_MS = 4000;
const STATES = ["pending", "running", "completed", "cancelled"];

export default function Jobs() {
  useEffect(() => {
    document.title = "Jobs · PocketQuant";
  }, []);
  const query = address.value.searchParams;
  const [state, page] = [query.get("state"), Number(query.get("page") ?? 1)];
  const { value, error, reload } = usePolled(() => load(state, page), POLL_MS, [state, page], {
    kinds: ["jobs"],
    isBusy: ({ jobs }) => jobs.entries.some((job) => !job.finished_at),
  });
  return html`<div class="view">
    <div class="view-head">
      <h1>Jobs</h1>
      <div class="choices" role="group" aria-label="State">
        ${[null, ...STATES].map(
          (each) => html`<button key=${each} aria-pressed=${state === each} onClick=${() => changeQuery({ state: each, page: null })}>
            ${each ?? "all"}</button>`,
        )}
      </div>
    </div>
    <${Trouble} text=${error} />
    ${value && value.codes.length > 0 && html`<section class="panel" aria-label="Failed syncs of all jobs">
      <h2>Failed for good <span class="muted">of all jobs</span></h2>
      <${FailedCodes} codes=${value.codes} onDone=${reload} />
    </section>`}
    ${value && !value.jobs.total && html`<p class="empty">No job ${state ? `is ${state}` : "was requested yet"}.</p>`}
    ${value && value.jobs.total > 0 && html`<div class="scroller"><table class="rows">
      <thead><tr><th>Job</th><th>State</th><th>Progress</th><th class="number is-minor">Done</th><th class="number">Failed</th><th class="number is-minor">Took</th><th class="number">Requested</th></tr></thead>
      <tbody>${value.jobs.entries.map((job) => html`<${Row} key=${job.job_id} job=${job} />`)}</tbody>
    </table></div>
    <${Pages} page=${page} size=${PAGE_SIZE} total=${value.jobs.total} />`}
  </div>`;
}

/**
 * @param {string | null} state
 * @param {number} page
 */
async function load(state, page) {
  const [jobs, codes] = await Promise.all([
    getPage("/jobs", { state, page, page_size: PAGE_SIZE }),
    get("/dead-letters/codes"),
  ]);
  return { jobs, codes };
}

/** @param {{job: any}} props */
function Row({ job }) {
  const { counts } = job;
  const took = job.finished_at ? (epochOf(job.finished_at) ?? 0) - (epochOf(job.created_at) ?? 0) : null;
  return html`<tr>
    <td><a href="/jobs/${job.job_id}">${job.kind}</a> <code class="muted">${job.job_id}</code></td>
    <td><${JobState} job=${job} /></td>
    <td><${JobProgress} counts=${counts} /></td>
    <td class="number is-minor">${countText(counts.completed)} of ${countText(counts.total)}</td>
    <td class="number">${counts.failed ? html`<span class="tag is-bad">${countText(counts.failed)}</span>` : "–"}</td>
    <td class="number is-minor">${took === null ? "–" : took < 10 ? `${took.toFixed(1)} s` : spanText(took)}</td>
    <td class="number muted"><${Age} at=${job.created_at} /></td>
  </tr>`;
}
