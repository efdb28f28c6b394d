// How far back a backfill has come in time, what came, and where its series stopped.

import { countText, pagesText } from "../data/numbers.js";
import { html } from "./html.js";

const STOPS = {
  reached: "reached the start",
  end: "came to the end of the history",
  limit: "met the limit of the plan",
  no_progress: "got no older bars, and no reason",
};

/** @param {{came: any}} props the `backfill` of a job */
export function BackfillProgress({ came }) {
  const share = Math.round(100 * came.share_of_time);
  const { estimate } = came;
  const since = came.reached_back_to ? `, back to ${came.reached_back_to.slice(0, 10)}` : "";
  const stops = Object.entries(came.stops).map(
    ([stop, count]) => `${countText(/** @type {number} */ (count))} ${STOPS[/** @type {keyof typeof STOPS} */ (stop)] ?? stop}`,
  );
  return html`<div class="backfill">
    <span class="progress" role="progressbar" aria-label="Time walked back" aria-valuenow=${share} aria-valuemin="0" aria-valuemax="100">
      <span class="is-running" style=${{ width: `${share}%` }}></span></span>
    <p><strong>${share} %</strong> of the wanted time${since}: ${countText(came.fetched)} bars, ${countText(came.inserted)} of them new.
      ${stops.length > 0 && html` <span class="muted">${stops.join(", ")}.</span>`}</p>
    <p class="muted">About ${countText(estimate.bars)} bars in ${pagesText(estimate.pages)} were expected${estimate.unknown_count
      ? `, without ${countText(estimate.unknown_count)} series of which nothing was known`
      : ""}.</p>
  </div>`;
}
