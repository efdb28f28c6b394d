// Asks for an API key where the API wants one; says which one is in use.

import { useRef } from "../vendor/hooks.js";
import { useSignalEffect } from "../vendor/signals.js";
import { access, may } from "../data/access.js";
import { dismiss, forgetKey, giveKey, key, question } from "../data/door.js";
import { Age } from "./age.js";
import { html } from "./html.js";

export function KeyDialog() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useSignalEffect(() => {
    const isAsked = question.value !== null;
    if (isAsked && !dialog.current?.open) dialog.current?.showModal();
    if (!isAsked && dialog.current?.open) dialog.current?.close();
  });

  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    giveKey(String(given.get("key")).trim(), given.get("keep") === "on");
    form.reset();
  };

  // The event `close` would come too late: the key may be refused and asked for again by then.
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="key-title" onCancel=${dismiss}>
    <form onSubmit=${submit}>
      <h2 id="key-title">API key</h2>
      <p id="key-reason" role="status">${question.value || html`<${InUse} />`}</p>
      <label class="field">Key
        <input name="key" type="password" autocomplete="off" spellcheck=${false} required aria-describedby="key-reason"
          pattern="\\s*[!-~]+\\s*" title="A key reads pq_…, without spaces" />
      </label>
      <p class="hint">${may("admin") ? html`<a href="/keys" onClick=${dismiss}>Keys</a> makes one` : html`An admin makes one`},
        or <code>pocketquant keys create NAME</code>. It is sent as a header and kept for this tab only, unless you choose otherwise.</p>
      <label class="choice"><input name="keep" type="checkbox" /> Keep it in this browser</label>
      <div class="actions">
        ${key.value && html`<button type="button" onClick=${() => {
          forgetKey();
          question.value = "The key was forgotten. Give another one, or close this.";
        }}>Forget the key</button>`}
        <button type="button" onClick=${dismiss}>Close</button>
        <button class="primary">Use this key</button>
      </div>
    </form>
  </dialog>`;
}

function InUse() {
  const { scope, id, name, expires_at: end } = access.value ?? {};
  if (!scope) return "It is not known yet what may be done here.";
  if (!id) return "None is needed on this machine. A key that you give is used nevertheless, with its scope.";
  return html`<strong>${name}</strong> is in use, of scope ${scope}${end && html`; it expires <${Age} at=${end} />`}. Another one replaces it.`;
}
