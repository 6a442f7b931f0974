// What a visitor of the default lab must be able to see and do, in order. Nothing here sleeps: every step
// waits for a condition.

import assert from "node:assert/strict";
import { foreignChecks } from "./foreign.mjs";
import { publish } from "./mqtt.mjs";

const DEVICES = ["temperature", "humidity", "motion", "host", "led", "dimmer"];
const LARGEST_LOAD_BYTES = 60_000;
const HTML_ID = "<img src=x onerror=window.pwned=1>";

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page @param {string} id */
const card = (page, id) => page.locator(`[data-device=${JSON.stringify(`demo/${id}`)}]`);

/** Waits until `read` in the page gives something true. @param {Page} page @param {any} read @param {any} [argument] */
const until = (page, read, argument) => page.waitForFunction(read, argument);

/** The value a card shows, as JSON. @param {Page} page @param {string} id */
const raw = (page, id) => card(page, id).locator("[data-value]").first().getAttribute("data-raw");

/** @param {Page} page @param {string} id @param {string | null} value JSON */
const shows = (page, id, value) =>
  card(page, id).locator(`[data-value][data-raw=${JSON.stringify(value)}]`).first().waitFor();

/** @param {Page} page @param {string} id */
const confirmed = (page, id) => card(page, id).locator('[data-command-state="confirmed"]').first().waitFor();

/** @param {Page} page @param {string} topic */
const treeItem = (page, topic) => page.locator(`[role=treeitem][data-topic=${JSON.stringify(topic)}]`);

/** @param {Page} page */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** The description of a device from a plugin. @param {number} loads */
const tank = (loads) => JSON.stringify({
  schema: 1, role: "sensor", kind: "tank", plugin: { name: "<b>tank", version: "0.1.0", form: "library", loads },
  channels: [{ name: "level", datatype: "float", unit: "%" }],
});

/** Puts a notice of the lab into what the server says, on its way to the page: the program itself has one only while
 * its files are wrong. That the server says it so is tested in Rust.
 * @param {Page} page @param {any} notice what `GET /api/v1/lab` tells @returns a way to push one over the WebSocket */
async function withNotice(page, notice) {
  /** @type {import("playwright-core").WebSocketRoute | null} */
  let socket = null;
  await page.route("**/api/v1/lab", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...await response.json(), notice } });
  });
  await page.routeWebSocket(/\/api\/v1\/live$/, (toPage) => {
    socket = toPage;
    toPage.connectToServer().onMessage((message) => {
      if (JSON.parse(String(message)).type !== "notice") toPage.send(message);
    });
  });
  return (/** @type {any} */ next) => socket?.send(JSON.stringify({ type: "notice", notice: next }));
}

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ["the page loads and six devices appear", async ({ visit, shoot }) => {
    const page = await visit();
    for (const id of DEVICES) await card(page, id).waitFor();
    await page.locator("#connection[data-state=live]").waitFor();
    await shoot(page, "dashboard-en-light");
    await page.context().close();
  }],

  ["the first chart is drawn", async ({ visit }) => {
    const page = await visit();
    await until(page, () => performance.getEntriesByName("first-chart").length);
    const ms = await page.evaluate(() => performance.getEntriesByName("first-chart")[0].startTime);
    await page.context().close();
    return `after ${Math.round(ms)} ms`;
  }],

  ["the first load is small", async ({ visit }) => {
    const page = await visit();
    await until(page, () => performance.getEntriesByName("first-chart").length);
    const bytes = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .reduce((sum, entry) => sum + entry.encodedBodySize, 0));
    await page.context().close();
    assert.ok(bytes <= LARGEST_LOAD_BYTES, `${bytes} bytes`);
    return `${(bytes / 1000).toFixed(1)} kB gzipped`;
  }],

  ["values update live", async ({ visit }) => {
    const page = await visit();
    const before = await raw(page, "temperature");
    await until(page, (/** @type {any} */ [key, old]) =>
      document.querySelector(`[data-device="${key}"] [data-value]`)?.getAttribute("data-raw") !== old, ["demo/temperature", before]);
    await page.context().close();
  }],

  ["the foot of a card tells how its samples travel, whatever its control variables do", async ({ visit }) => {
    const page = await visit();
    await until(page, () => document.querySelector('[data-device="demo/temperature"] [data-foot="qos"]')?.textContent === "0");
    await until(page, () => document.querySelector('[data-device="demo/temperature"] [data-foot="retain"]')?.textContent === "no");
    await page.context().close();
  }],

  ["the led's switch is confirmed and its value shown", async ({ visit, shoot }) => {
    const page = await visit();
    const before = await raw(page, "led");
    await card(page, "led").getByRole("switch").click();
    await confirmed(page, "led");
    await shows(page, "led", before === "true" ? "false" : "true");
    await shoot(page, "led-confirmed");
    await page.context().close();
  }],

  ["the dimmer can be set to 40, by keyboard", async ({ visit }) => {
    const page = await visit();
    const number = card(page, "dimmer").locator("input[type=number]").first();
    await number.fill("40");
    await number.press("Enter");
    await confirmed(page, "dimmer");
    await shows(page, "dimmer", "40");
    await page.context().close();
  }],

  ["a search by words finds devices, by keyboard", async ({ visit, shoot }) => {
    const page = await visit();
    await card(page, "temperature").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("demo led");
    await until(page, () => document.querySelectorAll(".card").length === 1);
    await card(page, "led").waitFor();
    assert.equal(await page.locator(".search output").textContent(), "1 of 6");
    await page.keyboard.type("x");
    await page.getByText("No device matches “demo ledx”").waitFor();
    await shoot(page, "search-nothing");
    await page.keyboard.press("Escape");
    await card(page, "temperature").waitFor();
    await until(page, () => document.querySelectorAll(".card").length === 6);
  }],

  ["the topics page shows what travels, and publishes", async ({ visit, shoot, broker }) => {
    const topic = `lab/demo/hand/${Math.random().toString(36).slice(2)}`;
    const skipped = publish(broker, topic, '{"v":21.50,"unit":"<b>"}');
    if (skipped) return { skipped };
    const page = await visit();
    await page.getByRole("link", { name: "Topics", exact: true }).click();
    await treeItem(page, "lab/demo/hand").click();
    await treeItem(page, topic).click();
    const message = page.locator('[data-part="message"]');
    await message.getByRole("heading", { name: topic, exact: true }).waitFor();
    assert.equal(await message.locator(".message-body > pre").textContent(), '{\n  "v": 21.50,\n  "unit": "<b>"\n}');
    const total = 2 + (2 + topic.length) + 2 + 1 + 24;
    assert.equal(await message.locator("[data-bytes=total]").textContent(), `${total}\u202fB`);
    assert.match(await message.locator("dl [data-bytes=variable]").textContent(), /packet id 2, properties 1/);
    await shoot(page, "topics-en-light");
    await page.locator("#publish-payload").fill("33");
    await page.locator("#publish-qos").selectOption("2");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("The broker took it at").first().waitFor();
    await message.locator(".message-body > pre").filter({ hasText: /^33$/ }).waitFor();
    await message.locator("[data-fact=qos]").filter({ hasText: "2, exactly once" }).waitFor();
    await page.getByRole("link", { name: "Devices", exact: true }).click();
    await shows(page, "hand", "33");
    await page.context().close();
  }],

  ["a retained message is shown as such, and removed after a confirmation", async ({ visit, shoot, broker }) => {
    const topic = `lab/demo/kept/${Math.random().toString(36).slice(2)}`;
    const skipped = publish(broker, topic, "5");
    if (skipped) return { skipped };
    const page = await visit({}, `#/topics/${encodeURIComponent(topic)}`);
    await treeItem(page, topic).and(page.locator("[aria-selected=true]")).waitFor();
    assert.equal(await treeItem(page, topic).locator('[data-badge="retained"]').isVisible(), false);
    await page.locator("#publish-payload").fill("6");
    await page.locator("#publish-retain").check();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await treeItem(page, topic).locator('[data-badge="retained"]').waitFor();
    await page.getByRole("button", { name: "Remove retained message …" }).click();
    await page.getByText("the broker forgets what it keeps").waitFor();
    await shoot(page, "topics-remove");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Remove retained message …" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await treeItem(page, topic).locator('[data-badge="retained"]').waitFor({ state: "hidden" });
    await page.locator('[data-part="message"] [data-fact=retained]').filter({ hasText: "no" }).waitFor();
    assert.equal(await page.locator("#announcer").textContent(), "Removed.");
    await page.context().close();
  }],

  ["what the broker keeps is told behind a newer message, and what a topic is for", async ({ visit, shoot, broker }) => {
    const topic = `lab/demo/kept/${Math.random().toString(36).slice(2)}`;
    const skipped = publish(broker, topic, "old", "--retain") ?? publish(broker, topic, "new");
    if (skipped) return { skipped };
    const page = await visit({}, `#/topics/${encodeURIComponent(topic)}`);
    const message = page.locator('[data-part="message"]');
    await message.locator(".message-body > pre").filter({ hasText: /^new$/ }).waitFor();
    await message.locator(".kept pre").filter({ hasText: /^old$/ }).waitFor();
    await treeItem(page, topic).getByText("retained, older").waitFor();
    await message.getByText("Values of a channel").waitFor();
    await shoot(page, "topics-kept");
    await page.getByRole("button", { name: "Remove retained message …" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await message.locator(".kept").waitFor({ state: "hidden" });
    await page.locator("#topic-filter").fill("marker");
    await treeItem(page, "lab/mqtt-lab").getByText("by the lab itself").waitFor();
    await treeItem(page, "lab/mqtt-lab/ingest/marker/result").click();
    await message.getByText("The lab writes to itself here").waitFor();
    await page.context().close();
  }],

  ["the topic tree obeys the keyboard and the filter, and shows HTML as text", async ({ visit, broker }) => {
    const skipped = publish(broker, `lab/demo/${HTML_ID}/temperature`, HTML_ID);
    if (skipped) return { skipped };
    const page = await visit({}, "#/topics");
    const focused = () => page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).dataset.topic);
    await treeItem(page, "lab").focus();
    await page.keyboard.press("ArrowLeft");
    await treeItem(page, "lab/demo").waitFor({ state: "detached" });
    await page.keyboard.press("ArrowRight");
    await treeItem(page, "lab/demo").waitFor();
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "lab/demo");
    await page.keyboard.press("Home");
    assert.equal(await focused(), "lab");
    assert.equal(await page.locator("[role=treeitem][tabindex='0']").count(), 1);
    await page.locator("#topic-filter").fill("onerror temp");
    const hit = treeItem(page, `lab/demo/${HTML_ID}/temperature`);
    await hit.click();
    await until(page, () => document.querySelectorAll("[role=treeitem]").length === 4);
    await page.getByRole("heading", { name: HTML_ID }).waitFor();
    await page.locator('[data-part="message"] .message-body > pre').filter({ hasText: HTML_ID }).waitFor();
    assert.equal(await page.locator("main img").count(), 0);
    assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined);
    await page.context().close();
  }],

  ["a thousand topics are no burden, and a hidden page asks for nothing", async ({ visit, shoot }) => {
    /** @type {string[]} */
    const asked = [];
    const page = await visit({}, "#/topics", async (/** @type {Page} */ page) => {
      await page.clock.install();
      await page.route("**/api/v1/topics?*", (route) => {
        asked.push(route.request().url());
        const names = Array.from({ length: asked.length === 1 ? 3_000 : 0 }, (_, i) => `lab/class-${i % 30}/sensor-${i}/value`);
        const topics = names.sort().map((topic) => ({ topic, preview: "21.5", bytes: 4, qos: 1, retained: false, time_ms: 1.7e12, count: 1 }));
        return route.fulfill({ json: { topics, total: 3_000, left_out: 0, next: asked.length, unkept: 7 } });
      });
    });
    await page.getByText("3,000 topics · 7 messages on further topics are not kept").waitFor();
    assert.equal(await page.locator("[role=treeitem]").count(), 31, "only open levels are in the page");
    await page.locator("#topic-filter").fill("sensor");
    await page.getByText("more rows. The filter finds them.").waitFor();
    assert.equal(await page.locator("[role=treeitem]").count(), 1_000);
    await shoot(page, "topics-many");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const before = asked.length;
    await page.clock.fastForward(10_000);
    await page.evaluate(() => null);
    assert.equal(asked.length, before);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForRequest("**/api/v1/topics?*");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }],

  ["German and English", async ({ visit, shoot }) => {
    const page = await visit({ locale: "de-DE" });
    await page.locator("html[lang=de]").waitFor({ state: "attached" });
    await card(page, "temperature").getByRole("link", { name: "Temperatur", exact: true }).waitFor();
    await shoot(page, "dashboard-de");
    await page.locator("[data-language=en]").click();
    await card(page, "temperature").getByRole("link", { name: "Temperature", exact: true }).waitFor();
    await page.reload();
    await page.locator("html[lang=en]").waitFor({ state: "attached" });
    await page.context().close();
  }],

  ["a refusal of the lab is told in the page's language, and in the lab's own words without a translation", async ({ visit, shoot }) => {
    const refusals = [
      ["de-DE", "Fehlgeschlagen: das Thema enthält eine Wildcard (+ oder #): Veröffentlicht wird in genau ein Thema"],
      ["en-US", "Failed: `topic` has a wildcard: one publishes to one topic"],
    ];
    for (const [locale, words] of refusals) {
      // The browser tells of every refused request.
      const page = await visit({ locale, mute: true }, "#/topics");
      await page.locator("#publish-topic").fill("lab/+/led/on/set");
      await page.locator(".publish .primary").click();
      await page.locator(".publish [role=status]").filter({ hasText: words }).waitFor();
      await shoot(page, `refusal-${locale}`);
      await page.context().close();
    }
  }],

  ["dark and light", async ({ visit, shoot }) => {
    const ground = (/** @type {Page} */ page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const page = await visit({ colorScheme: "dark" });
    const dark = await ground(page);
    await shoot(page, "dashboard-dark");
    await page.locator("#theme").selectOption("light");
    await until(page, (/** @type {string} */ old) => getComputedStyle(document.body).backgroundColor !== old, dark);
    await page.locator("#theme").selectOption("dark");
    await until(page, (/** @type {string} */ old) => getComputedStyle(document.body).backgroundColor === old, dark);
    await page.context().close();
  }],

  ["a phone needs no sideways scrolling", async ({ visit, shoot }) => {
    for (const path of ["", "#/device/demo/host", "#/topics/lab%2Fdemo%2Fled%2Fon"]) {
      const page = await visit({ viewport: { width: 360, height: 740 } }, path);
      await page.locator("[data-device], [data-part=message] pre:visible").first().waitFor();
      assert.ok(await overflow(page) <= 0, `too wide by ${await overflow(page)} px at ${path || "the dashboard"}`);
      await shoot(page, path ? `phone-${path.split("/")[1]}` : "phone-dashboard");
      await page.context().close();
    }
  }],

  ["a device page shows its chart and its states", async ({ visit, shoot }) => {
    const page = await visit();
    await card(page, "temperature").getByRole("link").first().click();
    await page.locator('[data-part="history"] canvas').first().waitFor();
    await page.locator('[data-part="states"] tbody tr [data-state="ready"]').first().waitFor();
    await until(page, () => {
      const canvas = document.querySelector('[data-part="history"] canvas');
      if (!(canvas instanceof HTMLCanvasElement) || !canvas.width) return false;
      const { data } = /** @type {any} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
      const colors = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 250) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
      return colors.size > 2;
    });
    const plot = /** @type {any} */ (await page.locator('[data-part="history"] canvas').first().boundingBox());
    await page.mouse.move(plot.x + plot.width / 2, plot.y + plot.height / 2);
    await page.locator('[data-span="60000"]').click();
    await page.locator('[data-span="60000"][aria-pressed=true]').waitFor();
    await shoot(page, "device");
    await page.context().close();
  }],

  ["the plug of a device is pulled, its will is seen, and it comes back", async ({ visit, shoot }) => {
    const page = await visit({}, "#/device/demo/humidity");
    const plug = page.locator('[data-part="plug"]');
    await plug.getByRole("button", { name: "Kill" }).click();
    await plug.getByText("It has no power.").waitFor();
    await page.locator('.page[data-state="lost"]').waitFor();
    await shoot(page, "plug-pulled");
    await plug.getByRole("button", { name: "Plug in again" }).press("Enter");
    await page.locator('.page[data-state="ready"]').waitFor();
    await plug.getByRole("button", { name: "Freeze" }).waitFor();
    await plug.scrollIntoViewIfNeeded();
    await shoot(page, "plug-in");
    await page.context().close();
  }],

  ["a foreign device appears by itself", async ({ visit, shoot, broker }) => {
    const page = await visit();
    const skipped = publish(broker, "lab/demo/mine/temperature", "21.5");
    if (!skipped) {
      await shows(page, "mine", "21.5");
      await shoot(page, "foreign");
    }
    await page.context().close();
    return skipped && { skipped };
  }],

  ["an id with HTML is shown as text", async ({ visit, shoot, broker }) => {
    const page = await visit();
    const skipped = publish(broker, `lab/demo/${HTML_ID}/temperature`, "1");
    if (!skipped) {
      const link = card(page, HTML_ID).getByRole("link", { name: HTML_ID });
      await link.waitFor();
      await shoot(page, "html-id");
      await link.click();
      await page.getByRole("heading", { level: 2, name: HTML_ID }).waitFor();
      assert.equal(await page.locator("main img").count(), 0);
      assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined);
    }
    await page.context().close();
    return skipped && { skipped };
  }],

  ...foreignChecks,

  ["a plugin that is loaded anew says so for a while", async ({ visit, shoot, broker }) => {
    const skipped = publish(broker, "lab/demo/tank/$info", tank(1));
    if (skipped) return { skipped };
    const page = await visit({}, "", (/** @type {Page} */ page) => page.clock.install());
    const badge = card(page, "tank").locator('[data-state="reloaded"]');
    await card(page, "tank").waitFor();
    assert.equal(await badge.count(), 0, "the first load is no news");
    publish(broker, "lab/demo/tank/$info", tank(2));
    await badge.waitFor();
    assert.equal(await badge.textContent(), "plugin reloaded");
    assert.equal(await page.locator("#announcer").textContent(), "Plugin <b>tank 0.1.0 reloaded, loaded 2 times");
    await shoot(page, "plugin-reloaded");
    await card(page, "tank").getByRole("link").first().click();
    await page.getByText("Plugin: <b>tank 0.1.0 · library · loaded 2 times").waitFor();
    await badge.waitFor();
    await shoot(page, "plugin-reloaded-device");
    await page.clock.fastForward(10_000);
    await badge.waitFor({ state: "hidden" });
    await page.context().close();
  }],

  ["a notice of the lab stands on every page until it is resolved", async ({ visit, shoot }) => {
    const text = "lab.toml:12:1: unknown key `<img src=x onerror=window.pwned=1>`\n   |\n12 | intervall_s = 5\n   | ^^^^^^^^^^^";
    const messages = [{ text, hint: "did you mean `interval_s`?" }];
    const error = { level: "error", title: "configuration-refused", at_ms: Date.now(), messages, left_out: 2 };
    const visitors = { light: {}, dark: { colorScheme: "dark" }, phone: { viewport: { width: 360, height: 740 } } };
    for (const [name, options] of Object.entries(visitors)) {
      /** @type {any} */
      let push;
      const page = await visit(options, "", async (/** @type {Page} */ page) => { push = await withNotice(page, error); });
      const alert = page.locator("#lab-notice").getByRole("alert");
      await alert.filter({ hasText: "Error: The configuration is wrong" }).waitFor();
      assert.equal(await page.locator("#lab-notice pre").first().textContent(), text);
      assert.equal(await page.locator("#lab-notice li").last().textContent(), "and 2 more, see the terminal");
      assert.equal(await page.evaluate(() => /** @type {any} */ (window).pwned), undefined);
      assert.ok(await overflow(page) <= 0, `too wide by ${await overflow(page)} px`);
      await shoot(page, `lab-notice-${name}`);
      await card(page, "led").getByRole("link").first().click();
      await page.locator('[data-part="states"]').waitFor();
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      assert.ok(/** @type {any} */ (await alert.boundingBox()).y >= 0, "its first line stays in sight");
      await page.locator("#lab-notice ul").focus();
      assert.equal(await page.locator("#lab-notice button").count(), 0, "an error cannot be closed");
      push(null);
      await page.locator("#lab-notice[data-level]").waitFor({ state: "detached" });
      assert.equal(await alert.textContent(), "");
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.context().close();
    }
  }],

  ["news of the lab can be closed and vanish by themselves", async ({ visit, shoot }) => {
    const news = (/** @type {number} */ at_ms) => ({ level: "info", title: "restart-needed", at_ms, messages: [], left_out: 0 });
    /** @type {any} */
    let push;
    const page = await visit({ locale: "de-DE" }, "", async (/** @type {Page} */ page) => {
      await page.clock.install();
      push = await withNotice(page, news(Date.now() - 60_000));
    });
    const place = page.locator("#lab-notice[data-level=info]");
    assert.equal(await place.count(), 0, "old news is no news");
    push(news(await page.evaluate(() => Date.now())));
    await place.getByRole("status").filter({ hasText: "Hinweis: Eine Änderung wirkt erst nach einem Neustart des Labs" }).waitFor();
    await shoot(page, "lab-notice-news");
    await place.getByRole("button", { name: "Schließen" }).press("Enter");
    await place.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement?.id), "main", "the focus is not lost");
    push(news(await page.evaluate(() => Date.now())));
    await place.waitFor({ state: "attached" });
    await page.clock.fastForward(15_000);
    await place.waitFor({ state: "detached" });
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }],

  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];
