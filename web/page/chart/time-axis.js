// Divides the time axis into years, months, days and hours: those of trading days or of the shown
// zone, where lightweight-charts by itself takes those of UTC.

import { defaultHorzScaleBehavior } from "../vendor/lightweight-charts.js";

/** @typedef {(time: number) => number} Shown the time whose date and clock in UTC are those to show */

export class TimeAxis extends defaultHorzScaleBehavior() {
  /** @type {Shown} */
  shown = (time) => time;

  /**
   * @param {readonly any[]} points in order of time
   * @param {number} start index of the first one that has changed
   */
  fillWeightsForPoints(points, start) {
    const from = Math.max(0, start - 1);
    const shown = points.slice(from).map(({ originalTime }) => ({
      ...{ timeWeight: 0, originalTime },
      time: this.convertHorzItemToInternal(/** @type {any} */ (this.shown(originalTime))),
    }));
    super.fillWeightsForPoints(/** @type {any} */ (shown), start - from);
    for (let at = start; at < points.length; at += 1) points[at].timeWeight = shown[at - from].timeWeight;
  }
}
