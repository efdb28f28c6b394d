// Asks before something that can't be undone.

import { useRef } from "../vendor/hooks.js";
import { signal, useSignalEffect } from "../vendor/signals.js";
import { html } from "./html.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} action what the button says
 * @property {string} [choice] what may be ticked
 */

const asked = signal(/** @type {(Question & {answer: (result: Answer) => void}) | null} */ (null));

/** @typedef {{isConfirmed: boolean, isTicked: boolean}} Answer */

/**
 * @param {Question} question
 * @returns {Promise<Answer>}
 */
export function confirm(question) {
  return new Promise((answer) => {
    asked.value = { ...question, answer };
  });
}

export function ConfirmDialog() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useSignalEffect(() => {
    if (asked.value && !dialog.current?.open) dialog.current?.showModal();
  });
  const end = (/** @type {boolean} */ isConfirmed) => {
    const ticked = dialog.current?.querySelector("input")?.checked ?? false;
    asked.peek()?.answer({ isConfirmed, isTicked: ticked });
    asked.value = null;
    dialog.current?.close();
  };
  const question = asked.value;
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="confirm-title" onCancel=${() => end(false)}>
    ${question && html`<form onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      end(true);
    }}>
      <h2 id="confirm-title">${question.title}</h2>
      <p>${question.text}</p>
      ${question.choice && html`<label class="choice"><input type="checkbox" /> ${question.choice}</label>`}
      <div class="actions">
        <button type="button" onClick=${() => end(false)}>Keep</button>
        <button class="danger">${question.action}</button>
      </div>
    </form>`}
  </dialog>`;
}
