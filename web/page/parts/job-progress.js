// How a job is getting on: its state in a word, and its syncs by state as one bar.

import { countText } from "../data/numbers.js";
import { html } from "./html.js";
import { State } from "./panel.js";

const STATES = /** @type {const} */ (["completed", "failed", "cancelled", "running", "paused", "queued"]);

/** @typedef {Record<"total" | typeof STATES[number], number>} Counts */

/**
 * The state of a job, which is not "completed" where syncs have failed.
 * @param {{job: {state: string, counts: Counts}}} props
 */
export function JobState({ job: { state, counts } }) {
  if (state !== "completed" || !counts.failed) return html`<${State} name=${state} />`;
  return html`<${State} name=${counts.completed ? "partly failed" : "failed"} title="The job has ended; some of its syncs failed" />`;
}

/** @param {{counts: Counts}} props */
export function JobProgress({ counts }) {
  const ended = counts.total - counts.queued - counts.running - counts.paused;
  const label = STATES.filter((state) => counts[state]).map((state) => `${countText(counts[state])} ${state}`).join(", ");
  return html`<span class="progress" role="progressbar" aria-label=${label || "empty"} title=${label}
      aria-valuenow=${ended} aria-valuemin="0" aria-valuemax=${counts.total}>
    ${STATES.map((state) => {
      const share = counts.total ? (100 * counts[state]) / counts.total : 0;
      return share > 0 && html`<span key=${state} class="is-${state}" style=${{ width: `${share}%` }}></span>`;
    })}
  </span>`;
}
