// The page of one device: what it measures, what it can be told, when it was away, how it is set up.

import * as api from "./api.js";
import { fetchLines } from "./channel.js";
import { historyCharts } from "./device-charts.js";
import { controlsSection } from "./device-controls.js";
import { describeSection, manageSection } from "./device-manage.js";
import { plugSection } from "./device-plug.js";
import {
  bootRows, clockSentence, commandRows, countsTable, descriptionTable, channelTable, messageRows, stateRows, stateSentence, willTable,
} from "./device-tables.js";
import { el, icon, setBadge, setData, setText } from "./dom.js";
import { extend, t } from "./i18n.js";
import { deviceName, kindName, ownChannels, wordFor } from "./names.js";
import { nextFrame } from "./paint.js";
import { showPlugin, showReloaded } from "./plugin.js";
import { keyOf, on, state } from "./store.js";

const TICK_MS = 1_000;
/** Counts of boots are asked for at most this often. */
const BOOTS_MS = 5_000;

/** @param {HTMLElement} main @param {{group: string, id: string}} where @param {AbortSignal} signal */
export async function mountDevice(main, where, signal) {
  // The forms for channels share their words with those for variables. The code of the remarks has to be there before the
  // first frame: lines that come later would move the charts.
  await Promise.all([extend("variables"), fetchLines()]);
  if (signal.aborted) return;
  const key = keyOf(where);
  /** @type {AbortController | null} */
  let built = null;
  /** @type {{update: (device: any) => void, refresh: () => Promise<any>, shape: string} | null} */
  let page = null;
  /** It outlives the page that is built around it: a description that was saved builds another one.
   * @type {ReturnType<typeof describeSection> | null} */
  let describe = null;

  function show() {
    const device = state.devices.get(key);
    if (!device) {
      built?.abort();
      page = null;
      main.replaceChildren(missing(where));
    } else if (!page || page.shape !== shape(device)) {
      built?.abort();
      built = new AbortController();
      describe ??= describeSection(device);
      page = build(main, device, describe, built.signal);
    }
    if (device) page?.update(device);
    if (state.loaded) document.documentElement.dataset.ready = "true";
  }

  const soon = () => nextFrame(() => { if (!signal.aborted) show(); });
  on("list", show, signal);
  on("device", (changed) => { if (changed === key) soon(); }, signal);
  on("samples", (keys) => { if (keys.has(key)) soon(); }, signal);
  on("gap", () => page?.refresh(), signal);
  on("connection", () => { if (state.connection === "live") page?.refresh(); else show(); }, signal);
  const ticking = setInterval(() => { if (state.connection !== "reconnecting") soon(); }, TICK_MS);
  signal.addEventListener("abort", () => { clearInterval(ticking); built?.abort(); });
  show();
}

/** What the page is built from; another shape needs another page. @param {any} device */
const shape = (device) => JSON.stringify([device.role, device.trigger, device.channels.map(
  (/** @type {any} */ { series, name, label, datatype, unit, min, max, step, choices, settable, earlier }) =>
    [series, name, label, datatype, unit, min, max, step, choices, settable, earlier])]);

const backLink = () => el("a", { class: "back", href: "#/" }, icon("back"), t("device.back"));

/** @param {{group: string, id: string}} where */
function missing(where) {
  const loading = !state.loaded;
  return el("div", { class: "page" }, backLink(), el("div", { class: "placeholder", role: "status" },
    el("h2", {}, loading ? t("dashboard.loading") : t("device.missing", { id: keyOf(where) })),
    loading ? null : el("p", {}, t("device.missing.explain"))));
}

/** @param {string} title @param {string} name @param {...(Node | null)} children */
const section = (title, name, ...children) =>
  el("section", { class: "part", "aria-label": title, data: { part: name } }, el("h3", {}, title), ...children);

/** @param {HTMLElement} main @param {any} device @param {ReturnType<typeof describeSection>} describe @param {AbortSignal} signal */
function build(main, device, describe, signal) {
  const title = el("h2", {});
  const badge = el("span", { class: "state" });
  const reloaded = el("span", { class: "state", hidden: true });
  const subtitle = el("p", { class: "id" });
  const plugin = el("p", { class: "id", data: { part: "plugin" }, hidden: true });
  const sentence = el("p", { class: "sentence" });
  const error = el("p", { class: "device-error", hidden: true });
  const charts = historyCharts(device, signal);
  const controls = controlsSection(device, section, signal);
  const clock = el("p", { class: "sentence", data: { part: "clock" } });
  const messages = el("div", {});
  const messagesPlace = section(t("messages.title"), "messages", clock, messages);
  const describePlace = el("div", {});
  const states = el("div", {});
  const commands = el("div", {});
  const settings = el("div", { class: "tables" });
  const boots = el("div", { data: { part: "boots" } });
  const manage = manageSection(device);
  const plug = plugSection(device, signal);
  const plugPlace = section(t("plug.title"), "plug", plug.element);
  plugPlace.hidden = true;
  const settable = device.channels.some((/** @type {any} */ channel) => channel.settable);
  const element = el("article", { class: "page", data: { device: keyOf(device) } }, backLink(),
    el("header", { class: "page-head" }, title, badge, reloaded), subtitle, plugin, sentence, error,
    ownChannels(device).length ? charts.element : el("p", { class: "quiet" }, t("device.no-channels")),
    ...controls.elements,
    plugPlace,
    messagesPlace,
    describePlace,
    section(t("states.title"), "states", states),
    settable ? section(t("commands.title"), "commands", commands) : null,
    section(t("settings.title"), "settings", settings),
    section(t("manage.title"), "manage", manage.element));

  let description = "";
  /** @type {any[]} */
  let history = [];
  let knownState = device.state + device.state_since_ms;

  async function loadStates() {
    history = await api.states(device).catch(() => history);
    if (signal.aborted) return;
    states.replaceChildren(stateRows(history));
    charts.setStates(history);
    setText(sentence, stateSentence(device, history));
  }

  async function loadCommands() {
    const list = await api.commands(device).catch(() => null);
    if (list && !signal.aborted) commands.replaceChildren(commandRows(list, device));
  }

  let bootsAtMs = -Infinity;
  let bootsOf = "";

  /** Asks for them when the device's counts are others than those they belong to. @param {string} counts */
  async function loadBoots(counts) {
    if (counts === bootsOf || performance.now() - bootsAtMs < BOOTS_MS) return;
    [bootsOf, bootsAtMs] = [counts, performance.now()];
    const list = await api.boots(device).catch(() => null);
    if (list && !signal.aborted) boots.replaceChildren(bootRows(list));
  }

  async function loadPlug() { plugPlace.hidden = !await plug.load(); }

  /** Asks for all of it again; done when what changes the page's length is here. */
  function refresh() {
    bootsOf = "";
    charts.load();
    return Promise.all([loadStates(), loadPlug(), settable ? loadCommands() : null]);
  }

  on("command", (command) => { if (keyOf({ group: command.group, id: command.device }) === keyOf(device)) loadCommands(); }, signal);
  // Not before it is filled: what would come into it later would move the rest.
  refresh().then(() => { if (!signal.aborted) place(); });

  function place() {
    const focused = main.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    describePlace.append(describe.element);
    main.replaceChildren(element);
    // What had the focus came along, or is no more.
    if (focused) (main.contains(focused) ? focused : main).focus({ preventScroll: true });
  }

  let shownMessages = "";

  /** @param {any} next */
  function showMessages(next) {
    setText(clock, clockSentence(next));
    clock.hidden = !clock.textContent;
    const { refusals, no_readings: empty } = next;
    messagesPlace.hidden = clock.hidden && !refusals.length && !empty.length;
    const key = JSON.stringify([refusals, empty]);
    if (key === shownMessages) return;
    shownMessages = key;
    messages.replaceChildren(...[messageRows(next)].filter((rows) => rows !== null));
  }

  return {
    shape: shape(device),
    refresh,
    /** @param {any} next */
    update(next) {
      device = next;
      setText(title, deviceName(next));
      setData(element, "state", next.state);
      setBadge(badge, next.state, wordFor("state", next.state));
      setText(subtitle, [keyOf(next), kindName(next.kind), next.role && wordFor("role", next.role)].filter(Boolean).join(" · "));
      showReloaded(reloaded, keyOf(next));
      showPlugin(plugin, next.plugin);
      setText(sentence, stateSentence(next, history));
      error.hidden = next.error === null;
      setText(error, next.error === null ? "" : t("device.error", { error: next.error }));
      charts.update(next);
      controls.update(next);
      showMessages(next);
      describe.update(next);
      manage.update(next);
      if (knownState !== next.state + next.state_since_ms) {
        knownState = next.state + next.state_since_ms;
        loadStates();
      }
      loadBoots(JSON.stringify(next.counts));
      const described = settingsKey(next);
      if (described === description) return;
      description = described;
      settings.replaceChildren(descriptionTable(next), willTable(next), countsTable(next), boots, channelTable(next));
    },
  };
}

/** The settings tables are only drawn again when one of their cells changed. @param {any} device */
const settingsKey = (device) => JSON.stringify({
  ...device, last_seen_ms: 0, state_since_ms: 0, refusals: 0, no_readings: 0, clock: 0,
  channels: device.channels.map((/** @type {any} */ channel) => ({ ...channel, value: 0, time_ms: 0 })), root: state.lab?.root,
});
