// A small chart of some closes and the price now.

import { html } from "./html.js";

const [WIDTH, HEIGHT] = [120, 30];

/** @param {{closes: number[], last: number | null}} props */
export function Sparkline({ closes, last }) {
  const prices = last === null ? closes : [...closes, last];
  if (prices.length < 2) return html`<span class="muted">–</span>`;
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const points = prices.map((price, index) => {
    const x = (WIDTH * index) / (prices.length - 1);
    const y = high === low ? HEIGHT / 2 : HEIGHT - 2 - ((HEIGHT - 4) * (price - low)) / (high - low);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const tone = prices[prices.length - 1] >= prices[0] ? "is-up" : "is-down";
  return html`<svg class="spark ${tone}" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
    <polyline points=${points.join(" ")} /></svg>`;
}
