// What surrounds every view: navigation, search, theme, key; and the choice of the view.

import { useEffect } from "./vendor/hooks.js";
import { useSignal } from "./vendor/signals.js";
import { address, followLinks, go } from "./data/address.js";
import { access, may } from "./data/access.js";
import { isShut, question } from "./data/door.js";
import { followTheme, isDark, toggleTheme } from "./data/theme.js";
import { BackfillDialog } from "./parts/backfill-dialog.js";
import { ConfirmDialog } from "./parts/confirm.js";
import { html } from "./parts/html.js";
import { Icon } from "./parts/icons.js";
import { KeyDialog } from "./parts/key-dialog.js";
import { useKeys } from "./parts/keyboard.js";
import { Notices } from "./parts/notices.js";
import { SymbolSearch, searchForChart } from "./parts/symbol-search.js";

const LINKS = /** @type {const} */ ([
  ["/", "Overview", "overview"],
  ["/markets", "Markets", "markets"],
  ["/chart", "Chart", "chart"],
  ["/watch", "Watch", "watch"],
  ["/jobs", "Jobs", "jobs"],
  ["/schedules", "Schedules", "clock"],
  ["/quality", "Quality", "quality"],
]);
const KEYS = /** @type {const} */ ([["/keys", "Keys", "key"]]); // only for those who may see them

/** Each view is loaded when it is first shown. */
const VIEWS = [
  { path: /^\/$/, load: () => import("./views/overview.js") },
  { path: /^\/markets$/, load: () => import("./views/markets.js") },
  { path: /^\/chart(?:\/(.+))?$/, load: () => import("./views/chart.js") },
  { path: /^\/watch$/, load: () => import("./views/watch.js") },
  { path: /^\/schedules$/, load: () => import("./views/schedules.js") },
  { path: /^\/quality$/, load: () => import("./views/quality.js") },
  { path: /^\/keys$/, load: () => import("./views/keys.js") },
  { path: /^\/jobs$/, load: () => import("./views/jobs.js") },
  { path: /^\/jobs\/([^/]+)$/, load: () => import("./views/job.js") },
];

/** After `g`. */
const LETTERS = { o: "/", m: "/markets", c: "/chart", w: "/watch", j: "/jobs", s: "/schedules", q: "/quality", k: "/keys" };

export function Shell() {
  useEffect(() => {
    followLinks();
    followTheme();
  }, []);
  const isGoing = useSignal(false);
  useKeys((event) => {
    if (event.key === "/") {
      event.preventDefault();
      searchForChart();
    }
    const path = LETTERS[/** @type {keyof typeof LETTERS} */ (event.key)];
    if (isGoing.value && path) go(path);
    isGoing.value = event.key === "g";
  }, []);

  return html`
    <a class="skip" href="#view">Skip to the content</a>
    <header class="bar">
      <a class="brand" href="/" aria-label="PocketQuant"><img src=${new URL("icon.svg", import.meta.url).href} alt="" width="22" height="22" /><span>PocketQuant</span></a>
      <nav aria-label="Views">
        ${[...LINKS, ...(may("admin") ? KEYS : [])].map(
          ([path, text, icon]) => html`<a key=${path} href=${path} aria-current=${isWithin(path) ? "page" : undefined}>
            <${Icon} name=${icon} /><span>${text}</span>
          </a>`,
        )}
      </nav>
      <button class="searcher" onClick=${searchForChart} aria-label="Search for a symbol">
        <${Icon} name="search" /><span>Search for a symbol</span><kbd>/</kbd>
      </button>
      <button class="quiet" title="API key" aria-label="API key" onClick=${askOfOwnAccord}>
        <${Icon} name="lock" />${access.value?.id && html`<span class="tag">${access.value.scope}</span>`}
      </button>
      <button class="quiet" title="Light or dark" aria-label="Light or dark" onClick=${toggleTheme}>
        <${Icon} name=${isDark.value ? "sun" : "moon"} />
      </button>
    </header>
    ${isShut.value && question.value === null && html`<p class="shut" role="status">The API wants a key.
      <button onClick=${askOfOwnAccord}>Give one</button></p>`}
    <main id="view" tabindex="-1"><${View} path=${address.value.pathname} /></main>
    <footer class="foot">
      <span>Charts: <a href="https://www.tradingview.com/" rel="noreferrer">TradingView Lightweight Charts™</a>
        © TradingView, Inc.</span>
      <a href=${new URL("vendor/licences.txt", import.meta.url).href}>Licences</a>
      <a href="/api/v1/docs">API</a>
    </footer>
    <${SymbolSearch} /><${ConfirmDialog} /><${BackfillDialog} /><${KeyDialog} /><${Notices} />
  `;
}

function askOfOwnAccord() {
  question.value = "";
}

/** @param {string} path */
function isWithin(path) {
  const shown = address.value.pathname;
  return path === "/" ? shown === "/" : shown === path || shown.startsWith(`${path}/`);
}

/** @param {{path: string}} props */
function View({ path }) {
  const found = VIEWS.map((view) => ({ view, match: view.path.exec(path) })).find((each) => each.match);
  const loaded = useSignal(/** @type {{view: unknown, component: any} | null} */ (null));
  useEffect(() => {
    let isOld = false;
    found?.view.load().then((module) => {
      if (!isOld) loaded.value = { view: found.view, component: module.default };
    });
    return () => {
      isOld = true;
    };
  }, [found?.view]);
  if (!found) return html`<p class="empty">There is no such view.</p>`;
  if (loaded.value?.view !== found.view) return html`<p class="starting">Loading…</p>`;
  return html`<${loaded.value?.component} name=${decoded(found.match?.[1] ?? "")} />`;
}

/** @param {string} part of an address, which anyone may have written */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
