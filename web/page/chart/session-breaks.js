// A thin line at bars: at the first one of each trading day, at those that changed, or at events.

/** @typedef {import("../vendor/lightweight-charts.js").ITimeScaleApi<any>} TimeScale */

const LEAST_PIXELS = 24; // between two lines; else they would be a pattern of their own

export class SessionBreaks {
  /**
   * @param {TimeScale} timeScale
   * @param {string} colour
   */
  constructor(timeScale, colour) {
    this.timeScale = timeScale;
    this.colour = colour;
    /** @type {number[]} open times of the bars, in order */
    this.times = [];
  }

  paneViews() {
    return [{ zOrder: () => /** @type {const} */ ("bottom"), renderer: () => this }];
  }

  /** @param {import("fancy-canvas").CanvasRenderingTarget2D} target */
  draw(target) {
    const xs = this.times
      .map((time) => this.timeScale.timeToCoordinate(/** @type {any} */ (time)))
      .filter((x) => x !== null);
    if (xs.length > 1 && (xs[xs.length - 1] - xs[0]) / (xs.length - 1) < LEAST_PIXELS) return;
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio }) => {
      context.fillStyle = this.colour;
      for (const x of xs) {
        const isSeen = x >= 0 && x * horizontalPixelRatio <= bitmapSize.width;
        if (isSeen) context.fillRect(Math.round(x * horizontalPixelRatio), 0, 1, bitmapSize.height);
      }
    });
  }
}
