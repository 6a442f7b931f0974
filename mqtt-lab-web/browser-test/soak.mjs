// Leaves a page of a running lab open for an hour and watches the memory of browser and server: prints a line each
// minute, and fails when the last quarter needs more than the second one did.
//
//   LAB_URL       the lab's page                     (http://127.0.0.1:8080/)
//   LAB_PID       its process, for its memory        (only the browser is watched)
//   SOAK_MINUTES  how long                           (60)
//   SOAK_SECONDS  between two lines                  (60)
//   CHROMIUM      the browser                        (/usr/bin/chromium)

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const WAIT_MS = 60_000;
/** How much the median of the last quarter may exceed that of the second, as a share and at least by so much. The first
 * quarter does not count: charts fill, caches warm up. */
const BOUNDS = {
  heap_mb: { share: 0.1, least: 2 },
  nodes: { share: 0.05, least: 200 },
  server_mb: { share: 0.1, least: 4 },
};

const url = process.env.LAB_URL ?? "http://127.0.0.1:8080/";
const minutes = Number(process.env.SOAK_MINUTES ?? 60);
const everyMs = Number(process.env.SOAK_SECONDS ?? 60) * 1_000;
const pid = process.env.LAB_PID;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
const page = await browser.newPage({ locale: "en-US", viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(WAIT_MS);
/** @type {string[]} */
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error.stack)));
await page.goto(url);
await page.waitForFunction(() => performance.getEntriesByName("first-chart").length);
const tools = await page.context().newCDPSession(page);

/** Resident memory of the lab, in MB; NaN when it is not watched. */
function serverMegabytes() {
  if (!pid) return NaN;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1_000;
}

/** What the page holds once all garbage is gone. */
async function look() {
  await tools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await tools.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners: listeners } = await tools.send("Memory.getDOMCounters");
  return { heap_mb: usedSize / 1e6, nodes, listeners, server_mb: serverMegabytes() };
}

/** What a person does: to a device, to the topics, to a search, and back. */
const VISITS = [
  async () => {
    await page.locator(".card a").first().click();
    await page.locator('[data-part="history"]').first().waitFor();
  },
  async () => {
    await page.goto(new URL("#/topics", url).href);
    await page.locator("[role=treeitem]").first().waitFor();
  },
  async () => {
    await page.goto(new URL("#/", url).href);
    await page.locator("#search").fill("a");
    await page.locator("#search").fill("");
  },
];

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** @type {Record<string, number>[]} */
const rows = [];
const begin = Date.now();
console.log("  minute    heap MB    nodes  listeners  server MB");
for (let round = 0; Date.now() - begin < minutes * 60_000; round += 1) {
  await pause(Math.max(0, begin + (round + 1) * everyMs - Date.now()));
  // On the dashboard all the same, so that every line tells of the same page.
  await VISITS[round % VISITS.length]();
  await page.goto(new URL("#/", url).href);
  await page.locator(".card [data-value]").first().waitFor();
  const row = { minute: (Date.now() - begin) / 60_000, ...await look() };
  rows.push(row);
  const cells = [row.minute.toFixed(1).padStart(8), row.heap_mb.toFixed(2).padStart(10), String(row.nodes).padStart(8), String(row.listeners).padStart(10), row.server_mb.toFixed(1).padStart(10)];
  console.log(cells.join(" "));
}
await browser.close();

let failed = complaints.length > 0;
for (const complaint of complaints) console.log(complaint);
const quarter = (/** @type {number} */ number, /** @type {string} */ key) =>
  median(rows.slice(Math.floor((rows.length * (number - 1)) / 4), Math.floor((rows.length * number) / 4)).map((row) => row[key]));
for (const [key, { share, least }] of Object.entries(BOUNDS)) {
  const [second, last] = [quarter(2, key), quarter(4, key)];
  if (Number.isNaN(second)) continue;
  const bound = second + Math.max(second * share, least);
  const verdict = last <= bound ? "steady" : "GROWS";
  failed ||= last > bound;
  console.log(`${key}: second quarter ${second.toFixed(2)}, last quarter ${last.toFixed(2)}, at most ${bound.toFixed(2)}: ${verdict}`);
}
process.exitCode = failed ? 1 : 0;
