// One job: its progress live, its syncs with their errors; cancel it, or try failed syncs again.

import { useEffect, useRef } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { address, changeQuery, chartPath } from "../data/address.js";
import { get, getPage, post, remove, symbolOf } from "../data/api.js";
import { countText } from "../data/numbers.js";
import { follow } from "../data/stream.js";
import { epochOf, spanText } from "../data/times.js";
import { Age } from "../parts/age.js";
import { BackfillProgress } from "../parts/backfill-progress.js";
import { confirm } from "../parts/confirm.js";
import { html } from "../parts/html.js";
import { JobProgress, JobState } from "../parts/job-progress.js";
import { attempt, notify } from "../parts/notices.js";
import { Pages } from "../parts/pages.js";
import { State, Trouble } from "../parts/panel.js";

const PAGE_SIZE = 50;
const UNITS_MS = 2000; // between two reads of the syncs while the job goes on
const RETRY_MS = 4000; // after a call that failed
const STATES = /** @type {const} */ (["queued", "running", "completed", "failed", "cancelled", "paused"]);

/** @param {{name: string}} props the id of the job */
export default function JobView({ name: id }) {
  const job = useSignal(/** @type {any} */ (null));
  const failure = useSignal("");
  const trouble = useSignal("");
  const round = useSignal(0); // of following: a retry opens the job again
  useEffect(() => {
    document.title = `Job ${id} · PocketQuant`;
    let stop = () => {};
    let isOver = false;
    const listener = {
      onEvent: (/** @type {string} */ event, /** @type {any} */ data) => {
        job.value = data;
        return event === "end" ? /** @type {const} */ ("end") : undefined;
      },
      onState: (/** @type {string} */ state, /** @type {string | undefined} */ reason) => {
        trouble.value = state === "waiting" ? (reason ?? "") : "";
      },
    };
    const load = () =>
      get(`/jobs/${encodeURIComponent(id)}`).then(
        (found) => {
          if (isOver) return;
          trouble.value = "";
          job.value = found;
          if (!found.finished_at) stop = follow(`/jobs/${encodeURIComponent(id)}/events`, {}, listener);
        },
        (error) => {
          if (isOver) return;
          if (error.status === 404 || error.status === 422) failure.value = error.message;
          else {
            trouble.value = error.message;
            const timer = setTimeout(load, RETRY_MS);
            stop = () => clearTimeout(timer);
          }
        },
      );
    load();
    return () => {
      isOver = true;
      stop();
    };
  }, [id, round.value]);

  if (failure.value) return html`<div class="empty" role="alert"><h1>No such job</h1><p>${failure}</p><a href="/jobs">All jobs</a></div>`;
  if (!job.value) return html`<${Trouble} text=${trouble.value} /><p class="starting">Loading…</p>`;
  const followAgain = () => {
    round.value += 1;
  };
  return html`<div class="view">
    <${Head} job=${job.value} onChange=${followAgain} />
    <${Trouble} text=${trouble.value} />
    <${Progress} job=${job.value} />
    <${Units} job=${job.value} onChange=${followAgain} />
  </div>`;
}

/** @param {{job: any, onChange: () => void}} props */
function Head({ job, onChange }) {
  const path = `/jobs/${job.job_id}`;
  const cancel = async () => {
    const { isConfirmed } = await confirm({
      title: "Cancel this job?",
      text: `${countText(job.counts.queued + job.counts.paused)} waiting syncs will not begin; running ones store nothing more.`,
      action: "Cancel the job",
    });
    if (!isConfirmed) return;
    await attempt(() => remove(path));
    onChange();
  };
  const change = (/** @type {"pause" | "resume"} */ action) =>
    attempt(async () => {
      await post(`${path}/${action}`);
      onChange();
    });
  const retry = () =>
    attempt(async () => {
      await post(`${path}/retry`);
      notify("The failed syncs are tried again.");
      onChange();
    });
  return html`<div class="view-head">
    <h1><a href="/jobs">Jobs</a> / ${job.kind}</h1>
    <code class="muted">${job.job_id}</code>
    <${JobState} job=${job} />
    <span class="spring"></span>
    ${may("sync") && !job.finished_at && job.state !== "cancelled" && (job.state === "paused"
      ? html`<button class="primary" onClick=${() => change("resume")}>Resume</button>`
      : html`<button onClick=${() => change("pause")}>Pause</button>`)}
    ${may("sync") && job.counts.failed > 0 && job.state !== "cancelled" && html`<button onClick=${retry}>Retry all failed</button>`}
    ${may("sync") && !job.finished_at && html`<button class="danger" onClick=${cancel}>Cancel</button>`}
  </div>`;
}

/** @param {{job: any}} props */
function Progress({ job }) {
  const { counts } = job;
  const rate = job.units_per_second;
  const took = job.finished_at ? (epochOf(job.finished_at) ?? 0) - (epochOf(job.created_at) ?? 0) : null;
  const chosen = address.value.searchParams.get("state");
  return html`<section class="panel job-progress" aria-label="Progress">
    <${JobProgress} counts=${counts} />
    ${job.backfill && html`<${BackfillProgress} came=${job.backfill} />`}
    <div class="counts">
      <div class="count"><strong>${countText(counts.total)}</strong><span class="muted">in all</span></div>
      ${STATES.map(
        (state) => html`<button key=${state} class="count is-${state}" aria-pressed=${chosen === state}
            onClick=${() => changeQuery({ state: chosen === state ? null : state, page: null })}>
          <strong>${countText(counts[state])}</strong><span>${state}</span></button>`,
      )}
    </div>
    <p class="muted">Requested <${Age} at=${job.created_at} />${took === null ? "" : `, took ${took < 10 ? `${took.toFixed(1)} s` : spanText(took)}`}${rate === null
      ? ""
      : `, ${rate} syncs/s`}${job.estimated_end_at ? html`, ends <${Age} at=${job.estimated_end_at} />` : ""}</p>
  </section>`;
}

/** @param {{job: any, onChange: () => void}} props */
function Units({ job, onChange }) {
  const query = address.value.searchParams;
  const [state, code, page] = [query.get("state"), query.get("code"), Number(query.get("page") ?? 1)];
  const units = useSignal(/** @type {{entries: any[], total: number} | null} */ (null));
  const trouble = useSignal("");
  const lastLoad = useRef(-UNITS_MS);
  const wanted = useRef(""); // an answer to an older choice is dropped, one of older counts is not
  const seen = JSON.stringify(job.counts);
  useEffect(() => {
    const path = `/jobs/${job.job_id}/units`;
    const choice = [path, state, code, page].join();
    wanted.current = choice;
    let isOver = false;
    const load = () => {
      lastLoad.current = performance.now();
      getPage(path, { state, code, page, page_size: PAGE_SIZE }).then(
        (found) => {
          if (wanted.current === choice) units.value = found;
          trouble.value = "";
        },
        (error) => {
          trouble.value = error.message;
          if (!isOver) timer = setTimeout(load, RETRY_MS);
        },
      );
    };
    let timer = setTimeout(load, lastLoad.current + UNITS_MS - performance.now());
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [job.job_id, state, code, page, seen]);
  const retry = (/** @type {any} */ choice) =>
    attempt(async () => {
      await post(`/jobs/${job.job_id}/retry`, undefined, choice);
      onChange();
    });
  if (!units.value) return html`<${Trouble} text=${trouble.value} />`;
  const codes = [...new Set([code, ...job.first_errors.map((/** @type {any} */ unit) => unit.error)])].filter(Boolean);
  return html`
    <${Trouble} text=${trouble.value} />
    ${codes.length > 0 && html`<ul class="chips" aria-label="Errors">${codes.map(
      (each) => html`<li key=${each}><button aria-pressed=${code === each} onClick=${() => changeQuery({ code: code === each ? null : each, page: null })}>${each}</button>
        ${may("sync") && html`<button onClick=${() => retry({ code: each })}>Retry</button>`}</li>`,
    )}</ul>`}
    <div class="scroller"><table class="rows">
      <thead><tr><th>Series</th><th>State</th>${job.backfill && html`<th class="number">Bars</th><th>Back to</th>`}<th class="number is-minor">Attempts</th><th>Error</th><th class="number is-minor">Ended</th><th></th></tr></thead>
      <tbody>${units.value.entries.map(
        (unit) => html`<tr key=${unit.unit_id}>
          <td><a href=${chartPath(symbolOf(unit), unit.interval)}>${symbolOf(unit)}</a> <span class="muted">${unit.interval}</span></td>
          <td><${State} name=${unit.state} /></td>
          ${job.backfill && html`<td class="number">${countText(unit.fetched)}</td>
            <td>${unit.reached_back_to?.slice(0, 10) ?? ""} <span class="muted">${unit.stop ?? ""}</span></td>`}
          <td class="number is-minor">${unit.attempts}</td>
          <td class="reason">${unit.error && html`<span class="tag is-bad">${unit.error}</span> ${unit.error_message}`}
            ${unit.next_attempt_at && unit.error && html` <span class="muted">next attempt <${Age} at=${unit.next_attempt_at} /></span>`}</td>
          <td class="number muted is-minor"><${Age} at=${unit.finished_at} none="–" /></td>
          <td class="number">${may("sync") && unit.state === "failed" && html`<button onClick=${() => retry({ unit_id: unit.unit_id })}
            aria-label="Retry ${symbolOf(unit)} ${unit.interval}">Retry</button>`}</td>
        </tr>`,
      )}</tbody>
    </table></div>
    ${!units.value.total && html`<p class="empty">No sync ${state ? `is ${state}` : "is listed"}.</p>`}
    <${Pages} page=${page} size=${PAGE_SIZE} total=${units.value.total} />`;
}
