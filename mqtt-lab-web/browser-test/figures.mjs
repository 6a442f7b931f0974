// Measures the dashboard of a running lab in Chromium and prints one JSON object. `cargo bench --bench figures`
// runs it on a lab with 20 series at 10 Hz and publishes the device `demo/clock`, whose value is the time of
// publishing in ms since the Unix epoch.
//
//   LAB_URL     the lab's page                       (http://127.0.0.1:8080/)
//   CHROMIUM    the browser                          (/usr/bin/chromium)

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const WAIT_MS = 60_000;
const LOADS = 5;
const SAMPLES = 100;
const FRAMES = 200;

/** @typedef {import("playwright-core").Page} Page */

const url = process.env.LAB_URL ?? "http://127.0.0.1:8080/";
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** The value that `percent` of all `values` do not exceed. @param {number[]} values @param {number} percent */
const percentile = (values, percent) =>
  values.toSorted((a, b) => a - b)[Math.floor(((values.length - 1) * percent) / 100)];

/** Shows a new visitor the page, with nothing in the cache, up to its first chart, and measures it.
 * @template T @param {(page: Page) => Promise<T>} measure @returns {Promise<T>} */
async function visit(measure) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("first-chart").length);
  const measured = await measure(page);
  await context.close();
  return measured;
}

/** From the begin of the navigation to the frame that draws the first chart with data; ms. */
const firstChart = () =>
  visit((page) => page.evaluate(() => performance.getEntriesByName("first-chart")[0].startTime));

/** What travelled up to the first chart, as it travelled: the bodies of all answers in kB, the page's files and the
 * lab's data apart. */
const firstLoad = () => visit((page) => page.evaluate(() => {
  const kilobytes = { files: 0, data: 0 };
  for (const entry of /** @type {any[]} */ (performance.getEntries())) {
    if (!entry.encodedBodySize) continue;
    kilobytes[new URL(entry.name).pathname.startsWith("/api/") ? "data" : "files"] += entry.encodedBodySize / 1000;
  }
  return kilobytes;
}));

/** From publishing a value to its text on the page, in ms: the value is the time of publishing, and the browser has
 * the same clock. What the screen then needs is not in it. */
const samplesToPage = () => visit((page) => page.evaluate((count) => new Promise((resolve) => {
  const value = /** @type {Element} */ (document.querySelector('[data-device="demo/clock"] [data-value]'));
  /** @type {number[]} */
  const latencies = [];
  new MutationObserver(() => {
    latencies.push(performance.timeOrigin + performance.now() - Number(value.getAttribute("data-raw")));
    if (latencies.length === count) resolve(latencies);
  }).observe(value, { attributeFilter: ["data-raw"] });
}), SAMPLES));

/** Mean time of the page's script in an animation frame, in ms. The page asks for a frame only when it draws. */
const scriptPerFrame = () => visit((page) => page.evaluate((count) => new Promise((resolve) => {
  const request = window.requestAnimationFrame;
  let frames = 0;
  let spentMs = 0;
  window.requestAnimationFrame = (draw) => request((time) => {
    const begin = performance.now();
    draw(time);
    spentMs += performance.now() - begin;
    frames += 1;
    if (frames === count) resolve(spentMs / frames);
  });
}), FRAMES));

const charts = [];
for (let load = 0; load < LOADS; load += 1) charts.push(await firstChart());
const load = await firstLoad();
const latencies = /** @type {number[]} */ (await samplesToPage());
console.log(JSON.stringify({
  first_chart_ms: percentile(charts, 50),
  sample_to_page_p50_ms: percentile(latencies, 50),
  sample_to_page_p99_ms: percentile(latencies, 99),
  script_per_frame_ms: await scriptPerFrame(),
  first_load_files_kb: load.files,
  first_load_data_kb: load.data,
}));
await browser.close();
