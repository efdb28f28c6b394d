// Chooses the variant of the symbol on the chart: adjustment, hours, currency.

import { useSignal } from "../vendor/signals.js";
import { chartPath, go } from "../data/address.js";
import { isIntraday } from "../data/intervals.js";
import { marksOf, plainOf, variantInWords, withMarks } from "../data/variants.js";
import { html } from "../parts/html.js";
import { useModal } from "../parts/modal.js";

const INTRADAY = "1h"; // days have no extended hours

/** @param {{symbol: string, interval: string, listing: any}} props */
export function VariantChoice({ symbol, interval, listing }) {
  const isOpen = useSignal(false);
  const dialog = useModal(isOpen.value);
  const close = () => {
    isOpen.value = false;
  };
  const choose = (/** @type {any} */ event) => {
    event.preventDefault();
    const { adjustment, session, currency } = event.currentTarget.elements;
    const marks = { adjustment: adjustment.value, session: session.value, currency: currency.value.trim().toUpperCase() };
    close();
    const isShort = marks.session === "regular" || isIntraday(interval);
    go(chartPath(withMarks(plainOf(symbol), { ...marksOf(symbol), ...marks }), isShort ? interval : INTRADAY));
  };
  const marks = marksOf(symbol);
  const hasNoDividends = ["none", "splits"].includes(listing?.allowed_adjustment);
  const hasNoHours = listing?.has_extended_hours === false;
  const words = variantInWords(symbol);
  return html`<button aria-haspopup="dialog" aria-pressed=${Boolean(words)} title=${words || "Adjustment, hours and currency of the bars"}
      onClick=${() => {
        isOpen.value = true;
      }}>Variant</button>
    <dialog ref=${dialog} class="dialog" aria-labelledby="variant-title" onCancel=${close}>
      ${isOpen.value && html`<form onSubmit=${choose}>
        <h2 id="variant-title">Variant of ${plainOf(symbol)}</h2>
        <p>Each variant is a series of its own, which is fetched and stored beside the others.</p>
        <label class="field"><span>Adjusted for</span>
          <select name="adjustment">
            <${Option} value="splits" chosen=${marks.adjustment} text="splits" />
            <${Option} value="dividends" chosen=${marks.adjustment} text="splits and dividends" isOff=${hasNoDividends} />
            <${Option} value="none" chosen=${marks.adjustment} text="nothing, if the provider heeds it" />
          </select></label>
        <label class="field"><span>Hours</span>
          <select name="session">
            <${Option} value="regular" chosen=${marks.session} text="regular" />
            <${Option} value="extended" chosen=${marks.session} text="extended, up to bars of 4h" isOff=${hasNoHours} />
          </select></label>
        <label class="field"><span>Currency <span class="hint">empty: the symbol's own</span></span>
          <input name="currency" defaultValue=${marks.currency ?? ""} pattern="[A-Za-z0-9]{2,16}" maxlength="16" placeholder=${listing?.currency ?? ""}
            autocomplete="off" spellcheck=${false} /></label>
        <div class="actions">
          <button type="button" onClick=${close}>Close</button>
          <button class="primary">Show</button>
        </div>
      </form>`}
    </dialog>`;
}

/** @param {{value: string, chosen: string | undefined, text: string, isOff?: boolean}} props */
function Option({ value, chosen, text, isOff = false }) {
  return html`<option value=${value} selected=${chosen === value} disabled=${isOff}>${text}${isOff ? " (not offered)" : ""}</option>`;
}
