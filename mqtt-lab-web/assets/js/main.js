// Starts the page: words, live messages and first points in parallel, then the view the address names.

import * as api from "./api.js";
import { mountDashboard } from "./dashboard.js";
import { lab, listen, recent, RECENT_MS, RECENT_POINTS, words } from "./early.js";
import { mountHeader } from "./header.js";
import * as i18n from "./i18n.js";
import { showLabNotice } from "./lab-notice.js";
import { mountNotice } from "./notice.js";
import { watchPlugins } from "./plugin.js";
import { route } from "./router.js";
import * as store from "./store.js";
import { apply as applyTheme } from "./theme.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {AbortController | null} */
let page = null;
/** @type {Map<string, number>} where each view was scrolled to */
const scrolled = new Map();
let shownHash = location.hash;
/** The lab's own answer is there as soon as the words are; one that does not answer is shown as such. */
const LAB_PATIENCE_MS = 300;

function show() {
  page?.abort();
  page = new AbortController();
  const { signal } = page;
  const skip = byId("skip");
  skip.textContent = i18n.t("header.skip");
  skip.onclick = () => byId("main").focus();
  mountHeader(byId("header"), changeLanguage, signal);
  mountNotice(byId("notice"), signal);
  showLabNotice(byId("lab-notice"));
  const main = byId("main");
  main.replaceChildren();
  const where = route();
  if (where.view === "dashboard") mountDashboard(main, signal);
  else openLater(main, where, signal);
}

/** The other pages and all they need are fetched when they are first opened: the dashboard is there sooner.
 * @param {HTMLElement} main @param {any} where @param {AbortSignal} signal */
async function openLater(main, where, signal) {
  try {
    const styled = import("./style.js").then(({ style }) => style("/css/device.css"));
    const [mount] = await Promise.all([pageOf(where), styled]);
    if (!signal.aborted) await mount(main, signal);
  } catch (error) {
    main.textContent = i18n.t("error.unreachable");
    throw error;
  }
}

/** What fills the page with a view. @param {any} where @returns {Promise<(main: HTMLElement, signal: AbortSignal) => any>} */
async function pageOf(where) {
  switch (where.view) {
    case "topics": {
      const { mountTopics } = await import("./topics.js");
      return (main, signal) => mountTopics(main, where, signal);
    }
    case "variables": return (await import("./variables.js")).mountVariables;
    case "clients": return (await import("./clients.js")).mountClients;
    case "status": return (await import("./status.js")).mountStatus;
  }
  const { mountDevice } = await import("./device.js");
  return (main, signal) => mountDevice(main, where, signal);
}

/** @param {string} language */
async function changeLanguage(language) {
  i18n.remember(language);
  await i18n.use(language);
  show();
  /** @type {HTMLElement | null} */ (document.querySelector(`[data-language="${language}"]`))?.focus();
}

function loadRecent() {
  return api.recent(RECENT_MS, RECENT_POINTS).then(({ points }) => store.addRecent(points), () => {});
}

/** Without a WebSocket (a proxy in between, say) the page still shows what is there. */
function fallback() {
  if (!store.state.loaded) api.devices().then((list) => { if (!store.state.loaded) store.setDevices(list); }, () => {});
}

/** What happens to the connection, once the words are there.
 * @param {"live" | "reconnecting"} connection */
function connected(connection) {
  // The answer to this call also tells a closed door (401) from a dead server.
  if (connection === "reconnecting") api.lab().then(fallback, () => {});
  else if (store.state.connection === "reconnecting") loadRecent();
  store.setConnection(connection);
}

function navigate() {
  scrolled.set(shownHash, scrollY);
  shownHash = location.hash;
  show();
  scrollTo(0, scrolled.get(shownHash) ?? 0);
  byId("main").focus({ preventScroll: true });
}

async function start() {
  applyTheme();
  watchPlugins();
  api.onUnauthorized(() => Promise.all([import("./login.js"), words]).then(([login]) => login.showLogin()));
  // Nothing is shown before the words are there.
  words.then(() => listen({ onMessage: store.apply, onState: connected }));
  lab.then((answer) => words.then(() => store.setLab(answer)), () => {});
  recent.then(({ points }) => words.then(() => store.addRecent(points)), () => {});
  await words;
  // A page that tells at once which lab it is and what is wrong with it need not be moved by that news.
  await Promise.race([lab.catch(() => {}), new Promise((resolve) => { setTimeout(resolve, LAB_PATIENCE_MS); })]);
  show();
  store.on("gap", loadRecent);
  store.on("notice", () => showLabNotice(byId("lab-notice")));
  addEventListener("hashchange", navigate);
}

start();
