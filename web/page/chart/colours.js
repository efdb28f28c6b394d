// The chart's colours, as the style sheet has them for the current theme.

/** @param {HTMLElement} element */
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const named = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: named("surface"),
    ink: named("ink"),
    muted: named("muted"),
    grid: named("grid"),
    line: named("line"),
    up: named("up"),
    down: named("down"),
    upVolume: named("up-volume"),
    downVolume: named("down-volume"),
    partial: named("partial"),
    hole: named("hole"),
    compared: named("compared"),
    event: named("event"),
  };
}

/** @typedef {ReturnType<typeof coloursOf>} Colours */
