// Above the chart: the interval, scale and zone; whether it is live; sync and export.

import { useSignal } from "../vendor/signals.js";
import { may } from "../data/access.js";
import { address, changeQuery } from "../data/address.js";
import { partsOf, post } from "../data/api.js";
import { isInterval, STORED } from "../data/intervals.js";
import { clockText, spanText, now, zoneText } from "../data/times.js";
import { offerBackfill } from "../parts/backfill-dialog.js";
import { html } from "../parts/html.js";
import { attempt, notify } from "../parts/notices.js";
import { chooseCompared } from "./compared-legend.js";
import { saveCsv, savePicture } from "./exports.js";
import { plainScale, scaleOf } from "./scale.js";
import { VariantChoice } from "./variant-choice.js";

/** @typedef {import("./live-chart.js").LiveChart} LiveChart */

/** @param {{symbol: string, interval: string, chart: LiveChart | null}} props */
export function Toolbar({ symbol, interval, chart }) {
  const query = address.value.searchParams;
  const scale = scaleOf(query);
  const isExchangeTime = query.get("tz") === "exchange";
  const hours = chart?.hours.value;
  const hasBars = Boolean(chart?.bars.value.length);
  const plain = plainScale(query);
  const choose = (/** @type {import("./scale.js").Scale} */ wanted) =>
    changeQuery({ scale: wanted === plain ? null : wanted });
  return html`<div class="toolbar" role="toolbar" aria-label="Chart">
    <${Intervals} interval=${interval} />
    <${VariantChoice} symbol=${symbol} interval=${interval} listing=${chart?.listing.value} />
    <button onClick=${() => chooseCompared(symbol)} title="Compare with another symbol (+)">Compare</button>
    <button aria-pressed=${scale === "percent"} title="Change in per cent since the left edge"
      onClick=${() => choose(scale === "percent" ? "price" : "percent")}>%</button>
    <button aria-pressed=${scale === "log"} title="Logarithmic scale"
      onClick=${() => choose(scale === "log" ? plain : "log")}>Log</button>
    <button aria-pressed=${isExchangeTime} title="Zone of the time axis"
      onClick=${() => changeQuery({ tz: isExchangeTime ? null : "exchange" })}>
      ${isExchangeTime ? zoneText(hours?.zone ?? "UTC") : "UTC"}</button>
    <span class="spring"></span>
    ${hours && html`<${Market} hours=${hours} />`}
    ${chart && hasBars && html`<${Live} chart=${chart} symbol=${symbol} />`}
    ${hasBars && html`<button onClick=${() => chart?.showNewest()} title="Scroll to the newest bar">Newest</button>`}
    <${Sync} symbol=${symbol} interval=${interval} />
    ${hasBars && html`<button title="Save the bars in view as CSV" onClick=${() => chart && saveCsv(chart)}>CSV</button>
      <button title="Save the picture as PNG" onClick=${() => chart && savePicture(chart)}>PNG</button>`}
  </div>`;
}

/** @param {{interval: string}} props */
function Intervals({ interval }) {
  const choose = (/** @type {string} */ chosen) => changeQuery({ interval: chosen, from: null, to: null });
  const enter = (/** @type {any} */ event) => {
    event.preventDefault();
    const field = event.currentTarget.elements.other;
    const text = field.value.trim();
    if (!isInterval(text)) return notify("An interval is a number and m, h, d, w or M: 90m, 6h, 2d.", { isError: true });
    field.value = "";
    field.blur();
    return choose(text);
  };
  const others = STORED.includes(interval) ? [] : [interval];
  return html`<div class="intervals" role="group" aria-label="Interval">
    ${[...STORED, ...others].map(
      (each) => html`<button key=${each} aria-pressed=${each === interval} onClick=${() => choose(each)}>${each}</button>`,
    )}
    <select aria-label="Interval" value=${interval} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
      ${[...STORED, ...others].map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
    </select>
    <form onSubmit=${enter}>
      <input name="other" class="other" placeholder="90m" size="4" maxlength="5" aria-label="Another interval, such as 90m"
        title="Another interval, such as 90m; or type it anywhere" autocomplete="off" spellcheck=${false} />
    </form>
  </div>`;
}

/** @param {{hours: import("../data/trading-hours.js").TradingHours}} props */
function Market({ hours }) {
  const { isOpen, nextOpen, nextClose, zone, problem } = hours;
  const next = isOpen ? nextClose : nextOpen;
  const at = next === null ? "" : `${isOpen ? "closes" : "opens"} ${clockText(next, zone)} ${zoneText(zone)}, in ${spanText(next - now())}`;
  const text = { true: "Open", false: "Closed" }[String(isOpen)] ?? "Hours unknown";
  return html`<span class="state ${isOpen ? "is-good" : ""}" title=${problem ?? at}>${text}${problem ? " (doubtful)" : ""}</span>`;
}

/** @param {{chart: LiveChart, symbol: string}} props */
function Live({ chart, symbol }) {
  const state = chart.live.value;
  if (state === "live") {
    const mode = chart.quote.value?.update_mode ?? "streaming";
    const delay = chart.listing.value?.delay_seconds;
    const text = delay ? `Delayed ${spanText(delay)}` : "Live";
    return html`<span class="state is-live" title="Quotes: ${mode}">${text}</span>`;
  }
  if (state === "broken") return html`<span class="state is-bad">Reconnecting…</span>`;
  if (state === "asking" || !may("sync")) return null;
  const watch = () =>
    attempt(async () => {
      await post("/quotes/subscribe", { symbols: [partsOf(symbol)] });
      notify(`${symbol} is watched; its quotes come within seconds.`);
    });
  return html`<button title="Stream this symbol's quotes" onClick=${watch}>Watch</button>`;
}

/** @param {{symbol: string, interval: string}} props */
function Sync({ symbol, interval }) {
  const isBusy = useSignal(false);
  if (!STORED.includes(interval) || !may("sync")) return null;
  const sync = async () => {
    isBusy.value = true;
    await attempt(async () => {
      const report = await post("/market-data/sync", { ...partsOf(symbol), interval });
      const link = { path: `/jobs/${report.job_id}`, text: "Job" };
      if (report.status === "completed") notify(`Up to date: ${report.inserted} new, ${report.changed} changed.`, { link });
      else notify("The sync goes on.", { link });
      dispatchEvent(new Event("online")); // the chart looks for new bars
    });
    isBusy.value = false;
  };
  const backfill = () => offerBackfill({ name: symbol, symbols: [partsOf(symbol)], intervals: [interval] });
  return html`<button onClick=${sync} disabled=${isBusy} title="Fetch the newest bars from the provider">
    ${isBusy.value ? "Syncing…" : "Sync"}</button>
    <button onClick=${backfill} title="Fetch older bars, as far back as the provider serves them">Backfill</button>`;
}
