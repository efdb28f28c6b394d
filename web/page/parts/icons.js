// Icons: 16 by 16, drawn in the colour of the text.

import { html } from "./html.js";

const SHAPES = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.5 10.5 14 14",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  lock: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  key: "M10 2.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM7.5 8.5 2 14M4 12l1.5 1.5",
  overview: "M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.5H9zM9 8h4.5v5.5H9zM2.5 10.5H7v3H2.5z",
  markets: "M2.5 4h11M2.5 8h11M2.5 12h11",
  chart: "M4 5v7M4 3v2M8 6v5M8 2.5V6M8 11v2.5M12 4v5M12 9v3",
  watch: "M1.5 8C4 3.5 12 3.5 14.5 8 12 12.5 4 12.5 1.5 8ZM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z",
  jobs: "M3 4.5 4.5 6 7 3M3 10.5 4.5 12 7 9M9 4.5h4.5M9 10.5h4.5",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 4.5V8l2.5 2",
  quality: "M2 5.5h12v5H2zM5.5 5.5v5M8 5.5v5M11.5 5.5v5",
  docs: "M3 2.5h7l3 3v8H3zM10 2.5v3h3M5.5 8.5h5M5.5 11h5",
  check: "M3 8.5 6.5 12 13 4.5",
};

/** @param {{name: keyof typeof SHAPES}} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d=${SHAPES[name]} />
  </svg>`;
}
