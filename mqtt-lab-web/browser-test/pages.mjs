// Every page of a lab, in both languages, both themes, on a phone and on a projector: a screenshot of each, and what
// a reader may expect of it: nothing is cut, nothing moves by itself, nobody is kept out.

import assert from "node:assert/strict";
import { barriers, tabWalk } from "./accessible.mjs";
import { cutTexts, overflow, untranslated } from "./legible.mjs";
import { places } from "./places.mjs";
import { MOST_SHIFT, shiftsOf, watchShifts } from "./steady.mjs";

/** @type {Record<string, string>} */
const LANGUAGES = { de: "de-DE", en: "en-US" };
const THEMES = /** @type {const} */ (["light", "dark"]);
/** @type {Record<string, {width: number, height: number}>} */
const SIZES = { phone: { width: 390, height: 844 }, projector: { width: 1920, height: 1080 } };
const NARROW = { width: 320, height: 640 };

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./places.mjs").Place} Place */

/** The words of a language, of all pages. @param {Page} page @param {string} language */
const wordsOf = (page, language) => page.evaluate(async (language) => {
  const files = ["", "topics.", "variables.", "clients.", "parts.", "status."].map((part) => `/i18n/${part}${language}.json`);
  const parts = await Promise.all(files.map(async (file) => (await fetch(file)).json()));
  return Object.assign({}, ...parts);
}, language);

/** @param {any} open @param {Place} place @param {any} options */
async function go(open, place, options) {
  const page = await open({ ...options, mute: place.broken, ready: place.ready }, place.path ?? "", async (/** @type {Page} */ page) => {
    await watchShifts(page);
    await place.prepare?.(page);
  });
  await place.arrive(page);
  return page;
}

/** @param {Page} page */
async function leave(page) {
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.context().close();
}

/** A place in one language and size: what does not depend on the theme. @param {Page} page @param {string} language */
async function read(page, language) {
  const problems = [];
  if (await overflow(page) > 0) problems.push(`${await overflow(page)} px too wide`);
  problems.push(...await cutTexts(page));
  problems.push(...await untranslated(page, await wordsOf(page, language), await wordsOf(page, language === "de" ? "en" : "de")));
  return problems;
}

/** The whole page in one picture: in a window of its height, so that all charts are drawn.
 * @param {any} shoot @param {Page} page @param {string} name @param {{width: number, height: number}} size */
async function picture(shoot, page, name, size) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: size.width, height: Math.max(size.height, height) });
  await page.waitForFunction(() => [...document.querySelectorAll("canvas")].every((canvas) => !canvas.clientWidth || canvas.width !== 300));
  // What is as high as a part of the window has grown with it.
  await shoot(page, name, { fullPage: true });
  await page.setViewportSize(size);
}

/** A place in one language and size, light and dark. @param {any} tools @param {Place} place @param {string} language @param {string} size */
async function look({ visit, shoot }, place, language, size) {
  const page = await go(visit, place, { locale: LANGUAGES[language], viewport: SIZES[size] });
  const problems = await read(page, language);
  let shift = 0;
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    const found = await barriers(page);
    problems.push(...found.map((barrier) => `${colorScheme}: ${barrier}`));
    // So late, because values come in while axe-core looks around, and before the window is made higher for the picture.
    if (colorScheme === THEMES[0]) {
      const { sum, what } = await shiftsOf(page);
      if (sum > MOST_SHIFT) problems.push(`it shifted by ${sum.toFixed(3)}: ${what.join(" | ")}`);
      shift = sum;
    }
    await picture(shoot, page, `${place.name}-${language}-${colorScheme}-${size}`, SIZES[size]);
  }
  await leave(page);
  return { problems: problems.map((problem) => `${language} ${size}: ${problem}`), shift };
}

/** The checks of one place. @param {Place} place @returns {[string, (tools: any) => Promise<any>][]} */
const checksOf = (place) => [
  [`${place.name}: nothing is cut, untranslated, barred or on the move`, async (tools) => {
    /** @type {string[]} */
    const problems = [];
    let most = 0;
    for (const language of Object.keys(LANGUAGES)) {
      for (const size of Object.keys(SIZES)) {
        const found = await look(tools, place, language, size);
        problems.push(...found.problems);
        most = Math.max(most, found.shift);
      }
    }
    assert.ok(!problems.length, problems.join("\n"));
    return `shift ${most.toFixed(4)} of ${MOST_SHIFT}`;
  }],

  [`${place.name}: the narrowest phone needs no sideways scrolling`, async ({ visit }) => {
    const page = await go(visit, place, { locale: "de-DE", viewport: NARROW });
    const [wide, cut] = [await overflow(page), await cutTexts(page)];
    await leave(page);
    assert.ok(wide <= 0, `${wide} px too wide`);
    assert.deepEqual(cut, []);
  }],

  [`${place.name}: Tab reaches everything, and one sees where it is`, async ({ visit }) => {
    const notes = [];
    for (const [size, viewport] of Object.entries(SIZES)) {
      const page = await go(visit, place, { viewport });
      const { count, problems } = await tabWalk(page);
      await leave(page);
      assert.ok(!problems.length, `${size}: ${problems.join("\n")}`);
      notes.push(`${count} on a ${size}`);
    }
    return notes.join(", ");
  }],
];

/** @param {Place[]} all */
export const checksFor = (all) => all.flatMap(checksOf);

/** Asks the lab for something. @param {Page} page @param {string} what @param {any} body */
const post = (page, what, body) => page.evaluate(async ([what, body]) => {
  const answer = await fetch(`/api/v1/${what}`, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!answer.ok) throw new Error(await answer.text());
}, [what, JSON.stringify(body)]);

/** What may be wrong with the messages of a foreign device: channel and payload. @returns {[string, string][]} */
const oddMessages = () => [
  ["/weight-of-the-left-pan", "21,5"], ["/weight-of-the-left-pan", "nan"], ["/door", "on"], ["/door", "ajar"],
  ["/level", "starting"], ["/level", "1.5"], ["/level", "2.5"], ["/level", "3.5"], ["/rain", "nan"],
  ["/time", `{"v":1,"t":${Date.now() + 86_400_000}}`], ["", '[1,"<b>2</b>"]'], ["/weight", "21.5 kg"],
];

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["a lab with everything there is: a foreign device, a lost one, a confirmed command", async ({ visit }) => {
    const page = await visit();
    // As a foreign device does.
    await post(page, "publish", { topic: "lab/home/workbench-scale/weight-of-the-left-pan", payload: "1250.5", qos: 1 });
    await page.locator('[data-device="home/workbench-scale"]').waitFor();
    for (const [channel, payload] of oddMessages()) await post(page, "publish", { topic: `lab/home/home-made-station${channel}`, payload, qos: 1 });
    await page.locator('[data-device="home/home-made-station"] [data-remark="refused"]').waitFor();
    await post(page, "variables", { id: "lesson", label: "A lesson is on", datatype: "bool", value: false });
    await post(page, "devices/home/humidity/plug", { plug: "kill" });
    await page.locator('[data-device="home/humidity"][data-state=lost]').waitFor();
    await page.context().close();
  }],
  ...checksFor(places),
  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];
