// `html`: components as template strings. Values become text or attributes, never markup.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export const html = htm.bind(h);
