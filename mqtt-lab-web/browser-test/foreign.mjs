// What the page says about the payloads of foreign devices: values that are missing, refused, odd, or stamped by a wrong
// clock, and what a person may say about their channels.

import assert from "node:assert/strict";
import { publish } from "./mqtt.mjs";

const HTML = "<img src=x onerror=window.pwned=1>";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @typedef {import("playwright-core").Page} Page */

let made = 0;
/** A device that no other check knows. @param {string} name */
const fresh = (name) => `${name}-${process.pid}-${made += 1}`;

/** @param {Page} page @param {string} id */
const card = (page, id) => page.locator(`.card[data-device="demo/${id}"]`);

/** @param {Page} page @param {string} id @param {string} channel */
const channel = (page, id, channel) => card(page, id).locator(`[data-channel="${channel}"]`);

/** @param {import("playwright-core").Locator} place @param {string} value JSON */
const shows = (place, value) => place.locator(`[data-value][data-raw=${JSON.stringify(value)}]`).first().waitFor();

/** @param {Page} page */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** @param {Page} page @param {string} id */
const devicePath = (id) => `#/device/demo/${id}`;

/** The form of a channel on the page of its device, opened by keyboard. @param {Page} page @param {string} channel */
async function openForm(page, channel) {
  const form = page.locator(`[data-part="describe"] [data-channel="${channel}"]`);
  await form.locator("summary").press("Enter");
  await form.locator("form").waitFor();
  return form;
}

/** Makes a check that is skipped where nothing can be published.
 * @param {string} name @param {(tools: any, send: (topic: string, payload: string) => void) => Promise<any>} run
 * @returns {[string, (tools: any) => Promise<any>]} */
const check = (name, run) => [name, async (tools) => {
  const skipped = publish(tools.broker, "lab/demo/probe/v", "1");
  if (skipped) return { skipped };
  return run(tools, (topic, payload) => publish(tools.broker, `lab/demo/${topic}`, payload));
}];

/** Puts the lab's clock ahead, on the way of its live messages to the page. @param {Page} page
 * @returns what to change: `untilValue` keeps the news of the lab, and so its clock, until this value has passed */
async function clockAhead(page) {
  const lab = { aheadMs: 0, untilValue: /** @type {number | null} */ (null) };
  const ahead = (/** @type {any} */ message) => {
    switch (message.type) {
      case "lab": return { ...message, lab: { ...message.lab, now_ms: message.lab.now_ms + lab.aheadMs } };
      case "samples": return { ...message, samples: message.samples.map((/** @type {any} */ [id, ms, ...rest]) => [id, ms + lab.aheadMs, ...rest]) };
    }
    return message;
  };
  await page.routeWebSocket(/live$/, (toPage) => {
    toPage.connectToServer().onMessage((text) => {
      const message = JSON.parse(String(text));
      if (lab.untilValue === null || message.type !== "lab") toPage.send(JSON.stringify(ahead(message)));
      if (message.type === "samples" && message.samples.some((/** @type {any} */ [, , value]) => value === lab.untilValue)) lab.untilValue = null;
    });
  });
  return lab;
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const foreignChecks = [
  check("a first message without a value is told as such, and the first value makes a chart", async ({ visit, shoot }, send) => {
    const id = fresh("dht");
    const page = await visit();
    send(`${id}/temperature`, "nan");
    await card(page, id).locator('[data-remark="no-reading"]').filter({ hasText: "without a value on “temperature”: nan" }).waitFor();
    await shoot(page, "foreign-nan-first");
    send(`${id}/temperature`, "21,5");
    const place = channel(page, id, "temperature");
    await shows(place, "21.5");
    assert.equal(await place.getAttribute("data-shape"), "line", "a number, not a text");
    await place.getByText("Decimal comma read as a point.").waitFor();
    assert.equal(await card(page, id).locator("[data-remark]:visible").count(), 0);
    await page.context().close();
  }),

  check("a value that is missing dims the one before it, and moves nothing", async ({ visit, shoot }, send) => {
    const id = fresh("gap");
    send(id, '{"temperature":21.5,"humidity":40}');
    const page = await visit();
    const humidity = channel(page, id, "humidity");
    await shows(humidity, "40");
    await shows(channel(page, id, "temperature"), "21.5");
    assert.equal(await humidity.locator(".absence").isVisible(), false);
    const color = () => humidity.locator(".reading").evaluate((/** @type {Element} */ reading) => getComputedStyle(reading).color);
    // The rows of the card, and with the last one its end.
    const rows = () => card(page, id).locator("[data-channel], .foot").evaluateAll((/** @type {HTMLElement[]} */ all) =>
      all.map(({ offsetTop, offsetHeight }) => `${offsetTop}+${offsetHeight}`));
    const [before, places] = [await color(), await rows()];
    send(id, '{"temperature":21.6,"humidity":null}');
    await humidity.locator('.absence:has-text("no reading"):has-text("old")').waitFor({ state: "attached" });
    await humidity.getByText("no reading").waitFor();
    await humidity.getByText(/^value \d+\ss old$/).waitFor();
    await shows(humidity, "40");
    assert.notEqual(await color(), before, "the old value is dimmed");
    assert.deepEqual(await rows(), places, "nothing moved");
    await shoot(page, "foreign-no-reading");
    send(id, '{"temperature":21.7,"humidity":41}');
    await shows(humidity, "41");
    await humidity.getByText("no reading").waitFor({ state: "hidden" });
    await page.context().close();
  }),

  check("texts that are numbers become a chart by one click, by keyboard, and the old values stay", async ({ visit, shoot }, send) => {
    const id = fresh("text");
    send(`${id}/value`, "starting");
    const page = await visit();
    const place = channel(page, id, "value");
    await shows(place, '"starting"');
    assert.equal(await place.locator(".proposal").isVisible(), false);
    for (const value of ["21.5", "22.5", "23.5"]) send(`${id}/value`, value);
    await place.getByText("These values are numbers.").waitFor();
    await shoot(page, "foreign-proposal");
    await place.getByRole("button", { name: "Show as numbers" }).press("Enter");
    await place.and(page.locator('[data-shape="line"]')).waitFor();
    await place.getByText("Was text before; earlier values stay in the history.").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.closest(".card")?.getAttribute("data-device")), `demo/${id}`, "the focus stays at the card");
    send(`${id}/value`, "24.5");
    await shows(place, "24.5");
    await card(page, id).getByRole("link", { name: id }).click();
    await page.locator('[data-part="history"] [data-channel="value"] canvas').first().waitFor();
    const earlier = page.locator('[data-earlier="text"]');
    await earlier.locator("summary").click();
    const link = await earlier.getByRole("link").getAttribute("href");
    const kept = await page.evaluate(async (link) => (await (await fetch(link)).json()).points.map((/** @type {any} */ [, value]) => value), link);
    assert.deepEqual(kept, ["starting", "21.5", "22.5", "23.5"]);
    await page.context().close();
  }),

  check("a clock that is ahead is told, and the value is not one of tomorrow", async ({ visit, shoot }, send) => {
    const id = fresh("clock");
    send(`${id}/v`, `{"v":1,"t":${Date.now() + DAY_MS}}`);
    const page = await visit();
    await card(page, id).getByText(/^Clock is 24\sh ahead: values are stamped on arrival\.$/).waitFor();
    await shows(channel(page, id, "v"), "1");
    await page.goto(new URL(devicePath(id), page.url()).href);
    await page.locator('[data-part="clock"]').getByText("So far 1 message had a time that cannot be right.").waitFor();
    await shoot(page, "foreign-clock", { fullPage: true });
    send(`${id}/v`, `{"v":2,"t":${Date.now()}}`);
    await page.locator('[data-part="clock"]').getByText("The last one was right.").waitFor();
    await page.context().close();
  }),

  check("a refused payload is told with its reason, its markup as text, on card and page", async ({ visit, shoot }, send) => {
    const id = fresh("refused");
    send(id, `[1,"${HTML}"]`);
    for (const [locale, head, reason] of [
      ["en-US", "Refused", "an array alone does not say what its values are"],
      ["de-DE", "Abgelehnt", "ein Array allein sagt nicht, was seine Werte bedeuten"],
    ]) {
      const page = await visit({ locale, viewport: { width: 360, height: 740 } });
      const line = card(page, id).locator('[data-remark="refused"]');
      await line.filter({ hasText: reason }).waitFor();
      assert.match(await line.textContent(), new RegExp(head));
      assert.match(await line.locator("code").textContent(), /^\[1,"<img src=x onerror=/);
      assert.ok(await overflow(page) <= 0, `the dashboard is ${await overflow(page)} px too wide`);
      await page.goto(new URL(devicePath(id), page.url()).href);
      const row = page.locator('[data-part="messages"] tbody tr');
      await row.filter({ hasText: reason }).waitFor();
      assert.equal(await row.locator("code").textContent(), `[1,"${HTML}"]`);
      assert.ok(await overflow(page) <= 0, `the device's page is ${await overflow(page)} px too wide`);
      assert.equal(await page.locator("main img").count(), 0);
      assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined);
      await shoot(page, `foreign-refused-${locale}`, { fullPage: true });
      await page.context().close();
    }
  }),

  check("what a person says of a channel is kept over a reload, and taken back", async ({ visit, shoot }, send) => {
    const id = fresh("form");
    send(`${id}/v`, "21.5");
    const page = await visit({}, devicePath(id));
    let form = await openForm(page, "v");
    await form.getByLabel("Datatype").selectOption("int");
    await form.getByLabel("Name on this page").fill("Room <b>12</b>");
    await form.getByLabel("Unit").fill("°C");
    await form.getByLabel("Quantity").fill("temperature");
    await form.getByLabel("Quantity").press("Enter");
    await form.getByText("Saved.").waitFor();
    await page.getByRole("heading", { level: 4, name: "Room <b>12</b>", exact: true }).first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "quantity", "the focus stays in the form");
    assert.match(await page.locator("#announcer").textContent(), /^Saved\./);
    await shoot(page, "foreign-form", { fullPage: true });
    send(`${id}/v`, "22.5");
    await page.locator('[data-part="messages"]').getByText("expected a whole number").waitFor();
    await page.reload();
    form = await openForm(page, "v");
    assert.deepEqual(await Promise.all(["Datatype", "Name on this page", "Unit", "Quantity"].map((name) => form.getByLabel(name).inputValue())),
      ["int", "Room <b>12</b>", "°C", "temperature"]);
    send(`${id}/v`, "23");
    await shows(page.locator('.history[data-channel="v"]').first(), "23");
    await form.getByRole("button", { name: "Take back" }).press("Enter");
    await form.getByText("Taken back.").waitFor();
    await page.getByRole("heading", { level: 4, name: "v", exact: true }).first().waitFor();
    assert.equal(await form.getByLabel("Unit").inputValue(), "");
    await page.context().close();
  }),

  check("a channel that takes only some values says which, and what a form lacks", async ({ visit }, send) => {
    const id = fresh("choice");
    send(`${id}/mode`, "eco");
    const page = await visit({ locale: "de-DE", viewport: { width: 360, height: 740 } }, devicePath(id));
    const form = await openForm(page, "mode");
    await form.getByLabel("Datentyp").selectOption("choice");
    await form.getByRole("button", { name: "Speichern" }).click();
    assert.equal(await form.getByLabel("Mögliche Werte").evaluate((/** @type {any} */ field) => field.validity.valueMissing), true);
    await form.getByLabel("Mögliche Werte").fill("eco\nboost\n");
    await form.getByRole("button", { name: "Speichern" }).click();
    await form.getByText("Gespeichert.").waitFor();
    send(`${id}/mode`, "turbo");
    await page.locator('[data-part="messages"]').getByText("erwartet wird eines von `eco`, `boost`").waitFor();
    assert.ok(await overflow(page) <= 0, `${await overflow(page)} px too wide`);
    await page.context().close();
  }),

  check("a channel that its device describes has no form, and the lab refuses to change it", async ({ visit }, send) => {
    const id = fresh("own");
    send(`${id}/$info`, '{"schema":1,"channels":[{"name":"level","datatype":"float"}]}');
    send(`${id}/level`, "1.5");
    send(`${id}/other`, "2.5");
    const page = await visit({ locale: "de-DE", mute: true }, devicePath(id));
    const form = await openForm(page, "other");
    assert.equal(await page.locator('[data-part="describe"] [data-channel="level"]').count(), 0);
    // It describes the channel while the form is open.
    await page.route("**/channels/other", async (route) => {
      send(`${id}/$info`, '{"schema":1,"channels":[{"name":"level","datatype":"float"},{"name":"other","datatype":"float"}]}');
      await page.locator('[data-part="describe"]').waitFor({ state: "hidden" });
      await route.continue();
    });
    await form.getByLabel("Einheit").fill("%");
    await form.getByLabel("Einheit").press("Enter");
    await page.locator("#announcer").filter({ hasText: "Nicht gespeichert: das Gerät beschreibt „other“ selbst; hier lässt sich das nicht ändern" }).waitFor({ state: "attached" });
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }),

  check("an open page shows current values as soon as the lab's clock was set back", async ({ visit }, send) => {
    const id = fresh("back");
    send(`${id}/v`, "1");
    /** @type {any} */
    let lab;
    const page = await visit({}, "", async (/** @type {Page} */ page) => { lab = await clockAhead(page); });
    const place = channel(page, id, "v");
    await shows(place, "1");
    lab.aheadMs = HOUR_MS;
    // The page believes the clock when the value before is an hour old.
    await page.waitForFunction((/** @type {string} */ key) =>
      /^\d+\smin$/.test(document.querySelector(`[data-device="${key}"] [data-foot="age"]`)?.textContent ?? ""), `demo/${id}`);
    send(`${id}/v`, "2");
    await shows(place, "2");
    // The page hears of the clock only after the next value, which looks like a late one until then.
    Object.assign(lab, { aheadMs: 0, untilValue: 1003.25 });
    send(`${id}/v`, "1003.25");
    await shows(place, "1003.25");
    send(`${id}/v`, "4");
    await shows(place, "4");
    await place.locator("[data-range]").filter({ hasText: /^1\.00 to / }).waitFor();
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }),
];
