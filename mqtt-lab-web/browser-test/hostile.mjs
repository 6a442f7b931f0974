// A lab with a token, and clients that send whatever they can: login and logout, long and treacherous texts, names that
// a browser takes out of an address.

import assert from "node:assert/strict";
import { publish } from "./mqtt.mjs";

const TOKEN = "geheim-7";
const TREACHEROUS = [
  "<script>window.pwned = 1</script>", "javascript:window.pwned=1", "\u202Eevil\u2066", "zero\u200Bwidth\uFEFF",
  "bell\u0007", "\u{1F469}\u200D\u{1F52C} emoji", "<img src=x onerror=window.pwned=1>",
];
/** Shown as such, it would turn around or hide what is beside it. */
const UNSEEN = /[\u0000-\u0008\u200B\u202A-\u202E\u2066-\u2069\uFEFF]/;

/** @typedef {import("playwright-core").Page} Page */

/** Opens the page and logs in. @param {any} tools @param {string} [path] @param {any} [options] @returns {Promise<Page>} */
async function enter({ visit }, path = "", options = {}) {
  const page = await visit({ ready: false, mute: true, ...options }, path);
  await page.locator("#token").fill(TOKEN);
  await page.locator("#login button[type=submit]").click();
  await page.waitForSelector('html[data-ready="true"]', { state: "attached" });
  return page;
}

/** @param {any} tools @param {string} topic @param {string} payload */
const say = ({ broker }, topic, payload) => publish(broker, `lab/hostile/${topic}`, payload, "-r");

/** @param {string} text */
const info = (text) => JSON.stringify({
  schema: 1, label: text, kind: text, downgrades: text,
  channels: [
    { name: "a", datatype: "float", label: text, unit: text, quantity: text },
    { name: "b", datatype: "choice", label: text, choices: [text.slice(0, 60), "other"], settable: true },
    { name: "c", datatype: "text", label: text },
  ],
});

/** What must hold on every view. @param {Page} page @param {string} where */
async function harmless(page, where) {
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined, `${where}: a script ran`);
  const text = await page.evaluate(() => document.body.innerText
    + [...document.querySelectorAll("[title],[aria-label]")].map((it) => `${it.getAttribute("title")}${it.getAttribute("aria-label")}`).join("\n"));
  assert.equal(UNSEEN.exec(text)?.input.split("\n").find((line) => UNSEEN.test(line)), undefined, `${where}: unseen characters`);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${where}: wider than the window`);
  const links = await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((link) => link.getAttribute("href")));
  assert.deepEqual(links.filter((link) => /^javascript:/i.test(link ?? "")), [], where);
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["a wrong token is refused, the right one opens the page, and the cookie is no token", async (tools) => {
    const page = await tools.visit({ ready: false, mute: true });
    await page.locator("#token").fill("falsch");
    await page.locator("#login button[type=submit]").click();
    await page.waitForFunction(() => document.querySelector("#login .problem")?.textContent);
    await page.locator("#token").fill(TOKEN);
    await page.locator("#login button[type=submit]").click();
    await page.waitForSelector('html[data-ready="true"]', { state: "attached" });
    const cookies = await page.context().cookies();
    assert.equal(cookies.length, 1);
    assert.match(cookies[0].name, new RegExp(`_${new URL(page.url()).port}$`));
    assert.ok(cookies[0].httpOnly && cookies[0].sameSite === "Strict" && !cookies[0].value.includes(TOKEN));
  }],
  ["Log out is visible, in both languages, and ends the login of every tab", async (tools) => {
    const page = await enter(tools);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.waitForSelector('html[data-ready="true"]', { state: "attached" });
    assert.equal(await page.locator("#logout").innerText(), "Log out");
    await page.locator('[data-language="de"]').click();
    await page.locator("#logout", { hasText: "Abmelden" }).click();
    await page.locator("#token").waitFor();
    await other.locator("#token").waitFor();
  }],
  ["treacherous and long texts do nothing, and fit", async (tools) => {
    for (const [n, text] of TREACHEROUS.entries()) {
      const skipped = say(tools, `short-${n}/$info`, info(text));
      if (skipped) return { skipped };
      say(tools, `long-${n}/$info`, info(text.repeat(4_000).slice(0, 1_500)));
      say(tools, `long-${n}/$error`, text.repeat(4_000).slice(0, 60_000));
      say(tools, `long-${n}/a`, "1");
      say(tools, `long-${n}/c`, text.repeat(4_000).slice(0, 1_300));
      say(tools, `${text.replaceAll(/[/\u0007\u200B\uFEFF+#]/g, "")}/x`, "1");
    }
    for (const viewport of [{ width: 1280, height: 900 }, { width: 360, height: 740 }]) {
      const page = await enter(tools, "", { viewport });
      await page.locator('[data-device="hostile/long-6"]').waitFor();
      await harmless(page, `dashboard ${viewport.width}`);
      for (const view of ["device/hostile/long-0", "device/hostile/long-2", "device/hostile/long-5", "topics", "clients", "status"]) {
        await page.goto(new URL(`#/${view}`, page.url()).href);
        await page.waitForFunction(() => (document.querySelector("main")?.innerText.length ?? 0) > 20);
        await harmless(page, `${view} ${viewport.width}`);
      }
      await page.context().close();
    }
  }],
  ["devices named `.` and `..` have a page", async (tools) => {
    for (const name of [".", "..", "~"]) {
      const skipped = say(tools, `${name}/x`, "42");
      if (skipped) return { skipped };
      const page = await enter(tools, `#/device/hostile/${name}`);
      await page.locator("[data-value]", { hasText: "42" }).first().waitFor();
      const status = page.waitForResponse((response) => response.url().endsWith(`/~${name}/states?limit=100`));
      await page.reload();
      assert.equal((await status).status(), 200, name);
      await page.context().close();
    }
  }],
];
