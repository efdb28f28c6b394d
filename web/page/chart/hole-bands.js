// A tinted band between two bars where the symbol's hours let others open; grey if nothing was traded.

import { firstFrom } from "../data/ordered.js";

const MARK = 3; // height of the mark at the lower edge, which is seen at any zoom

/** @typedef {import("../vendor/lightweight-charts.js").ITimeScaleApi<any>} TimeScale */

export class HoleBands {
  /** @param {TimeScale} timeScale */
  constructor(timeScale) {
    this.timeScale = timeScale;
    this.tint = "";
    this.colour = "";
    this.untraded = "";
    /** @type {import("./holes.js").Hole[]} */
    this.holes = [];
  }

  paneViews() {
    return [{ zOrder: () => /** @type {const} */ ("bottom"), renderer: () => this }];
  }

  /** @param {import("fancy-canvas").CanvasRenderingTarget2D} target */
  draw(target) {
    const range = this.timeScale.getVisibleLogicalRange();
    if (!range || !this.holes.length) return;
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) => {
      const xOf = (/** @type {number} */ index) =>
        Math.round((this.timeScale.logicalToCoordinate(/** @type {any} */ (index)) ?? 0) * horizontalPixelRatio);
      const height = Math.round(MARK * verticalPixelRatio);
      let drawn = -Infinity; // where many lie close to each other, none is drawn twice
      const first = firstFrom(this.holes, ({ after }) => after < range.from - 1);
      for (let at = first; this.holes[at]?.after <= range.to; at += 1) {
        const { after, isUntraded } = this.holes[at];
        const left = Math.max(drawn, xOf(after));
        const right = Math.max(left + 1, xOf(after + 1));
        if (right <= drawn) continue;
        context.fillStyle = isUntraded ? this.untraded : this.tint;
        context.fillRect(left, 0, right - left, bitmapSize.height);
        context.fillStyle = isUntraded ? this.untraded : this.colour;
        context.fillRect(left, bitmapSize.height - height, right - left, height);
        drawn = right;
      }
    });
  }
}
