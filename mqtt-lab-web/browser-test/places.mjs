// Every page of a lab in every state that a visitor may meet, and how one gets there.

import { failing, setAside } from "./troubles.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{name: string, path?: string, ready?: boolean, broken?: boolean, prepare?: (page: Page) => Promise<void>,
 *   arrive: (page: Page) => Promise<any>}} Place
 *   `ready`: false when no device will ever be shown; `broken`: the browser is meant to complain */

const NOTICE = {
  level: "error", title: "configuration-refused", left_out: 2,
  messages: [{
    text: "lab.toml:12:1: unknown key `intervall_s`\n   |\n12 | intervall_s = 5\n   | ^^^^^^^^^^^",
    hint: "did you mean `interval_s`?",
  }],
};

/** Waits until every chart in view is drawn with data. @param {Page} page */
const drawn = (page) => page.waitForFunction(() => performance.getEntriesByName("first-chart").length);

/** The first call to the lab waits for ever. @param {Page} page */
async function silent(page) {
  await page.route("**/api/**", () => {});
  await page.routeWebSocket(/live$/, () => {});
}

/** Nobody answers. @param {Page} page */
async function gone(page) {
  await page.route("**/api/**", (route) => route.abort());
  await page.routeWebSocket(/live$/, (socket) => socket.close());
}

/** The lab wants a token. @param {Page} page */
async function locked(page) {
  await page.route("**/api/**", (route) => route.fulfill({ status: 401, json: { title: "Unauthorized", detail: "a token is needed" } }));
  await page.routeWebSocket(/live$/, (socket) => socket.close());
}

/** The configuration of the lab is wrong. @param {Page} page */
async function refused(page) {
  const notice = { ...NOTICE, at_ms: Date.now() };
  await page.route("**/api/v1/lab", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...await response.json(), notice } });
  });
  await page.routeWebSocket(/live$/, (toPage) => {
    toPage.connectToServer().onMessage((message) => {
      const read = JSON.parse(String(message));
      toPage.send(read.type === "notice" ? JSON.stringify({ ...read, notice }) : message);
    });
  });
}

/** The lab goes away once the page shows it. @param {Page} page */
async function leaving(page) {
  /** @type {import("playwright-core").WebSocketRoute[]} */
  const sockets = [];
  let open = true;
  await page.routeWebSocket(/live$/, (socket) => {
    if (!open) return void socket.close();
    sockets.push(socket);
    socket.connectToServer();
  });
  await page.exposeFunction("leave", async () => {
    open = false;
    for (const socket of sockets) await socket.close();
  });
}

/** @type {Place[]} of a lab as in pages.toml */
export const places = [
  { name: "dashboard", arrive: drawn },
  { name: "sensor", path: "#/device/home/temperature", arrive: drawn },
  { name: "signal", path: "#/device/home/signal", arrive: drawn },
  { name: "actuator", path: "#/device/home/thermostat", arrive: drawn },
  { name: "lamp", path: "#/device/home/rgb-light", arrive: drawn },
  { name: "foreign", path: "#/device/home/workbench-scale", arrive: (page) => page.locator("[data-part=states] .quiet").waitFor() },
  {
    name: "foreign-odd", path: "#/device/home/home-made-station",
    arrive: async (page) => {
      await page.locator("[data-part=messages] tbody tr").first().waitFor();
      for (const summary of await page.locator("summary").all()) await summary.click();
    },
  },
  { name: "lost", path: "#/device/home/humidity", arrive: (page) => page.locator('.page[data-state="lost"]').waitFor() },
  { name: "missing", path: "#/device/home/nobody", arrive: (page) => page.locator(".placeholder h2").waitFor() },
  { name: "topics", path: "#/topics", arrive: (page) => page.locator("[role=treeitem]").first().waitFor() },
  {
    name: "topic", path: `#/topics/${encodeURIComponent("lab/home/temperature/$info")}`,
    arrive: (page) => page.locator("[data-part=message] pre:visible").waitFor(),
  },
  {
    name: "topic-remove", path: `#/topics/${encodeURIComponent("lab/home/led/on")}`,
    arrive: async (page) => {
      await page.locator(".remover > button:visible").click();
      await page.locator(".confirm").waitFor();
    },
  },
  { name: "variables", path: "#/variables", arrive: (page) => page.locator(".variable-control input").first().waitFor() },
  {
    name: "variable-delete", path: "#/variables",
    arrive: async (page) => {
      await page.locator(".variable-actions > .inputs button").last().click();
      await page.locator(".confirm:visible").waitFor();
    },
  },
  { name: "clients", path: "#/clients", arrive: (page) => page.locator(".clients tbody tr").first().waitFor() },
  { name: "status", path: "#/status", arrive: (page) => page.locator(".status tbody tr").first().waitFor() },
  { name: "status-failing", path: "#/status", prepare: failing, arrive: (page) => page.locator('.status tr[data-works="false"]').first().waitFor() },
  { name: "status-set-aside", path: "#/status", prepare: setAside, arrive: (page) => page.locator("[data-part=set-aside] tbody tr").first().waitFor() },
  { name: "failing", prepare: failing, arrive: (page) => page.locator("#notice:not([hidden]) li").first().waitFor() },
  {
    name: "search-nothing",
    arrive: async (page) => {
      await page.locator("#search").fill("nobody is called so");
      await page.locator(".placeholder h2").waitFor();
    },
  },
  { name: "notice", prepare: refused, arrive: (page) => page.locator("#lab-notice[data-level=error] pre").first().waitFor() },
  {
    name: "stale", broken: true, prepare: leaving,
    arrive: async (page) => {
      await drawn(page);
      await page.evaluate(() => /** @type {any} */ (window).leave());
      await page.locator("#notice:not([hidden])").waitFor();
    },
  },
  { name: "loading", ready: false, prepare: silent, arrive: (page) => page.locator(".placeholder h2").waitFor() },
  { name: "unreachable", ready: false, broken: true, prepare: gone, arrive: (page) => page.locator("#notice:not([hidden])").waitFor() },
  { name: "login", ready: false, broken: true, prepare: locked, arrive: (page) => page.locator("#login[open]").waitFor() },
];

/** @type {Place[]} of a lab without devices */
export const emptyPlaces = [
  { name: "empty", arrive: (page) => page.locator(".placeholder pre").waitFor() },
  { name: "empty-variables", path: "#/variables", arrive: (page) => page.locator(".variables p.quiet:visible").waitFor() },
  { name: "empty-topics", path: "#/topics", arrive: (page) => page.locator(".topics-status").waitFor() },
];
