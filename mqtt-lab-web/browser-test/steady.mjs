// How far what a reader looks at moves by itself: the layout shifts that Chromium reports.

/** @typedef {import("playwright-core").Page} Page */

/** Most that a page may shift from its first frame on, as Chromium counts (0: nothing moved, 1: all of it by its own
 * height). Google calls 0.1 good; an instrument whose values change ten times a second has to be calmer. */
export const MOST_SHIFT = 0.02;

/** Has to be called before the page is loaded. @param {Page} page */
export const watchShifts = (page) => page.addInitScript(() => {
  /** @type {{value: number, what: string}[]} */
  const shifts = [];
  Object.assign(window, { shifts });
  new PerformanceObserver((list) => {
    for (const entry of /** @type {any[]} */ (list.getEntries())) {
      if (entry.hadRecentInput) continue;
      const what = entry.sources.map((/** @type {any} */ { node, previousRect: from, currentRect: to }) =>
        `${node?.nodeName ?? "?"}.${node?.className ?? node?.parentElement?.className ?? ""} ${from.x},${from.y},${from.width}×${from.height} → ${to.x},${to.y},${to.width}×${to.height}`);
      shifts.push({ value: entry.value, what: what.join("; ") });
    }
  }).observe({ type: "layout-shift", buffered: true });
});

/** The sum of all shifts so far, and what moved. @param {Page} page @returns {Promise<{sum: number, what: string[]}>} */
export const shiftsOf = (page) => page.evaluate(() => {
  const shifts = /** @type {any} */ (window).shifts;
  return {
    sum: shifts.reduce((/** @type {number} */ sum, /** @type {any} */ { value }) => sum + value, 0),
    what: shifts.map((/** @type {any} */ { value, what }) => `${value.toFixed(4)} ${what}`),
  };
});
