// The plugin a device came from, and for a while that it was reloaded.

import { announce } from "./announce.js";
import { setBadge, setText } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { wordFor } from "./names.js";
import { on, state } from "./store.js";

const SHOWN_MS = 10_000;

/** @typedef {import("./store.js").Plugin} Plugin */

/** @type {Map<string, Plugin>} the plugin of each device as it was last seen, removed devices too */
const known = new Map();
/** @type {Map<string, number>} until when a device says that its plugin was reloaded; a clock that only goes forward */
const shownUntil = new Map();

/** Notices from now on when the plugin of a device was loaded again. Call it before the first device is known. */
export function watchPlugins() {
  on("device", (key) => {
    const plugin = state.devices.get(key)?.plugin;
    if (!plugin) return;
    const before = known.get(key);
    known.set(key, plugin);
    if (before?.name !== plugin.name || before.loads >= plugin.loads) return;
    shownUntil.set(key, performance.now() + SHOWN_MS);
    // Said of the plugin, not of the device: ten devices of one plugin say the same, and it is heard once.
    announce(t("plugin.reloaded.said", { ...plugin, loads: loadsWords(plugin) }));
  });
}

/** Shows the badge while the reload is news. @param {HTMLElement} badge @param {string} key of a device */
export function showReloaded(badge, key) {
  badge.hidden = (shownUntil.get(key) ?? 0) <= performance.now();
  if (badge.hidden) shownUntil.delete(key);
  else setBadge(badge, "reloaded", t("plugin.reloaded"));
}

/** Shows the line on the plugin; none when the kind is compiled into the lab.
 * @param {HTMLElement} line @param {Plugin | null} plugin */
export function showPlugin(line, plugin) {
  line.hidden = !plugin;
  if (plugin) setText(line, t("device.plugin", { ...plugin, form: wordFor("plugin.form", plugin.form), loads: loadsWords(plugin) }));
}

/** @param {Plugin} plugin */
const loadsWords = ({ loads }) => t(loads === 1 ? "plugin.loads.1" : "plugin.loads", { count: count(loads) });
