// Makes a key, and shows its text once.

import { useEffect, useRef } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { post } from "../data/api.js";
import { html } from "./html.js";
import { useModal } from "./modal.js";

const DAY = 86_400;
const LIVES = /** @type {const} */ ([
  ["never", null],
  ["in a day", DAY],
  ["in 7 days", 7 * DAY],
  ["in 30 days", 30 * DAY],
  ["in 90 days", 90 * DAY],
  ["in a year", 365 * DAY],
]);
const SCOPES = /** @type {const} */ ([
  ["read", "looks at everything but keys"],
  ["sync", "also syncs, watches, cancels, retries"],
  ["admin", "also removes, schedules, makes keys"],
]);

/** @param {{isOpen: boolean, onEnd: () => void}} props */
export function NewKeyDialog({ isOpen, onEnd }) {
  const dialog = useModal(isOpen);
  const text = useSignal(""); // of the key that was made
  const failure = useSignal("");
  const isBusy = useSignal(false); // a second request would make a second key, and hide the first one's text
  useEffect(() => {
    failure.value = "";
  }, [isOpen]);
  const make = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (isBusy.value) return;
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const seconds = form.get("life");
    isBusy.value = true;
    try {
      const made = await post("/keys", {
        name: String(form.get("name")).trim(),
        scope: form.get("scope"),
        expires_in_seconds: seconds ? Number(seconds) : null,
      });
      text.value = made.key;
      failure.value = "";
    } catch (error) {
      failure.value = /** @type {Error} */ (error).message;
    }
    isBusy.value = false;
  };
  const end = () => {
    text.value = "";
    onEnd();
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="new-key-title" onCancel=${(/** @type {Event} */ event) => {
    if (text.value) event.preventDefault(); // Escape would lose the text
    else end();
  }} onClose=${() => text.value && dialog.current?.showModal()}>
    ${isOpen && (text.value ? html`<${Made} text=${text.value} onEnd=${end} />` : html`<form onSubmit=${make}>
      <h2 id="new-key-title">New key</h2>
      <label class="field">Name
        <input name="name" maxlength="80" required autocomplete="off" spellcheck=${false} placeholder="who or what uses it" /></label>
      <fieldset class="options"><legend>Scope</legend>${SCOPES.map(
        ([scope, does]) => html`<label key=${scope} class="choice"><input type="radio" name="scope" value=${scope} defaultChecked=${scope === "read"} />
          <strong>${scope}</strong> <span class="muted">${does}</span></label>`,
      )}</fieldset>
      <label class="field">Expires
        <select name="life">${LIVES.map(([name, seconds]) => html`<option key=${name} value=${seconds ?? ""}>${name}</option>`)}</select></label>
      ${failure.value && html`<p class="trouble" role="alert">${failure}</p>`}
      <div class="actions">
        <button type="button" onClick=${end}>Close</button>
        <button class="primary" disabled=${isBusy}>Create</button>
      </div>
    </form>`)}
  </dialog>`;
}

/** @param {{text: string, onEnd: () => void}} props */
function Made({ text, onEnd }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const isCopied = useSignal(false);
  useEffect(() => field.current?.select(), []);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(text);
      isCopied.value = true;
    } catch {
      isCopied.value = document.execCommand("copy"); // without https there is no clipboard object
    }
  };
  return html`<form onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    onEnd();
  }}>
    <h2 id="new-key-title">Save this key now</h2>
    <p>Only its hash is stored: it can't be shown again.</p>
    <div class="secret"><textarea ref=${field} value=${text} rows="2" readonly aria-label="The key" spellcheck=${false} />
      <button type="button" onClick=${copy}>Copy</button></div>
    <p class="hint" role="status">${isCopied.value ? "Copied." : ""}</p>
    <div class="actions"><button class="primary">I have saved it</button></div>
  </form>`;
}
