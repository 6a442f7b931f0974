// Style sheets of pages that most visitors never open.

import { el } from "./dom.js";

/** Loads a style sheet once, and waits for it. @param {string} href */
export function style(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve) => {
    document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
  });
}
