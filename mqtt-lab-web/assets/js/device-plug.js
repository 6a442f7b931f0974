// Pulling the plug of a device that runs in the lab's own program: what its last will is for.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { el, setText } from "./dom.js";
import { t } from "./i18n.js";

const WAYS = ["kill", "cut", "freeze", "stop"];

/** @param {any} device @param {AbortSignal} signal */
export function plugSection(device, signal) {
  const now = el("p", { class: "plug-now" });
  const back = el("button", { type: "button", onclick: () => pull("in") }, t("plug.in"));
  const ways = WAYS.map((way) => {
    const button = el("button", { type: "button", data: { plug: way }, onclick: () => pull(way) }, t(`plug.${way}`));
    return el("div", { class: "control-row" },
      el("div", {}, el("h4", {}, t(`plug.${way}.title`)), el("p", { class: "explain" }, explained(way, device))), button);
  });
  const element = el("div", { class: "plug" }, el("p", { class: "explain" }, t("plug.explain")), now, back, ...ways);

  /** @param {string} way */
  async function pull(way) {
    try {
      show((await api.pull(device, way)).plug);
    } catch (error) {
      setText(now, t("plug.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
    announce(now.textContent ?? "");
  }

  /** @param {string | null} plug */
  function show(plug) {
    if (signal.aborted) return;
    element.dataset.plug = plug ?? "";
    setText(now, plug ? t(`plug.now.${plug}`) : "");
    back.hidden = plug === "in";
    for (const way of ways) way.hidden = plug !== "in";
  }

  return {
    element,
    /** Whether the device's plug is within reach. */
    load: async () => {
      const answer = await api.plug(device).catch(() => null);
      if (answer?.plug) show(answer.plug);
      return Boolean(answer?.plug);
    },
  };
}

/** @param {string} way @param {any} device */
function explained(way, device) {
  const delay = device.will?.delay_s ?? 0;
  const key = delay && way !== "stop" ? `plug.${way}.explain.delay` : `plug.${way}.explain`;
  return t(key, { seconds: Math.round((device.keep_alive_s ?? 30) * 1.5), delay });
}
