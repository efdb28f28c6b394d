// Who may call the API: make keys, see when each was last used, and revoke them.

import { useEffect } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { access, accessTrouble, may } from "../data/access.js";
import { address, changeQuery } from "../data/address.js";
import { getPage, remove } from "../data/api.js";
import { question } from "../data/door.js";
import { countText } from "../data/numbers.js";
import { usePolled } from "../data/polling.js";
import { Age } from "../parts/age.js";
import { confirm } from "../parts/confirm.js";
import { html } from "../parts/html.js";
import { NewKeyDialog } from "../parts/new-key-dialog.js";
import { attempt, notify } from "../parts/notices.js";
import { Pages } from "../parts/pages.js";
import { Trouble } from "../parts/panel.js";

const PAGE_SIZE = 50;
const POLL_MS = 10_000;

/**
 * @typedef {object} Key
 * @property {string} id
 * @property {string} name
 * @property {string} scope
 * @property {boolean} live
 * @property {string} created_at
 * @property {string | null} expires_at
 * @property {string | null} revoked_at
 * @property {string | null} last_used_at
 */

export default function Keys() {
  useEffect(() => {
    document.title = "Keys · PocketQuant";
  }, []);
  const query = address.value.searchParams;
  const [isAll, page] = [query.get("show") === "all", Number(query.get("page") ?? 1)];
  const isAdmin = may("admin");
  const load = async () => (isAdmin ? getPage("/keys", { live: isAll ? null : true, page, page_size: PAGE_SIZE }) : null);
  const { value, error, reload } = usePolled(load, POLL_MS, [isAdmin, isAll, page]);
  const isMaking = useSignal(false);
  // The dialog stays if a smaller key is given meanwhile: it holds what was typed, or a new key.
  return html`<div class="view">
    ${isAdmin
      ? html`<div class="view-head">
          <h1>Keys</h1>
          <div class="choices" role="group" aria-label="Show">${[false, true].map(
            (all) => html`<button key=${all} aria-pressed=${isAll === all} onClick=${() => changeQuery({ show: all ? "all" : null, page: null })}>
              ${all ? "all" : "live"}</button>`,
          )}</div>
          <span class="spring"></span>
          <button class="primary" onClick=${() => {
            isMaking.value = true;
          }}>New key</button>
        </div>
        <${Trouble} text=${error} />
        ${value && html`<${Table} keys=${value.entries} onDone=${reload} />
          <${Pages} page=${page} size=${PAGE_SIZE} total=${value.total} />`}
        ${access.value?.id === null && html`<p class="hint">Requests from this machine need no key, whether there are any or none. Keys are for
          other machines, for requests through a proxy, and for production.</p>`}`
      : access.value ? html`<${TooSmall} scope=${access.value.scope} />` : html`<${Trouble} text=${accessTrouble.value} />`}
    <${NewKeyDialog} isOpen=${isMaking.value} onEnd=${() => {
      isMaking.value = false;
      reload();
    }} />
  </div>`;
}

/** @param {{scope: string}} props */
function TooSmall({ scope }) {
  return html`<div class="empty"><h1>Keys</h1>
    <p>A key of scope admin sees and changes them. The key in use is of scope ${scope}.</p>
    <button onClick=${() => {
      question.value = "";
    }}>Use another key</button></div>`;
}

/** @param {{keys: Key[], onDone: () => void}} props */
function Table({ keys, onDone }) {
  if (!keys.length) return html`<div class="empty"><h2>There is no key</h2><p>Make one for each person and program that calls the API.</p></div>`;
  return html`<div class="scroller"><table class="rows">
    <thead><tr><th>Key</th><th>Scope</th><th class="is-minor">Created</th><th class="is-minor">Expires</th><th>Last used</th><th></th></tr></thead>
    <tbody>${keys.map((each) => html`<${Row} key=${each.id} shown=${each} onDone=${onDone} />`)}</tbody>
  </table></div>`;
}

/** @param {{shown: Key, onDone: () => void}} props */
function Row({ shown, onDone }) {
  const { id, name, scope, live, created_at: made, expires_at: end, revoked_at: revoked, last_used_at: used } = shown;
  const revoke = async () => {
    const { isConfirmed } = await confirm({
      title: `Revoke ${name}?`,
      text: "It is refused within seconds, and its streams end. This can't be undone.",
      action: "Revoke",
    });
    if (!isConfirmed) return;
    const isDone = await attempt(() => remove(`/keys/${id}`));
    if (isDone) notify(`${name} is revoked.`);
    onDone();
  };
  const state = revoked ? html`<span class="tag is-bad">revoked</span><span class="is-minor"> <${Age} at=${revoked} /></span>` : html`<span class="tag is-warn">expired</span>`;
  return html`<tr>
    <td class="key-name"><strong>${name}</strong><div class="muted"><code>${id}</code></div></td>
    <td><span class="tag ${scope === "admin" ? "is-warn" : ""}">${scope}</span></td>
    <td class="is-minor"><${Age} at=${made} /></td>
    <td class="is-minor"><${Age} at=${end} /></td>
    <td><${Age} at=${used} /></td>
    <td class="number">${!live && state}
      ${live && id === access.value?.id && html`<span class="tag is-good">in use here</span>`}
      ${live && id !== access.value?.id && html`<button class="danger" onClick=${revoke} aria-label="Revoke ${name}">Revoke</button>`}</td>
  </tr>`;
}
