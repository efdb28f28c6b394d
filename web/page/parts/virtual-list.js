// A table of any number of rows, of which only those in view exist.

import { useEffect, useRef } from "../vendor/hooks.js";
import { useSignal } from "../vendor/signals.js";
import { html } from "./html.js";

const AROUND = 8; // rows drawn above and below those in view

/**
 * @template T
 * @param {{
 *   rows: T[],
 *   rowHeight: number,
 *   keyOf: (row: T) => string,
 *   draw: (row: T, index: number) => any,
 *   head: any,
 *   cursor: number,
 *   label: string,
 *   onShown: (rows: T[]) => void,
 * }} props `draw` returns the cells of a row; `cursor` is the row that is kept in view; `onShown` gets
 *   the rows that come into view
 */
export function VirtualList({ rows, rowHeight, keyOf, draw, head, cursor, label, onShown }) {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const top = useSignal(0);
  const height = useSignal(800);
  useEffect(() => {
    const seen = /** @type {HTMLElement} */ (frame.current);
    const measure = new ResizeObserver(() => {
      height.value = seen.clientHeight;
    });
    measure.observe(seen);
    return () => measure.disconnect();
  }, []);
  useEffect(() => {
    const seen = frame.current;
    if (!seen || cursor < 0) return;
    const [above, below] = [cursor * rowHeight, (cursor + 2) * rowHeight - seen.clientHeight];
    if (seen.scrollTop > above) seen.scrollTop = above;
    else if (seen.scrollTop < below) seen.scrollTop = below;
  }, [cursor]);

  const first = Math.max(0, Math.floor(top.value / rowHeight) - AROUND);
  const last = Math.min(rows.length, Math.ceil((top.value + height.value) / rowHeight) + AROUND);
  const shown = rows.slice(first, last);
  useEffect(() => onShown(shown), [rows, first, last]);
  return html`<div class="list" ref=${frame} role="table" aria-label=${label} aria-rowcount=${rows.length + 1} tabindex="0"
      onScroll=${(/** @type {any} */ event) => {
        top.value = event.currentTarget.scrollTop;
      }}>
    <div class="list-row list-head" role="row" aria-rowindex="1">${head}</div>
    <div class="list-body" role="rowgroup" style=${{ height: `${rows.length * rowHeight}px` }}>
      ${shown.map((row, offset) => {
        const index = first + offset;
        return html`<div key=${keyOf(row)} class="list-row ${index === cursor ? "is-cursor" : ""}" role="row" aria-rowindex=${index + 2}
          style=${{ height: `${rowHeight}px`, top: `${index * rowHeight}px` }}>${draw(row, index)}</div>`;
      })}
    </div>
  </div>`;
}
