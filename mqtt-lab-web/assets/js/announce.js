// Says a result to screen readers, in one polite live region.

import { setText } from "./dom.js";

/** @param {string} words */
export function announce(words) {
  const region = document.getElementById("announcer");
  if (region) setText(region, words);
}
