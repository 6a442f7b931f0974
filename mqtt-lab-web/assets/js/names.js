// What devices, channels and kinds are called: the given name first, then a known word, then the id itself.

import { visible } from "./dom.js";
import { has, t } from "./i18n.js";

/** @param {string} prefix @param {string | null} word */
function known(prefix, word) {
  const key = `${prefix}.${word}`;
  return word !== null && has(key) ? t(key) : null;
}

/** @param {import("./store.js").Device} device */
export const deviceName = (device) => visible(device.name ?? device.label ?? known("kind", device.id) ?? device.id);

/** @param {import("./store.js").Channel} channel */
export const channelName = (channel) => visible(channel.label ?? known("channel", channel.name) ?? channel.name);

/** @param {string | null} kind */
export const kindName = (kind) => known("kind", kind) ?? kind;

/** The word of a fixed list, the raw text if the server is newer than this page. @param {string} list @param {string} word */
export const wordFor = (list, word) => known(list, word) ?? word;

/** Channels a reader looks at: the framework's own stand apart. @param {import("./store.js").Device} device */
export const ownChannels = (device) => device.channels.filter((channel) => !channel.name.startsWith("$"));

/** Whether a settable channel is an output (else a control variable). @param {import("./store.js").Device} device
 * @param {import("./store.js").Channel} channel */
export const isOutput = (device, channel) => channel.settable && !channel.name.startsWith("$") && device.role !== "sensor";
