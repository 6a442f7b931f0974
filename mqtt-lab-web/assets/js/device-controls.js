// What a device can be told: outputs, its own control variables, and those of the framework.

import { control } from "./controls.js";
import { el } from "./dom.js";
import { limit } from "./format.js";
import { has, t } from "./i18n.js";
import { channelName, isOutput } from "./names.js";

/**
 * @param {any} device @param {(title: string, name: string, ...children: (Node | null)[]) => HTMLElement} section
 * @param {AbortSignal} signal
 */
export function controlsSection(device, section, signal) {
  const settable = device.channels.filter((/** @type {any} */ channel) => channel.settable);
  const framework = settable.filter((/** @type {any} */ channel) => channel.name.startsWith("$"));
  const outputs = settable.filter((/** @type {any} */ channel) => isOutput(device, channel));
  const variables = settable.filter((/** @type {any} */ channel) => !framework.includes(channel) && !outputs.includes(channel));
  /** @type {Map<string, any>} */
  const rows = new Map(settable.map((/** @type {any} */ channel) => [channel.name, row(device, channel, signal)]));
  const elementsOf = (/** @type {any[]} */ list) => list.map((channel) => rows.get(channel.name).element);
  const elements = [];
  if (outputs.length) elements.push(section(t("controls.outputs"), "outputs", ...elementsOf(outputs)));
  if (variables.length) {
    elements.push(section(t("controls.variables"), "variables",
      el("p", { class: "explain" }, t("controls.variables.explain")), ...elementsOf(variables)));
  }
  if (framework.length) {
    elements.push(section(t("controls.framework"), "framework",
      el("p", { class: "explain" }, t("controls.framework.explain")), ...elementsOf(framework)));
  }
  return {
    elements,
    /** @param {any} next */
    update(next) {
      for (const channel of next.channels) rows.get(channel.name)?.update(next, channel);
    },
  };
}

/** @param {any} device @param {any} channel @param {AbortSignal} signal */
function row(device, channel, signal) {
  const handle = control(device, channel, signal);
  const explain = `control.${channel.name}.explain`;
  const bounds = channel.min !== null && channel.max !== null
    ? t("control.bounds", { min: limit(channel.min, channel), max: limit(channel.max, channel) }) : null;
  const words = has(explain) ? t(explain) : bounds;
  return {
    element: el("div", { class: "control-row", data: { channel: channel.name } },
      el("div", {}, el("h4", {}, channelName(channel)), words ? el("p", { class: "explain" }, words) : null), handle.element),
    update: handle.update,
  };
}
