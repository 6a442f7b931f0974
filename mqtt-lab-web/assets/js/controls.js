// A channel's control: an input made from its description, and what became of the last command.
// A command stays "pending" until the device's own answer came back over MQTT.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { el, setBadge, setTitle } from "./dom.js";
import { latency, withUnit } from "./format.js";
import { t } from "./i18n.js";
import { inputFor } from "./inputs.js";
import { channelName, deviceName } from "./names.js";
import { on, setCommand, state } from "./store.js";

// The server ends a command a second after its life; ask once more if that news got lost.
const ANSWER_LIMIT_MS = 8_000;

/**
 * @typedef {{element: HTMLElement, update: (device: any, channel: any) => void}} Control
 */

/**
 * @param {import("./store.js").Device} device @param {import("./store.js").Channel} channel @param {AbortSignal} signal
 * @returns {Control}
 */
export function control(device, channel, signal) {
  const label = `${deviceName(device)}: ${channelName(channel)}`;
  const status = el("span", { class: "command-state" });
  const input = inputFor(channel, label, send);
  const element = el("div", { class: "control", data: { commandState: "idle", datatype: channel.datatype } },
    el("div", { class: "inputs" }, ...input.elements), status);
  /** @type {any} the command that is shown; only its own id until the server named it */
  let current = null;

  /** @param {any} value */
  async function send(value) {
    const mine = { id: null, state: "pending", value };
    current = mine;
    show();
    try {
      const command = await api.set(device, channel.name, value);
      if (current !== mine) return;
      current = command;
      setCommand(command);
      follow(state.commands.get(command.id) ?? command);
      askLater(command.id);
    } catch (error) {
      if (current !== mine) return;
      current = { ...mine, state: "refused", error: reason(/** @type {api.ApiError} */ (error)) };
      show();
    }
  }

  /** @param {any} command */
  function follow(command) {
    if (!current || command.id !== current.id) return;
    if (command.state === current.state && command.state !== "pending") return;
    current = command;
    show();
  }

  /** @param {string} id */
  function askLater(id) {
    setTimeout(async () => {
      if (signal.aborted || current?.id !== id || current.state !== "pending") return;
      const command = await api.command(id).catch(() => ({ ...current, state: "timed_out" }));
      setCommand(command);
      if (command.state === "pending") askLater(id);
      else follow(command);
    }, ANSWER_LIMIT_MS);
  }

  function show() {
    const words = describe(current, channel);
    element.dataset.commandState = current.state;
    element.setAttribute("aria-busy", String(current.state === "pending"));
    setBadge(status, current.state, words);
    setTitle(status, words);
    announce(`${label}: ${words}`);
    if (current.state === "refused" || current.state === "timed_out") input.show(channel.value);
  }

  on("command", follow, signal);
  return {
    element,
    update(nextDevice, nextChannel) {
      device = nextDevice;
      channel = nextChannel;
      if (current?.state !== "pending" && !input.busy()) input.show(channel.value);
    },
  };
}

/** What became of a command, in words. @param {any} command @param {any} channel */
export function describe(command, channel) {
  const value = channel ? withUnit(command.value, channel) : String(command.value);
  switch (command.state) {
    case "pending": return t("command.pending.value", { value });
    case "confirmed": return t("command.confirmed.in", { value, time: latency((command.ended_ms ?? command.sent_ms) - command.sent_ms) });
    case "refused": return t("command.refused.because", { reason: command.error ?? t("command.no-reason") });
    case "timed_out": return t("command.timed_out.long");
  }
  return command.state;
}

/** @param {api.ApiError} error */
export function reason(error) {
  if (error.status === 0) return t("error.unreachable");
  return error.message || t("error.status", { status: error.status });
}
