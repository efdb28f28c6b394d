// Whether all is well, in one look: servers, programs, pace, queues, schedules, jobs, failures.

import { useEffect } from "../vendor/hooks.js";
import { getPage, getReadiness, get } from "../data/api.js";
import { usePolled } from "../data/polling.js";
import { now } from "../data/times.js";
import { html } from "../parts/html.js";
import { Trouble } from "../parts/panel.js";
import { Checks, Provider, Queues, Schedules, Streamers, Workers } from "../parts/fleet-panels.js";
import { Failures, RunningJobs, Series } from "../parts/work-panels.js";

const FLEET_MS = 3000;
const QUIET_FLEET_MS = 20_000; // a program that died is missed after this
const WORK_MS = 5000;
const STALE_SECONDS = 2 * 86_400;

export default function Overview() {
  useEffect(() => {
    document.title = "Overview · PocketQuant";
  }, []);
  const fleet = usePolled(loadFleet, FLEET_MS, [], { kinds: ["jobs", "schedules", "subscriptions"], isBusy: isFleetBusy, quietMilliseconds: QUIET_FLEET_MS });
  const work = usePolled(loadWork, WORK_MS, [], { kinds: ["jobs"], isBusy: isWorkBusy });
  const { ready, state, quotes, at } = fleet.value ?? {};
  return html`<div class="view">
    <${Headline} ready=${ready} problems=${state?.problems ?? []} work=${work.value} />
    <${Trouble} text=${fleet.error || work.error} />
    ${ready && html`<${Checks} ready=${ready} />`}
    <div class="panels">
      ${work.value && html`<${RunningJobs} jobs=${work.value.running.entries} recent=${work.value.recent.entries} />
        <${Failures} failed=${work.value.failed} codes=${work.value.codes} onChange=${work.reload} />`}
      ${state && html`<${Provider} pace=${state.pace} breaker=${state.breaker} />
        <${Queues} queues=${state.queues} units=${state.units} />
        <${Workers} workers=${state.workers} beats=${state.beats} />`}
      ${quotes && html`<${Streamers} quotes=${quotes} streamers=${state?.streamers} at=${at} />`}
      ${state?.schedules && html`<${Schedules} schedules=${state.schedules} />`}
      ${work.value && html`<${Series} stored=${work.value.stored.total} wrong=${work.value.wrong} stale=${work.value.stale} />`}
    </div>
  </div>`;
}

async function loadFleet() {
  const [ready, state, quotes] = await Promise.all([getReadiness(), get("/fleet"), get("/quotes/status")]);
  return { ready, state, quotes, at: now() };
}

/** @param {{state: any, quotes: any}} fleet */
function isFleetBusy({ state, quotes }) {
  const { running = 0, deferred = 0 } = state.units ?? {};
  const waiting = state.queues.some((/** @type {any} */ queue) => queue.length > 0 || queue.waiting_units > 0);
  return running + deferred > 0 || waiting || quotes.watched > 0;
}

/** @param {{running: {total: number}, recent: {entries: any[]}}} work */
function isWorkBusy({ running, recent }) {
  return running.total > 0 || recent.entries.some((job) => !job.finished_at);
}

async function loadWork() {
  const before = new Date((now() - STALE_SECONDS) * 1000).toISOString();
  const series = (/** @type {object} */ query) => getPage("/market-data/sync-status", { page_size: 5, ...query });
  const [running, recent, failed, codes, stored, wrong, stale] = await Promise.all([
    getPage("/jobs", { state: "running", page_size: 8 }),
    getPage("/jobs", { page_size: 6 }),
    getPage("/dead-letters", { page_size: 6 }),
    get("/dead-letters/codes"),
    series({ page_size: 1 }),
    series({ status: "error" }),
    series({ stale_before: before }),
  ]);
  return { running, recent, failed, codes, stored, wrong, stale };
}

/** @param {{ready: any, problems: string[], work: any}} props */
function Headline({ ready, problems, work }) {
  if (!ready) return html`<h1>Overview</h1>`;
  const parts = Object.entries(ready).filter(([name]) => name !== "status");
  const wrong = parts.filter(([, check]) => check.status !== "ok").map(([name, check]) => `${name}: ${check.reason}`);
  const all = [...new Set([...wrong, ...problems])];
  const running = work?.running.total ?? 0;
  const tone = { ok: "is-good", degraded: "is-warn", down: "is-bad" }[String(ready.status)];
  const title = { ok: "All is well", degraded: "Something needs a look", down: "Requests can't be served" }[String(ready.status)];
  return html`<div class="headline ${tone}">
    <h1>${all.length && ready.status === "ok" ? "Something needs a look" : title}</h1>
    <p class="muted">${running ? html`<a href="/jobs?state=running">${running} job${running > 1 ? "s" : ""} running</a>` : "No job is running"}</p>
    ${all.length > 0 && html`<ul>${all.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
  </div>`;
}
