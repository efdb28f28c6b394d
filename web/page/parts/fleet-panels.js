// Panels of the overview about servers, processes, pace, queues and schedules.

import { countText } from "../data/numbers.js";
import { epochOf, spanText } from "../data/times.js";
import { Age } from "./age.js";
import { html } from "./html.js";
import { Meter, Panel, State } from "./panel.js";

const NAMES = { mongodb: "MongoDB", redis: "Redis" };

/** @param {{ready: any}} props */
export function Checks({ ready }) {
  const checks = Object.entries(ready).filter(([name]) => name !== "status");
  return html`<ul class="checks">
    ${checks.map(
      ([name, check]) => html`<li key=${name} title=${check.reason ?? ""}>
        <span>${NAMES[/** @type {keyof typeof NAMES} */ (name)] ?? name}</span>
        <${State} name=${check.status} />
        <span class="muted">${check.reason ?? `${check.latency_ms} ms`}</span>
      </li>`,
    )}
  </ul>`;
}

/** @param {{pace: any, breaker: any}} props */
export function Provider({ pace, breaker }) {
  if (!pace) return html`<${Panel} title="Provider"><p class="muted">Unknown: Redis does not answer.</p><//>`;
  const isSlowed = pace.rate < pace.ceiling_rate;
  return html`<${Panel} title="Provider">
    <dl class="facts">
      <div><dt>Breaker</dt><dd><${State} name=${breaker.state} title=${breaker.last_reason ?? ""} />
        ${breaker.next_probe_at && html`<span class="muted">probe <${Age} at=${breaker.next_probe_at} /></span>`}</dd></div>
      <div><dt>Pace</dt><dd>${countText(pace.rate)} of ${countText(pace.ceiling_rate)} fetches/s
        ${isSlowed && html`<span class="tag is-warn">lowered <${Age} at=${pace.last_lowered_at} none="before" /></span>`}</dd></div>
      <div><dt>In progress</dt><dd>${pace.in_progress} of ${pace.concurrency}
        <${Meter} value=${pace.in_progress} most=${pace.concurrency} label="fetches in progress" /></dd></div>
      <div><dt>Failures in a row</dt><dd>${breaker.consecutive_failures}
        ${breaker.last_reason && html` <span class="muted">${breaker.last_reason}</span>`}</dd></div>
    </dl>
  <//>`;
}

/** @param {{queues: any[], units: any}} props */
export function Queues({ queues, units }) {
  return html`<${Panel} title="Queues" path="/jobs">
    <table>
      <thead><tr><th>Queue</th><th class="number">Messages</th><th class="number">Waiting</th><th class="number">Oldest</th></tr></thead>
      <tbody>${queues.map(
        (queue) => html`<tr key=${queue.name}><td>${queue.name}</td><td class="number">${countText(queue.length)}</td>
          <td class="number">${countText(queue.waiting_units)}</td>
          <td class="number">${queue.oldest_seconds === null ? "–" : spanText(queue.oldest_seconds)}</td></tr>`,
      )}</tbody>
    </table>
    ${units && html`<p class="muted">${countText(units.running)} running, ${countText(units.deferred)} put back until they are due</p>`}
  <//>`;
}

/** @param {{workers: any[] | null, beats: any[] | null}} props */
export function Workers({ workers, beats }) {
  if (!workers) return html`<${Panel} title="Workers"><p class="muted">Unknown: Redis does not answer.</p><//>`;
  return html`<${Panel} title="Workers" count=${workers.length}>
    <table>
      <thead><tr><th>Worker</th><th>Queues</th><th class="number">Busy</th></tr></thead>
      <tbody>${workers.map(
        (worker) => html`<tr key=${worker.name} title="on ${worker.host}, version ${worker.version}"><td>${worker.name}</td><td class="muted clip">${worker.queues.join(", ")}</td>
          <td class="number">${worker.busy} of ${worker.slots} <${Meter} value=${worker.busy} most=${worker.slots} label="busy slots" /></td></tr>`,
      )}</tbody>
    </table>
    <p class="muted">${workers.length ? "" : "No worker is alive: no sync runs. "}Beat: ${beats?.length
      ? beats.map((beat) => html`<span key=${beat.name}>${beat.name} on ${beat.host}, seen <${Age} at=${beat.last_seen} /></span>`)
      : "none, so no schedule runs"}</p>
  <//>`;
}

/** @param {{quotes: any, streamers: any[] | undefined, at: number}} props `at`: when this was so */
export function Streamers({ quotes, streamers, at }) {
  const standby = (streamers ?? []).filter((streamer) => streamer.shard === null).length;
  return html`<${Panel} title="Live quotes" path="/markets?show=live" count="${countText(quotes.watched)} of ${countText(quotes.subscribed)} symbols">
    ${quotes.streaming ? null : html`<p class="tag is-warn">Streaming is stopped</p>`}
    <table>
      <thead><tr><th>Shard</th><th>Connected</th><th class="number">Symbols</th><th class="number">Ticks</th><th class="number">Waiting</th><th class="number">Lag</th></tr></thead>
      <tbody>${quotes.streamers.map(
        (/** @type {any} */ one) => html`<tr key=${one.shard} title=${one.last_error_message ?? ""}><td>${one.shard}</td>
          <td>${one.connected_at ? html`<${Age} at=${one.connected_at} />` : html`<span class="tag is-bad">not connected</span>`}</td>
          <td class="number">${countText(one.symbols)}</td><td class="number">${countText(one.ticks)}</td>
          <td class="number">${countText(one.bars_waiting)}${one.bars_dropped ? html` <span class="tag is-bad">${countText(one.bars_dropped)} lost</span>` : ""}</td>
          <td class="number">${spanText(at - (epochOf(one.as_of) ?? at))}</td></tr>`,
      )}</tbody>
    </table>
    ${!quotes.streamers.length && html`<p class="muted">No streamer has a shard.</p>`}
    ${standby > 0 && html`<p class="muted">${standby} stand${standby > 1 ? "" : "s"} by</p>`}
    ${quotes.refused.slice(0, 5).map(
      (/** @type {any} */ refused) => html`<p key=${refused.symbol} class="reason"><span class="tag is-bad">${refused.exchange}:${refused.symbol}</span> ${refused.message}</p>`,
    )}
  <//>`;
}

/** @param {{schedules: any[]}} props */
export function Schedules({ schedules }) {
  return html`<${Panel} title="Schedules" path="/schedules" count=${schedules.length}>
    <table>
      <thead><tr><th>Schedule</th><th>Next</th><th>Last run</th><th>Last success</th></tr></thead>
      <tbody>${schedules.map(
        (each) => html`<tr key=${each.name}><td>${each.name}</td>
          <td>${each.paused ? html`<span class="tag">paused</span>` : html`<${Age} at=${each.next_run_at} none="–" />`}</td>
          <td>${each.last_job_id ? html`<a href="/jobs/${each.last_job_id}"><${Age} at=${each.last_run_at} /></a>` : html`<${Age} at=${each.last_run_at} />`}</td>
          <td><${Age} at=${each.last_success_at} /></td></tr>`,
      )}</tbody>
    </table>
  <//>`;
}
