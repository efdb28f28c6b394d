// Starts the page.

import { render } from "./vendor/preact.js";
import { html } from "./parts/html.js";
import { Shell } from "./shell.js";

const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${Shell} />`, place);
