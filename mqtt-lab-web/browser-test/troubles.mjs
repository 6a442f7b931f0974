// Puts troubles into what the server says about the lab, on its way to the page: parts that cannot all be broken from
// outside. That the server says it so is tested in Rust.

/** @typedef {import("playwright-core").Page} Page */

const SINCE_MS = Date.now() - 100_000;
const LONG = "cannot write the folder `/var/lib/mqtt-lab/the-storage-of-the-embedded-broker`: the file system is read-only "
  + "(os error 30), and it was mounted again without a word to anybody who has files open on it, so nothing can be done but wait";

/** @param {string} part @param {any} [trouble] */
const partOf = (part, trouble = {}) => ({
  part, essential: !["live", "server", "configuration"].includes(part), error: null, since_ms: trouble.error ? SINCE_MS : null,
  waiting: 0, restarts: 0, panics: 0, last_panic: null, ...trouble,
});

/** @param {number} waiting */
const troubled = (waiting) => [
  partOf("configuration", { error: "panicked: index out of bounds: the len is 0 but the index is 3", restarts: 4, panics: 4, last_panic: "index out of bounds: the len is 0 but the index is 3 at src/follow.rs:112:9" }),
  partOf("broker-storage", { error: LONG, waiting: 12 }),
  partOf("database", { error: "disk full (error returned from database: (code: 13) database or disk is full)", waiting }),
];

/** Changes every message about the lab and the answers of the API.
 * @param {Page} page @param {(lab: any) => any} change @param {Record<string, (body: any) => any>} answers */
async function rewrite(page, change, answers) {
  for (const [path, answer] of Object.entries({ lab: change, ...answers })) {
    await page.route(`**/api/v1/${path}`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: answer(await response.json()) });
    });
  }
  await page.routeWebSocket(/live$/, (toPage) => {
    toPage.connectToServer().onMessage((message) => {
      const read = JSON.parse(String(message));
      toPage.send(read.type === "lab" ? JSON.stringify({ ...read, lab: change(read.lab) }) : message);
    });
  });
}

/** The broker is away, and three parts fail. @param {Page} page */
export async function failing(page) {
  let waiting = 1_000;
  const change = (/** @type {any} */ lab) => ({
    ...lab, parts: troubled(waiting += 10), broker: { ...lab.broker, address: "192.0.2.7:1883", connected: false, error: "connection refused" },
  });
  await rewrite(page, change, {
    parts: (list) => {
      const broken = new Map(troubled(waiting).map((part) => [part.part, part]));
      return [...list.map((/** @type {any} */ part) => broken.get(part.part) ?? part), broken.get("broker-storage")];
    },
  });
}

/** 123 messages were set aside. @param {Page} page */
export async function setAside(page) {
  const entry = (/** @type {number} */ index) => ({
    at_ms: SINCE_MS - index * 1000, part: index % 3 ? "database" : "spool",
    what: index ? "a sample of `demo/temperature/temperature`" : "a sample of `demo/<img src=x onerror=window.pwned=1>/temperature`",
    reason: "a value of this row does not fit its column",
  });
  await rewrite(page, (lab) => ({ ...lab, counts: { ...lab.counts, set_aside: 123 } }), {
    "set-aside": () => ({ total: 123, last: Array.from({ length: 100 }, (_, index) => entry(index)) }),
  });
}
