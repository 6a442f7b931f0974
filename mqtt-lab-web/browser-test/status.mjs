// What the page says about the lab itself: all is well, the disk is full (LAB_DISK: the folder of the database, on a
// small file system of its own), several parts fail at once, something was set aside.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { overflow } from "./legible.mjs";
import { failing, setAside } from "./troubles.mjs";

const SOON_MS = 5_000;
const PHONE = { width: 390, height: 844 };

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page @param {string} part */
const row = (page, part) => page.locator(`.status tr[data-name="${part}"]`);

/** @param {Page} page @param {string} words */
const noticeWith = (page, words) => page.locator("#notice li").filter({ hasText: words });

/** Fills the file system, and returns how to empty it again. */
function fill() {
  const file = join(/** @type {string} */ (process.env.LAB_DISK), "fill");
  const { stderr } = spawnSync("dd", ["if=/dev/zero", `of=${file}`, "bs=4k"], { encoding: "utf8" });
  assert.match(stderr, /No space left/);
  return () => rmSync(file);
}

/** How long it takes, which is to be less than `SOON_MS`. @param {Promise<any>[]} waits */
async function soon(...waits) {
  const begin = Date.now();
  await Promise.all(waits);
  const ms = Date.now() - begin;
  assert.ok(ms < SOON_MS, `${ms} ms`);
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["a full disk is named on every page while it lasts, and no longer", async ({ visit, shoot }) => {
    if (!process.env.LAB_DISK) return { skipped: "LAB_DISK is not set" };
    const dashboard = await visit();
    const german = await visit({ locale: "de-DE", viewport: PHONE });
    const page = await visit({}, "#/status");
    // While the database's file of changes still grows: later it writes over what it has, and a full disk is no failure.
    const empty = fill();
    let failed;
    try {
      failed = await soon(
        noticeWith(dashboard, /^Database: disk full · since \d\d:\d\d:\d\d/).waitFor(),
        noticeWith(german, /^Datenbank: Datenträger voll · seit \d\d:\d\d:\d\d/).waitFor(),
        row(page, "database").filter({ hasText: /does not workdisk full/ }).waitFor(),
        page.getByRole("status").filter({ hasText: "1 of" }).waitFor(),
      );
      await noticeWith(dashboard, /messages wait in memory$/).waitFor();
      await row(page, "database").locator('[data-column="waiting"]').filter({ hasText: /^[1-9]/ }).waitFor();
      await shoot(dashboard, "disk-full-dashboard");
      await shoot(german, "disk-full-phone");
      await shoot(page, "disk-full-status");
      await dashboard.locator("#notice a").focus();
      await dashboard.keyboard.press("Enter");
      await row(dashboard, "database").locator('[data-state="lost"]').waitFor();
    } finally {
      empty();
    }
    const healed = await soon(
      ...[dashboard, german, page].map((one) => one.locator("#notice").waitFor({ state: "hidden" })),
      row(page, "database").filter({ hasText: "works" }).locator('[data-state="ready"]').waitFor(),
      page.getByRole("status").filter({ hasText: "Everything works." }).waitFor(),
    );
    await row(page, "database").locator('[data-column="waiting"]').filter({ hasText: /^0$/ }).waitFor();
    for (const one of [dashboard, german, page]) await one.context().close();
    return `shown after ${failed}, gone after ${healed}`;
  }],

  ["a lab where everything works says so", async ({ visit, shoot }) => {
    const page = await visit();
    await page.getByRole("navigation").getByRole("link", { name: "Status" }).click();
    await page.getByRole("status").filter({ hasText: /^Everything works\.$/ }).waitFor();
    await page.getByText("Nothing was set aside.").waitFor();
    for (const part of ["ingest", "writer", "database", "live", "server", "broker"]) {
      await row(page, part).locator('[data-state="ready"]').waitFor();
    }
    assert.equal(await page.locator(".status tr[data-works=false]").count(), 0);
    assert.ok(await page.locator("#notice").isHidden());
    assert.ok(await page.locator(".counters .set-aside").isHidden());
    await shoot(page, "status-works");
    await page.context().close();
  }],

  ["every part that fails is named, the essential ones first, on a phone too", async ({ visit, shoot }) => {
    for (const viewport of [PHONE, { width: 1280, height: 900 }]) {
      const page = await visit({ viewport }, "", failing);
      await page.locator("#notice li").nth(3).waitFor();
      const names = await page.locator("#notice li b").allTextContents();
      assert.deepEqual(names, ["Broker 192.0.2.7:1883 not connected: ", "Broker storage: ", "Database: ", "Configuration: "]);
      for (const line of await page.locator("#notice li").all()) {
        const box = /** @type {any} */ (await line.boundingBox());
        assert.ok(box.y >= 0 && box.y + box.height <= viewport.height && box.x >= 0 && box.x + box.width <= viewport.width, await line.textContent());
      }
      assert.ok(await overflow(page) <= 0);
      const last = page.locator(".card").last();
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      const end = /** @type {any} */ (await last.boundingBox());
      const notice = /** @type {any} */ (await page.locator("#notice").boundingBox());
      assert.ok(end.y + end.height <= notice.y, "the last card ends above the notice");
      await shoot(page, `status-notice-${viewport.width}`);
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.context().close();
    }
  }],

  ["the focus stays on the notice's link, and the link in place, while what waits changes", async ({ visit }) => {
    const page = await visit({}, "", failing);
    const link = page.locator("#notice a");
    await link.focus();
    const words = await page.locator("#notice").textContent();
    await page.waitForFunction((old) => document.querySelector("#notice")?.textContent !== old, words);
    assert.ok(await link.evaluate((element) => element === document.activeElement));
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }],

  ["what was set aside is counted in the header and listed, and HTML in it is text", async ({ visit, shoot }) => {
    const page = await visit({}, "", setAside);
    const counter = page.locator(".counters .set-aside");
    await counter.getByText("123").waitFor();
    await counter.getByRole("link", { name: "123 messages set aside, show the list" }).click();
    await page.getByText("123 since the start; these are the last 100, newest first.").waitFor();
    assert.equal(await page.locator("[data-part=set-aside] tbody tr").count(), 100);
    await page.locator("[data-part=set-aside] tbody tr").first().getByText("<img src=x onerror=window.pwned=1>").waitFor();
    assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined);
    await shoot(page, "status-set-aside");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }],

  ["a lab that went away is not said to work", async ({ visit, shoot }) => {
    const page = await visit({ mute: true }, "#/status", async (/** @type {Page} */ page) => {
      await page.routeWebSocket(/live$/, (socket) => {
        socket.connectToServer();
        page.exposeFunction("leave", () => socket.close());
      });
    });
    const headline = page.locator(".status-headline");
    await headline.filter({ hasText: "Everything works." }).waitFor();
    await page.route("**/api/**", (route) => route.abort());
    await page.routeWebSocket(/live$/, (socket) => socket.close());
    await page.evaluate(() => /** @type {any} */ (window).leave());
    await headline.filter({ hasText: /What is shown is from \d\d:\d\d:\d\d\./ }).waitFor();
    await page.locator("#notice p").filter({ hasText: "Connection to the lab lost" }).waitFor();
    await shoot(page, "status-away");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }],

  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];
