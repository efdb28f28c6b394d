// How whole each series is: what is missing, why, and since when; repair it.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { address, changeQuery, chartPath } from "../data/address.js";
import { get, getPage, post, symbolOf, symbolPath } from "../data/api.js";
import { clock } from "../data/clock.js";
import { STORED } from "../data/intervals.js";
import { countText } from "../data/numbers.js";
import { usePolled } from "../data/polling.js";
import { inItsCase } from "../data/variants.js";
import { differenceText, outlierText, partText, SHOWS, stripOf, troublesOf } from "../data/quality.js";
import { Age } from "../parts/age.js";
import { confirm } from "../parts/confirm.js";
import { html } from "../parts/html.js";
import { attempt, notify } from "../parts/notices.js";
import { Pages } from "../parts/pages.js";
import { State, Trouble } from "../parts/panel.js";
import { Strip, StripKey } from "../parts/strip.js";

const PAGE_SIZE = 50;
const POLL_MS = 10_000;
const CELLS = 60;
const MOST_LISTED = 200; // stretches of each kind in an opened row
const MOST_REPAIRED = 500; // symbols, as the API takes

/** @typedef {import("../data/quality.js").Quality} Quality */
/** @typedef {import("../data/quality.js").Part} Part */
/** @typedef {{marks: Part[], doubts: {kind: string, text: string}[]}} Details */

export default function QualityView() {
  useEffect(() => {
    document.title = "Quality · PocketQuant";
  }, []);
  const query = address.value.searchParams;
  const [page, interval, text] = [Number(query.get("page") ?? 1), query.get("interval"), query.get("of") ?? ""];
  const typed = useSignal(/** @type {string | null} */ (null)); // until it is in the address
  const show = /** @type {keyof typeof SHOWS} */ (query.get("show") ?? "all");
  const wanted = { ...filtersOf(text), interval, ...(SHOWS[show] ? { [SHOWS[show]]: true } : {}) };
  const load = () => getPage("/market-data/quality", { ...wanted, page, page_size: PAGE_SIZE, strip: CELLS });
  const { value, error, reload } = usePolled(load, POLL_MS, [show, interval, text, page], {
    kinds: ["jobs"],
    isBusy: ({ entries }) => entries.some(({ status }) => status === "pending" || status === "syncing"),
  });
  return html`<div class="view">
    <div class="view-head">
      <h1>Quality</h1>
      <span class="muted" role="status">${value ? `${countText(value.total)} series` : ""}</span>
      <input id="quality-of" type="search" placeholder="Exchange, or EXCHANGE:TICKER" aria-label="Exchange or symbol" value=${typed.value ?? text} spellcheck=${false}
        onInput=${(/** @type {any} */ event) => {
          typed.value = event.target.value;
        }}
        onChange=${(/** @type {any} */ event) => {
          typed.value = null;
          changeQuery({ of: event.target.value.trim() || null, page: null });
        }} />
      <select aria-label="Interval" value=${interval ?? ""} onChange=${(/** @type {any} */ event) => changeQuery({ interval: event.target.value || null, page: null })}>
        <option value="">every interval</option>${STORED.map((each) => html`<option key=${each}>${each}</option>`)}
      </select>
      <div class="choices" role="group" aria-label="Show">${Object.keys(SHOWS).map(
        (each) => html`<button key=${each} aria-pressed=${show === each} onClick=${() => changeQuery({ show: each === "all" ? null : each, page: null })}>${each}</button>`,
      )}</div>
      <span class="spring"></span>
      ${may("sync") && value !== null && value.total > 0 && html`<button class="primary" onClick=${() => repairAll(wanted, value.total, reload)}>
        Repair ${value.total === 1 ? "it" : `these ${countText(value.total)}`}</button>`}
    </div>
    <${Trouble} text=${error} />
    ${value && !value.total && html`<p class="empty">${show === "all" && !text && !interval ? "No series was requested yet." : "No series is like that."}</p>`}
    ${value && value.total > 0 && html`<${StripKey} />
      <div class="scroller"><table class="rows quality">
        <thead><tr><th>Series</th><th>State</th><th class="is-strip">What was fetched, until now</th><th>What is missing</th><th class="number is-minor">Bars</th><th class="is-minor">Last sync</th><th></th></tr></thead>
        <tbody>${value.entries.map((row) => html`<${Row} key=${`${symbolOf(row)}|${row.interval}`} row=${row} onDone=${reload} />`)}</tbody>
      </table></div>
      <${Pages} page=${page} size=${PAGE_SIZE} total=${value.total} />`}
  </div>`;
}

/** @param {{row: Quality, onDone: () => void}} props */
function Row({ row, onDone }) {
  const opened = useSignal(/** @type {Details | null} */ (null));
  const symbol = symbolOf(row);
  const name = `${symbol} ${row.interval}`;
  const parts = stripOf(row);
  const troubles = troublesOf(row, clock.value);
  const toggle = () =>
    opened.value
      ? (opened.value = null)
      : attempt(async () => {
          const [marks, outliers, differences] = await Promise.all([marksOf(row), outliersOf(row), differencesOf(row)]);
          opened.value = { marks, doubts: [...outliers, ...differences] };
        });
  const fromTo = row.fetched_from ? `${row.fetched_from.slice(0, 10)} to now` : "nothing was fetched";
  return html`<tr>
    <td><a href=${chartPath(symbol, row.interval)}>${symbol}</a> <span class="interval">${row.interval}</span></td>
    <td>${row.job_id ? html`<a href="/jobs/${row.job_id}" aria-label="Job of the last sync of ${name}: ${row.status}"><${State} name=${row.status} /></a>` : html`<${State} name=${row.status} />`}</td>
    <td class="is-strip"><button class="quiet" aria-expanded=${opened.value !== null} onClick=${toggle}
      aria-label="Details of ${name}: ${fromTo}. ${parts.map(partText).join("; ")}"><${Strip} parts=${parts} marks=${opened.value?.marks ?? []} /></button></td>
    <td class="reason">${troubles.length ? troubles.map(({ text, tone }) => html`<div key=${text} class=${tone}>${text}</div>`) : html`<span class="muted">nothing</span>`}</td>
    <td class="number is-minor">${countText(row.bar_count)}</td>
    <td class="is-minor"><${Age} at=${row.last_sync_at} /></td>
    <td>${may("sync") && troubles.length > Number(row.outliers > 0) + Number(row.differences > 0) && html`<div class="row-actions"><button onClick=${() => repair([row], onDone)} aria-label="Repair ${name}">Repair</button></div>`}</td>
  </tr>
  ${opened.value && html`<tr class="details"><td colspan="7"><${Doubts} found=${opened.value.doubts} /><${Missing} marks=${opened.value.marks} problem=${row.calendar_problem} /></td></tr>`}`;
}

/** @param {{marks: Part[], problem: string | null}} props */
function Missing({ marks, problem }) {
  if (problem) return html`<p>The holes are not known: ${problem}</p>`;
  if (!marks.length) return html`<p>Every bar that its calendar has is stored.</p>`;
  const newest = marks.slice(-MOST_LISTED).reverse();
  return html`<ul tabindex="0" aria-label="What is missing, the newest first">${newest.map((mark) => html`<li key=${mark.start}><span class="strip"><span class="is-${mark.state.replaceAll("_", "-")}" style=${{ left: 0, width: "100%" }}></span></span>${partText(mark)}</li>`)}</ul>`;
}

/** @param {{found: Details["doubts"]}} props */
function Doubts({ found }) {
  if (!found.length) return null;
  return html`<ul tabindex="0" aria-label="Bars that may be wrong, the newest first">${found.map(({ kind, text }) => html`<li key=${kind + text}><span class="tag is-warn">${kind}</span> ${text}</li>`)}</ul>`;
}

/**
 * Bars that may be bad prints, the newest first.
 * @param {Quality} row
 * @returns {Promise<Details["doubts"]>}
 */
async function outliersOf(row) {
  if (!row.outliers) return [];
  const query = { interval: row.interval, limit: MOST_LISTED };
  const { outliers } = await get(`/market-data/outliers/${symbolPath(symbolOf(row))}`, query);
  return outliers.toReversed().map((/** @type {any} */ each) => ({ kind: "outlier", text: outlierText(each) }));
}

/**
 * Values of days that another source has otherwise, the newest first.
 * @param {Quality} row
 * @returns {Promise<Details["doubts"]>}
 */
async function differencesOf(row) {
  if (!row.differences) return [];
  const { differences } = await get(`/market-data/differences/${symbolPath(symbolOf(row))}`);
  return differences.toReversed().map((/** @type {any} */ each) => ({ kind: "difference", text: differenceText(each) }));
}

/**
 * The newest runs of bars that are missing, by the calendar, in order of time.
 * @param {Quality} row
 * @returns {Promise<Part[]>}
 */
async function marksOf(row) {
  const found = await get(`/market-data/holes/${symbolPath(symbolOf(row))}`, { interval: row.interval, limit: MOST_LISTED });
  const failed = row.status === "error";
  const marks = [
    ...found.holes.map((/** @type {any} */ hole) => partOf(hole, failed && hole.reason === "not_synced" ? "failed" : hole.reason)),
    ...found.untraded.map((/** @type {any} */ stretch) => partOf(stretch, "untraded")),
  ];
  return marks.sort((one, other) => (one.start < other.start ? -1 : 1));
}

/**
 * @param {{first_bar_at: string, last_bar_at: string}} stretch
 * @param {import("../data/quality.js").PartState} state
 * @returns {Part}
 */
function partOf({ first_bar_at: start, last_bar_at: end }, state) {
  return { start, end, state };
}

/**
 * `NASDAQ`, or `NASDAQ:AAPL`.
 * @param {string} text
 */
function filtersOf(text) {
  const [exchange, ...symbol] = inItsCase(text).split(":");
  return { exchange: exchange || null, symbol: symbol.join(":") || null };
}

/**
 * @param {import("../data/api.js").Query} wanted
 * @param {number} total
 * @param {() => void} onDone
 */
async function repairAll(wanted, total, onDone) {
  const { isConfirmed } = await confirm({
    title: `Repair ${total === 1 ? "one series" : `${countText(total)} series`}?`,
    text: `One job syncs those that have a hole, as far back as their oldest one.${total > MOST_REPAIRED ? ` It takes the first ${MOST_REPAIRED}; repeat it for the others.` : ""}`,
    action: "Repair",
  });
  if (!isConfirmed) return;
  await attempt(async () => {
    const { entries } = await getPage("/market-data/quality", { ...wanted, page_size: MOST_REPAIRED });
    await repair(entries, onDone);
  });
}

/**
 * @param {Quality[]} rows
 * @param {() => void} onDone
 */
async function repair(rows, onDone) {
  await attempt(async () => {
    const symbols = [...new Map(rows.map(({ exchange, symbol }) => [`${exchange}:${symbol}`, { exchange, symbol }])).values()];
    const intervals = [...new Set(rows.map((row) => row.interval))];
    const { job_id: job } = await post("/market-data/repair", { symbols, intervals });
    notify(`${rows.length === 1 ? `${symbolOf(rows[0])} ${rows[0].interval}` : `${countText(rows.length)} series`}: holes are filled.`, { link: { path: `/jobs/${job}`, text: "Job" } });
  });
  onDone();
}
