// Server-sent events by `fetch`, which can send a key; the browser's own EventSource can't.

import { send } from "./api.js";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 45_000; // the server sends a comment each 15 s

/** @typedef {"connecting" | "open" | "waiting"} StreamState */

/**
 * Follow a stream until the returned function is called or `onEvent` returns "end"; connect again
 * after each break.
 * @param {string} path
 * @param {import("./api.js").Query} query
 * @param {{
 *   onEvent: (name: string, data: any) => "end" | void,
 *   onState?: (state: StreamState, reason?: string) => void,
 * }} listener
 * @returns {() => void}
 */
export function follow(path, query, { onEvent, onState = () => {} }) {
  let isOver = false;
  let pause = FIRST_PAUSE_MS;
  /** @type {AbortController} */
  let attempt;
  let wake = () => {};

  async function run() {
    while (!isOver) {
      attempt = new AbortController();
      let reason;
      try {
        onState("connecting");
        const answer = await send("GET", path, { query, signal: attempt.signal });
        onState("open");
        pause = FIRST_PAUSE_MS;
        for await (const { name, data } of eventsOf(answer, attempt)) {
          if (onEvent(name, JSON.parse(data)) === "end") isOver = true;
          if (isOver) break;
        }
      } catch (error) {
        reason = /** @type {Error} */ (error).message;
      }
      attempt.abort();
      if (isOver) return;
      onState("waiting", reason);
      await new Promise((resolve) => {
        wake = () => resolve(undefined);
        setTimeout(wake, pause);
      });
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  const hurry = () => wake();
  addEventListener("online", hurry);
  run();
  return () => {
    isOver = true;
    removeEventListener("online", hurry);
    attempt.abort();
    wake();
  };
}

/**
 * Yield the events of an answer; a silent connection is given up.
 * @param {Response} answer
 * @param {AbortController} attempt
 */
async function* eventsOf(answer, attempt) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => attempt.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = eventOf(block);
      if (event) yield event;
    }
  }
}

/**
 * The event of a block of lines; null for comments and settings.
 * @param {string} block
 */
export function eventOf(block) {
  let name = "message";
  let data = null;
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data = line.slice(6);
  }
  return data === null ? null : { name, data };
}
