// The page of the users' own control variables: set them, and make, change and delete them.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { arrange, el, setData, setText } from "./dom.js";
import { extend, t } from "./i18n.js";
import { on, state } from "./store.js";
import { style } from "./style.js";
import { variableForm } from "./variable-form.js";
import { variableRow } from "./variable-row.js";

/** @typedef {{group: string, id: string, label: string | null, datatype: string, unit: string | null, min: number | null,
 *   max: number | null, step: number | null, choices: string[], value: any, declared: boolean}} Variable */

/** The device that holds the variables of a group. @param {string} group */
const holder = (group) => `${group}/variables`;

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function mountVariables(main, signal) {
  await Promise.all([extend("variables"), style("/css/topics.css"), style("/css/variables.css")]);
  if (signal.aborted) return;
  const status = el("p", { class: "quiet", role: "status" }, t("variables.loading"));
  const result = el("p", { class: "command-state" });
  const list = el("div", { class: "variable-list" });
  const form = variableForm(save);
  // Below the list: it would move when that comes.
  form.element.hidden = true;
  /** @type {Map<string, ReturnType<typeof variableRow>>} */
  const rows = new Map();
  main.replaceChildren(el("article", { class: "page variables" },
    el("header", { class: "page-head" }, el("h2", {}, t("header.variables"))),
    el("p", { class: "explain" }, t("variables.explain")),
    el("section", { class: "part", "aria-label": t("header.variables"), data: { part: "variables" } }, status, list, result),
    form.element));

  /** What came of an action, seen and heard. @param {string} name @param {string} words */
  function say(name, words) {
    setData(result, "state", name);
    setText(result, words);
    announce(words);
  }

  async function load() {
    try {
      const variables = await api.variables();
      if (!signal.aborted) show(variables);
    } catch (error) {
      setText(status, t("variables.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
    form.element.hidden = false;
    document.documentElement.dataset.ready = "true";
  }

  /** @param {Variable[]} variables */
  function show(variables) {
    const kept = new Set();
    const elements = variables.map((variable) => {
      const key = JSON.stringify(variable);
      kept.add(key);
      const row = rows.get(key) ?? variableRow(variable, () => form.edit(variable), () => remove(variable), signal);
      rows.set(key, row);
      row.update(state.devices.get(holder(variable.group)));
      return row.element;
    });
    for (const [key, row] of rows) if (!kept.has(key)) { row.end(); rows.delete(key); }
    arrange(list, elements);
    setText(status, variables.length ? "" : t("variables.none"));
    status.hidden = variables.length > 0;
  }

  /** @param {any} wanted @param {Variable | null} old */
  async function save(wanted, old) {
    const { id, group, ...change } = wanted;
    const saved = old ? await api.changeVariable(old, change) : await api.createVariable({ id, ...(group && { group }), ...change });
    await load();
    say("confirmed", t(old ? "variables.changed" : "variables.created", { name: `${saved.group}/${saved.id}` }));
  }

  /** @param {Variable} variable */
  async function remove(variable) {
    const name = `${variable.group}/${variable.id}`;
    try {
      await api.deleteVariable(variable);
      form.forget(variable);
      await load();
      say("confirmed", t("variables.deleted", { name }));
      /** @type {HTMLElement | null} */ (list.querySelector("button") ?? form.element.querySelector("input"))?.focus();
    } catch (error) {
      say("refused", t("variables.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
  }

  /** Which variables a device holds, without their values. @param {string} key */
  const held = (key) => JSON.stringify(state.devices.get(key)?.channels.map((channel) =>
    ({ ...channel, series: 0, value: 0, time_ms: 0, bytes: 0 })));
  /** @type {Map<string, string | undefined>} */
  const known = new Map();

  on("device", (key) => {
    if (!key.endsWith("/variables")) return;
    // Others make variables, too.
    if (known.get(key) !== held(key)) load();
    known.set(key, held(key));
    for (const row of rows.values()) row.update(state.devices.get(holder(row.group)));
  }, signal);
  on("samples", () => { for (const row of rows.values()) row.update(state.devices.get(holder(row.group))); }, signal);
  await load();
}
