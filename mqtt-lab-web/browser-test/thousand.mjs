// A lab with a thousand devices or more: how soon its first cards are there, and whether it can be used.
//
//   DEVICES     how many devices it has              (1000)
//   STRICT      fails when a figure misses its target (only tells them: another program may be the cause)

import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

const DEVICES = Number(process.env.DEVICES ?? 1_000);
const FIRST_RENDER_MS = 1_000;
const SEARCH_MS = 100;
const LOADS = 5;
/** Longest piece of script while values come in: a click must not wait longer. */
const LONGEST_TASK_MS = 100;
const WATCHED_SAMPLES = 100;
const STRICT = Boolean(process.env.STRICT);

/** A figure and whether it keeps its target. @param {boolean} kept @param {string} note */
function figure(kept, note) {
  assert.ok(kept || !STRICT, note);
  return kept ? note : `${note} (target missed)`;
}

/** Notes the first frame in which every card in the window shows its value. @param {Page} page */
const watchFirstCards = (page) => page.addInitScript(() => {
  const look = () => {
    const cards = [...document.querySelectorAll(".card")].slice(0, 8);
    const full = cards.length > 0 && cards.every((card) => !["null", null, undefined].includes(card.querySelector("[data-value]")?.getAttribute("data-raw")));
    // This callback runs before the frame is painted: the next one runs when it has been.
    if (full) requestAnimationFrame(() => performance.mark("first-cards"));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});

/** @param {any} visit */
const open = (visit) => visit({}, "", watchFirstCards);

/** Types into the search and tells how long until the frame with what matches has been painted; ms.
 * @param {Page} page @param {string} words @param {number} expected devices */
const find = (page, words, expected) => page.evaluate(([words, said]) => new Promise((resolve, reject) => {
  const input = /** @type {HTMLInputElement} */ (document.getElementById("search"));
  const begin = performance.now();
  input.value = words;
  input.dispatchEvent(new InputEvent("input", { bubbles: true }));
  const look = () => {
    const text = document.querySelector(".search output")?.textContent;
    // This callback runs before the frame is painted: the next one runs when it has been.
    if (text === said) requestAnimationFrame(() => resolve(performance.now() - begin));
    else if (performance.now() - begin > 5_000) reject(new Error(`“${text}” instead of “${said}”`));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}), [words, words ? `${expected} of ${DEVICES}` : ""]);

/** Until the page knows all devices. @param {Page} page */
const complete = (page) => page.waitForFunction((/** @type {string} */ said) =>
  document.querySelector('.states [data-state="ready"]')?.textContent === said, `${DEVICES} ready`, { timeout: 120_000 });

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  [`${DEVICES} devices: all are there`, async ({ visit }) => {
    const page = await visit();
    await complete(page);
    await page.context().close();
  }],

  [`${DEVICES} devices: the first cards are painted within ${FIRST_RENDER_MS} ms`, async ({ visit, shoot }) => {
    const times = [];
    for (let load = 0; load < LOADS; load += 1) {
      const page = await open(visit);
      await page.waitForFunction(() => performance.getEntriesByName("first-cards").length);
      times.push(await page.evaluate(() => performance.getEntriesByName("first-cards")[0].startTime));
      if (!load) await shoot(page, `devices-${DEVICES}`);
      await page.context().close();
    }
    // The quickest: whatever else the machine does only adds to it.
    const note = `${Math.round(Math.min(...times))} ms, median ${Math.round(median(times))} ms (${times.map(Math.round).join(", ")})`;
    return figure(Math.min(...times) <= FIRST_RENDER_MS, note);
  }],

  [`${DEVICES} devices: a search shows what it finds within ${SEARCH_MS} ms`, async ({ visit }) => {
    const page = await open(visit);
    await complete(page);
    const last = String(DEVICES);
    const times = { few: await find(page, `t-${last}`, 1), many: await find(page, "t-1", await count(page, "t-1")), all: await find(page, "", DEVICES) };
    await page.context().close();
    const note = Object.entries(times).map(([name, ms]) => `${name} ${Math.round(ms)} ms`).join(", ");
    return figure(Math.max(...Object.values(times)) <= SEARCH_MS, note);
  }],

  [`${DEVICES} devices: values come in without holding up a click for ${LONGEST_TASK_MS} ms`, async ({ visit }) => {
    const page = await open(visit);
    await page.waitForFunction(() => performance.getEntriesByName("first-cards").length);
    const tasks = /** @type {number[]} */ (await page.evaluate((samples) => new Promise((resolve) => {
      /** @type {number[]} */
      const tasks = [];
      let seen = 0;
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
      new MutationObserver((changes) => {
        seen += changes.length;
        if (seen >= samples) resolve(tasks.toSorted((a, b) => b - a));
      }).observe(document.body, { subtree: true, attributeFilter: ["data-raw"] });
    }), WATCHED_SAMPLES));
    await page.context().close();
    // One may be the machine's own doing, or the cleaning up after the start.
    const note = tasks.length ? `${tasks.length} above 50 ms: ${tasks.slice(0, 5).join(", ")} ms` : "none above 50 ms";
    return figure((tasks[1] ?? 0) <= LONGEST_TASK_MS, note);
  }],

  [`${DEVICES} devices: the last card is filled when one scrolls there, and a few hundred at most`, async ({ visit }) => {
    const page = await open(visit);
    await complete(page);
    for (let shown = await page.locator(".card").count(); shown < DEVICES; shown = await page.locator(".card").count()) {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.waitForFunction((/** @type {number} */ before) => document.querySelectorAll(".card").length > before, shown);
    }
    await page.locator(".card").last().scrollIntoViewIfNeeded();
    await page.locator(".card").last().locator("[data-value]").waitFor();
    const filled = await page.evaluate(() => document.querySelectorAll(".card:not(:empty)").length);
    await page.context().close();
    assert.ok(filled <= 400, `${filled} cards are filled`);
    return `${filled} cards are filled`;
  }],

  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];

/** How many devices the lab knows with this in their name. @param {Page} page @param {string} part */
function count(page, part) {
  return page.evaluate(async (part) => {
    const devices = await (await fetch("/api/v1/devices")).json();
    return devices.filter((/** @type {any} */ { id }) => id.includes(part)).length;
  }, part);
}
