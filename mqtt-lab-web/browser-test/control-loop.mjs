// A control loop, closed by hand in the page: the thermostat's set-point, and a thermometer that breaks.

import assert from "node:assert/strict";

const TOLERANCE_KELVIN = 0.5;
const HOLDS_MS = 5_000;
const SETTLES_MS = 60_000;
const SPIKE_KELVIN = 30;

/** @typedef {import("playwright-core").Page} Page */

/** What a card shows of a channel, as a number. @param {Page} page @param {string} id @param {string} channel */
const shown = (page, id, channel) => page.evaluate(([device, name]) => {
  const place = document.querySelector(`.card[data-device="demo/${device}"] [data-channel="${name}"] [data-value]`)
    ?? document.querySelector(`.card[data-device="demo/${device}"] [data-value]`);
  return Number(place?.getAttribute("data-raw"));
}, [id, channel]);

/** Sets a channel on the device's page. @param {Page} page @param {string} channel */
const row = (page, channel) => page.locator(`.control-row[data-channel="${channel}"]`);

/** @param {any} visit @param {string} id @param {string} channel @param {(row: any) => Promise<void>} set */
async function command(visit, id, channel, set) {
  const page = await visit({}, `#/device/demo/${id}`);
  await set(row(page, channel));
  await row(page, channel).locator('[data-command-state="confirmed"]').waitFor();
  await page.context().close();
}

/** @param {any} visit @param {number} celsius */
const setPoint = (visit, celsius) => command(visit, "thermostat", "setpoint", async (place) => {
  await place.locator("input[type=number]").fill(String(celsius));
  await place.locator("input[type=number]").press("Enter");
});

/** Waits until the room has been within the tolerance without a break. @param {Page} page @param {number} celsius */
async function held(page, celsius) {
  const begin = Date.now();
  let since = Date.now();
  let farthest = 0;
  while (Date.now() - since < HOLDS_MS) {
    const off = Math.abs(await shown(page, "room", "temperature") - celsius);
    if (off <= TOLERANCE_KELVIN) farthest = Math.max(farthest, off);
    else [since, farthest] = [Date.now(), 0];
    assert.ok(Date.now() - begin < SETTLES_MS, `still ${off} K away from ${celsius} °C`);
    await page.waitForTimeout(100);
  }
  return `${celsius} °C held within ${farthest.toFixed(2)} K, ${((since - begin) / 1000).toFixed(1)} s after the step`;
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["the loop holds a set-point after a step up and a step down", async ({ visit, shoot }) => {
    const page = await visit();
    await setPoint(visit, 24);
    const up = await held(page, 24);
    await setPoint(visit, 18);
    const down = await held(page, 18);
    await shoot(page, "control-loop");
    await page.context().close();
    return `${up}; ${down}`;
  }],

  ["a thermometer that breaks is seen in its chart", async ({ visit, shoot }) => {
    const page = await visit();
    const range = page.locator('.card[data-device="demo/room"] [data-range]').first();
    const highest = async () => Number(/([-\d.]+)\s*°C$/.exec(await range.textContent() ?? "")?.[1]);
    await page.waitForFunction(() => /°C$/.test(document.querySelector('.card[data-device="demo/room"] [data-range]')?.textContent ?? ""));
    const before = await highest();
    await command(visit, "room", "fault-size", async (place) => {
      await place.locator("input[type=number]").fill(String(SPIKE_KELVIN));
      await place.locator("input[type=number]").press("Enter");
    });
    await command(visit, "room", "fault", (place) => place.locator("select").selectOption({ label: "spike" }));
    await page.waitForFunction((/** @type {number} */ limit) => {
      const text = document.querySelector('.card[data-device="demo/room"] [data-range]')?.textContent ?? "";
      return Number(/([-\d.]+)\s*°C$/.exec(text)?.[1]) > limit;
    }, before + SPIKE_KELVIN / 3, { timeout: SETTLES_MS });
    await shoot(page, "control-loop-spike");
    const broken = await visit({}, "#/device/demo/room");
    await broken.locator(".history canvas").first().waitFor();
    await shoot(broken, "control-loop-spike-device");
    await page.context().close();
    await broken.context().close();
    return `the chart's top went from ${before} to more than ${(before + SPIKE_KELVIN / 3).toFixed(1)} °C`;
  }],

  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];
