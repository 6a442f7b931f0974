// Drives the dashboard of a running lab in Chromium and prints `N passed, M failed`.
//
//   LAB_URL     the lab's page                       (http://127.0.0.1:8080/)
//   LAB_BROKER  its broker, host:port                (without it, foreign devices are not checked)
//   LAB_DISK    the folder of its database, on a small file system of its own   (without it, no disk is filled)
//   SHOTS       a folder for screenshots             (none)
//   CHECKS      what is checked                      (checks)
//   ONLY        a part of the names of the checks    (all of them)
//   ASSETS      a folder with the page's files, to try them without building the program (the program's own)
//   CHROMIUM    the browser                          (/usr/bin/chromium)

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const WAIT_MS = 15_000;

const { checks } = await import(`./${process.env.CHECKS ?? "checks"}.mjs`);
const url = process.env.LAB_URL ?? "http://127.0.0.1:8080/";
const shots = process.env.SHOTS;
const assets = process.env.ASSETS;
const only = process.env.ONLY ?? "";
if (shots) mkdirSync(shots, { recursive: true });

// A page that did not come over the network may otherwise not call the lab.
const flags = assets ? [...FLAGS, "--disable-features=LocalNetworkAccessChecks"] : FLAGS;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
/** @type {string[]} every complaint of the browser, CSP violations included */
const complaints = [];
const failures = [];
let passed = 0;

/** Answers with the files of the folder, as the program would with its own. @param {import("playwright-core").BrowserContext} context */
async function serve(context) {
  const folder = /** @type {string} */ (assets);
  await context.route((address) => existsSync(join(folder, address.pathname)), async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname !== "/") return route.fulfill({ path: join(folder, pathname) });
    // With the program's own headers: its policy of contents is a part of what is tried.
    const response = await route.fetch();
    return route.fulfill({ response, body: readFileSync(join(folder, "index.html")) });
  });
}

/** A new window with its own storage, as a new visitor.
 * @param {import("playwright-core").BrowserContextOptions & {ready?: boolean, mute?: boolean}} [options]
 *   `ready`: whether to wait until devices can be shown; `mute`: what the browser complains about is meant to be
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare] runs before the page is loaded */
async function visit({ ready = true, mute = false, ...options } = {}, path = "", prepare = async () => {}) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options });
  if (assets) await serve(context);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  if (!mute) {
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    page.on("pageerror", (error) => complaints.push(String(error.stack)));
  }
  await prepare(page);
  await page.goto(new URL(path, url).href);
  if (ready) await page.waitForSelector('html[data-ready="true"]', { state: "attached" });
  return page;
}

/** @param {import("playwright-core").Page} page @param {string} name
 * @param {import("playwright-core").PageScreenshotOptions} [options] */
async function shoot(page, name, options = {}) {
  if (shots) await page.screenshot({ ...options, path: join(shots, `${name}.png`) });
}

const tools = { visit, shoot, complaints, broker: process.env.LAB_BROKER };
for (const [name, check] of checks) {
  if (!name.includes(only)) continue;
  try {
    const note = await check(tools);
    if (note?.skipped) {
      console.log(`skip  ${name}: ${note.skipped}`);
      continue;
    }
    passed += 1;
    console.log(`ok    ${name}${note ? `: ${note}` : ""}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(error).replaceAll("\n", "\n      ")}`);
  }
}
await browser.close();
if (failures.length) console.log(`failed: ${failures.join("; ")}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;
