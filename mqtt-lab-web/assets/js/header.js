// The header: which lab, is it alive, what was counted, language and theme.

import { arrange, el, setBadge, setData, setText, setTitle } from "./dom.js";
import { count } from "./format.js";
import { LANGUAGES, language, t } from "./i18n.js";
import { wordFor } from "./names.js";
import { nextFrame } from "./paint.js";
import { route } from "./router.js";
import { on, state } from "./store.js";
import { setTheme, theme, THEMES } from "./theme.js";

const STATES = ["ready", "init", "sleeping", "disconnected", "lost", "unknown"];
const COUNTERS = ["received", "stored", "duplicate", "lost", "refused"];
const VIEWS = [["dashboard", "#/"], ["variables", "#/variables"], ["topics", "#/topics"], ["clients", "#/clients"], ["status", "#/status"]];
const ALARMING = ["lost", "refused"];

/** Builds the header; `onLanguage` is called with the language a person chose.
 * @param {HTMLElement} header @param {(language: string) => void} onLanguage @param {AbortSignal} signal */
export function mountHeader(header, onLanguage, signal) {
  const name = el("h1", {});
  const connection = el("p", { class: "connection", id: "connection" });
  const address = el("p", { class: "broker", id: "broker" });
  const states = el("ul", { class: "states", "aria-label": t("header.devices") });
  const counters = el("dl", { class: "counters" });
  const figures = COUNTERS.map((key) => {
    const figure = el("dd", { data: { counter: key } });
    counters.append(el("div", { title: t(`counter.${key}.explain`) }, el("dt", {}, t(`counter.${key}`)), figure));
    return figure;
  });
  const setAside = el("a", { href: "#/status" });
  const setAsideCounter = el("div", { class: "set-aside", title: t("counter.set_aside.explain"), hidden: true },
    el("dt", {}, t("counter.set_aside")), el("dd", { data: { counter: "set_aside", alarm: "true" } }, setAside));
  counters.append(setAsideCounter);
  const switches = el("div", { class: "switches" }, languageSwitch(onLanguage), themeSwitch());
  header.replaceChildren(
    el("a", { class: "brand", href: "#/" }, el("img", { src: "/icon.svg", alt: "", width: 24, height: 24 }), name),
    el("nav", { class: "views", "aria-label": t("header.views") }, ...VIEWS.map(([view, href]) =>
      el("a", { href, "aria-current": route().view === view && "page" }, t(`header.${view}`)))),
    el("div", { class: "link" }, connection, address), states, counters,
    switches);

  function showLab() {
    const { lab } = state;
    setText(name, lab?.name ?? "mqtt-lab");
    document.title = lab?.name ?? "mqtt-lab";
    COUNTERS.forEach((key, index) => {
      setText(figures[index], lab ? count(lab.counts[key]) : "–");
      setData(figures[index], "alarm", String(ALARMING.includes(key) && (lab?.counts[key] ?? 0) > 0));
    });
    if (lab?.login) import("./login.js").then(({ showLogout }) => showLogout(switches));
    const aside = lab?.counts.set_aside ?? 0;
    setAsideCounter.hidden = !aside;
    setText(setAside, count(aside));
    setAside.ariaLabel = t("counter.set_aside.open", { count: count(aside) });
    const problem = lab && !lab.broker.connected;
    setText(address, lab ? (problem ? t("header.broker.away", { address: lab.broker.address }) : t("header.broker", { address: lab.broker.address })) : "");
    setData(address, "problem", String(Boolean(problem)));
    setTitle(address, lab?.broker.error ?? "");
  }

  function showStates() {
    if (signal.aborted) return;
    const counts = new Map(STATES.map((word) => [word, 0]));
    for (const device of state.devices.values()) if (!device.hidden) counts.set(device.state, (counts.get(device.state) ?? 0) + 1);
    const chips = [...counts].filter(([, number]) => number > 0).map(([word, number]) => {
      const chip = states.querySelector(`[data-state="${CSS.escape(word)}"]`) ?? el("li", { class: "state" });
      setBadge(chip, word, `${number} ${wordFor("state", word)}`);
      return chip;
    });
    arrange(states, chips);
  }

  function showConnection() {
    setBadge(connection, state.connection === "live" ? "live" : "pending", t(`connection.${state.connection}`));
  }

  on("lab", showLab, signal);
  on("connection", showConnection, signal);
  // Once for all devices that change in a frame: counting goes through all of them.
  const soon = () => nextFrame(showStates);
  on("list", soon, signal);
  on("device", soon, signal);
  showLab();
  showStates();
  showConnection();
}

/** @param {(language: string) => void} onLanguage */
function languageSwitch(onLanguage) {
  return el("div", { class: "segmented", role: "group", "aria-label": t("header.language") }, ...LANGUAGES.map((tag) =>
    el("button", {
      type: "button", lang: tag, title: t(`language.${tag}`), data: { language: tag },
      "aria-pressed": String(tag === language()), onclick: () => onLanguage(tag),
    }, tag.toUpperCase())));
}

function themeSwitch() {
  const select = el("select", { id: "theme", "aria-label": t("header.theme"), title: t("header.theme") },
    ...THEMES.map((name) => el("option", { value: name }, t(`theme.${name}`))));
  select.value = theme();
  select.addEventListener("change", () => setTheme(select.value));
  return select;
}
