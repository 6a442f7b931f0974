// Drives the dashboard of a running lab in Chromium and prints `N passed, M failed`.
//
//   LAB_URL     the lab's page                       (http://127.0.0.1:8080/)
//   LAB_BROKER  its broker, host:port                (without it, foreign devices are not checked)
//   SHOTS       a folder for screenshots             (none)
//   CHECKS      what is checked                      (checks)
//   CHROMIUM    the browser                          (/usr/bin/chromium)

import { mkdirSync } from "node:fs";
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
if (shots) mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
/** @type {string[]} every complaint of the browser, CSP violations included */
const complaints = [];
const failures = [];
let passed = 0;

/** A new window with its own storage, as a new visitor. @param {import("playwright-core").BrowserContextOptions} [options]
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare] runs before the page is loaded */
async function visit(options = {}, path = "", prepare = async () => {}) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  await prepare(page);
  await page.goto(new URL(path, url).href);
  await page.waitForSelector('html[data-ready="true"]', { state: "attached" });
  return page;
}

/** @param {import("playwright-core").Page} page @param {string} name */
async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`) });
}

const tools = { visit, shoot, complaints, broker: process.env.LAB_BROKER };
for (const [name, check] of checks) {
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
