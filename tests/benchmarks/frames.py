"""Counts the frames that a page draws while something in it moves."""

from playwright.sync_api import Page

_FRAMES = """(milliseconds) => new Promise((resolve) => {
  const move = %s;
  const began = performance.now();
  let frames = 0;
  const step = () => {
    move(frames);
    frames += 1;
    const passed = performance.now() - began;
    if (passed < milliseconds) requestAnimationFrame(step);
    else resolve(frames / (passed / 1000));
  };
  step();
})"""


def frames_a_second(page: Page, move: str, milliseconds: float) -> float:
    """Return the frames a second while `move`, a function of the frame's number, is called."""
    frames: float = page.evaluate(_FRAMES % move, milliseconds)
    return frames
