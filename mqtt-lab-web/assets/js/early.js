// The first requests, on their way while the rest of the page is still loading: this file imports almost nothing,
// so that it runs first.

import * as api from "./api.js";
import { preferred, use } from "./i18n.js";
import { watch } from "./live.js";

export const RECENT_MS = 60_000;
export const RECENT_POINTS = 120;

/** The page's words. */
export const words = use(preferred());
/** The lab's name, broker and counts. */
export const lab = api.lab();
/** The last minute of every series: the first charts. */
export const recent = api.recent(RECENT_MS, RECENT_POINTS);

/** @typedef {{onMessage: (message: any) => void, onState: (state: "live" | "reconnecting") => void}} Listener */
/** @type {(listener: Listener) => void} */
let listen = () => {};
/** @type {Promise<Listener>} promises keep their order: what comes before somebody listens waits for it */
const listener = new Promise((resolve) => { listen = resolve; });
watch((message) => listener.then(({ onMessage }) => onMessage(message)), (state) => listener.then(({ onState }) => onState(state)));

/** Takes the live messages, from the first on. */
export { listen };

// Whoever waits for these hears of a failure; until then it is not an unhandled one.
for (const request of [words, lab, recent]) request.catch(() => {});
