// The users' own control variables, from the page: made, set, followed, changed, deleted.

import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page @param {string} id */
const row = (page, id) => page.locator(`[data-variable="demo/${id}"]`);

/** The value that a card shows of a channel. @param {Page} page @param {string} device @param {string} value JSON */
const shows = (page, device, value) =>
  page.locator(`.card[data-device="demo/${device}"] [data-value][data-raw=${JSON.stringify(value)}]`).first().waitFor();

/** @param {Page} page @param {string} name @param {string} value */
const fill = (page, name, value) => page.locator(`#variable-${name}`).fill(value);

/** @param {Page} page */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** Every field, with what a person would type. @param {Page} page @param {Record<string, string>} fields */
async function make(page, { datatype = "float", ...fields }) {
  await page.locator("#variable-datatype").selectOption(datatype);
  for (const [name, value] of Object.entries(fields)) {
    if (name === "value" && datatype === "choice") await page.locator("#variable-value").selectOption(value);
    else await fill(page, name, value);
  }
  await page.locator(".variable-form button[type=submit]").click();
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["a variable of the file is set here, and the page says why it is not deleted here", async ({ visit, shoot }) => {
    const page = await visit({}, "#/variables");
    const place = row(page, "set-point");
    await place.getByRole("slider").waitFor();
    assert.match(await place.textContent(), /It stands in the lab's file/);
    assert.equal(await place.getByRole("button", { name: "Delete" }).count(), 0);
    await place.locator("input[type=number]").fill("23.5");
    await place.locator("input[type=number]").press("Enter");
    await place.locator('[data-command-state="confirmed"]').waitFor();
    await shoot(page, "variables-en-light");
    await page.context().close();
  }],

  ["a variable is made by keyboard, set, and a device follows it", async ({ visit, shoot }) => {
    const page = await visit({}, "#/variables");
    await page.locator("#variable-label").focus();
    await page.keyboard.type("Brightness");
    assert.equal(await page.locator("#variable-id").inputValue(), "brightness", "the id is made of the name");
    await fill(page, "unit", "%");
    await fill(page, "min", "0");
    await fill(page, "max", "100");
    await fill(page, "value", "10");
    await page.locator("#variable-value").press("Enter");
    const place = row(page, "brightness");
    await place.getByRole("slider").waitFor();
    await place.locator("input[type=number]").fill("70");
    await place.locator("input[type=number]").press("Enter");
    await place.locator('[data-command-state="confirmed"]').waitFor();
    const dashboard = await visit();
    await shows(dashboard, "variables", "70");
    await shows(dashboard, "dimmer", "70");
    await shoot(dashboard, "variables-card");
    await shoot(page, "variables-made");
    await page.context().close();
    await dashboard.context().close();
  }],

  ["what does not fit is refused in words, and every datatype can be made", async ({ visit, shoot }) => {
    const page = await visit({}, "#/variables");
    await make(page, { id: "brightness", value: "1" });
    await page.locator('.variable-form [data-state="refused"]').waitFor();
    assert.match(await page.locator(".variable-form .command-state").textContent(), /already a variable `demo\/brightness`/);
    await shoot(page, "variables-refused");
    for (const [id, fields] of /** @type {[string, any][]} */ ([
      ["count", { datatype: "int", value: "3" }], ["quiet", { datatype: "bool" }], ["greeting", { datatype: "text", value: "<b>Hi" }],
      ["mode", { datatype: "choice", choices: "eco\ncomfort", value: "comfort" }], ["tint", { datatype: "color" }],
    ])) {
      await make(page, { id, ...fields });
      await row(page, id).locator(".control").waitFor();
    }
    await page.waitForFunction(() => /** @type {any} */ (document.querySelector('[data-variable="demo/greeting"] input'))?.value === "<b>Hi");
    await page.context().close();
  }],

  ["a variable is changed, and another page sees it", async ({ visit }) => {
    const page = await visit({}, "#/variables");
    const other = await visit({}, "#/variables");
    await row(page, "brightness").getByRole("button", { name: "Change Brightness" }).click();
    assert.ok(await page.locator("#variable-id").isDisabled(), "the id stays");
    await fill(page, "max", "80");
    await fill(page, "label", "Glow");
    await page.locator(".variable-form button[type=submit]").click();
    for (const one of [page, other]) await row(one, "brightness").getByText(/0.% to 80.%/).waitFor();
    await row(other, "brightness").getByRole("heading", { name: "Glow" }).waitFor();
    await page.context().close();
    await other.context().close();
  }],

  ["dark, German, and a phone need no sideways scrolling", async ({ visit, shoot }) => {
    const page = await visit({ locale: "de-DE", colorScheme: "dark" }, "#/variables");
    await row(page, "brightness").getByRole("slider").waitFor();
    await page.getByRole("heading", { name: "Neue Variable" }).waitFor();
    await shoot(page, "variables-de-dark");
    const phone = await visit({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, locale: "de-DE" }, "#/variables");
    await row(phone, "brightness").getByRole("slider").waitFor();
    assert.ok(await overflow(phone) <= 0, `${await overflow(phone)} px too wide`);
    await shoot(phone, "variables-phone");
    await phone.locator(".variable-form").scrollIntoViewIfNeeded();
    await shoot(phone, "variables-phone-form");
    await page.context().close();
    await phone.context().close();
  }],

  ["deleting asks once more, by keyboard too, and takes the variable off its card", async ({ visit, shoot }) => {
    const page = await visit({}, "#/variables");
    const ask = row(page, "brightness").getByRole("button", { name: "Delete Glow" });
    await ask.click();
    await page.keyboard.press("Escape");
    await ask.waitFor();
    await ask.press("Enter");
    await row(page, "brightness").getByRole("group").waitFor();
    await shoot(page, "variables-delete");
    await row(page, "brightness").getByRole("button", { name: "Delete", exact: true }).click();
    await row(page, "brightness").waitFor({ state: "detached" });
    const dashboard = await visit({}, "#/device/demo/variables");
    await dashboard.locator('.control-row[data-channel="set-point"]').waitFor();
    assert.equal(await dashboard.locator('.control-row[data-channel="brightness"]').count(), 0);
    await shoot(dashboard, "variables-device");
    await page.context().close();
    await dashboard.context().close();
  }],

  ["the browser had nothing to complain about", async ({ complaints }) => {
    // The refused one is in the browser's log by its own will.
    assert.deepEqual(complaints.filter((/** @type {string} */ text) => !text.includes("409 (Conflict)")), []);
  }],
];
