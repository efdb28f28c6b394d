// How long ago something was, or how soon it will be; the moment itself on hovering.

import { clock } from "../data/clock.js";
import { epochOf, momentText, spanText } from "../data/times.js";
import { html } from "./html.js";

/** @param {{at: string | null | undefined, none?: string}} props `none`: shown without a moment */
export function Age({ at, none = "never" }) {
  const epoch = epochOf(at);
  if (epoch === null) return html`<span class="muted">${none}</span>`;
  const seconds = clock.value - epoch;
  const text = seconds >= 0 ? `${spanText(seconds)} ago` : `in ${spanText(-seconds)}`;
  return html`<time datetime=${at} title="${momentText(epoch, "UTC", { seconds: true })} UTC">${text}</time>`;
}
