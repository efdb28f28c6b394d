// Asks for an API key where the API wants one.

import { useRef } from "../vendor/hooks.js";
import { useSignalEffect } from "../vendor/signals.js";
import { forgetKey, giveKey, key, question } from "../data/door.js";
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
  const leave = () => {
    question.value = null;
  };

  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="key-title" onCancel=${leave}>
    <form onSubmit=${submit}>
      <h2 id="key-title">API key</h2>
      <p>${question.value}</p>
      <label class="field">Key
        <input name="key" type="password" autocomplete="off" spellcheck=${false} required />
      </label>
      <p class="hint">Make one with <code>pocketquant keys create NAME --scope read</code>. It is sent as a
        header and kept for this tab only, unless you choose otherwise.</p>
      <label class="choice"><input name="keep" type="checkbox" /> Keep it in this browser</label>
      <div class="actions">
        ${key.value && html`<button type="button" onClick=${() => {
          forgetKey();
          question.value = "The key was forgotten. Give another one, or close this.";
        }}>Forget the key</button>`}
        <button type="button" onClick=${leave}>Close</button>
        <button class="primary">Use this key</button>
      </div>
    </form>
  </dialog>`;
}
