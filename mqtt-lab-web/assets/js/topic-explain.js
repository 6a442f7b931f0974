// What a topic of this lab is for, in words: the framework's own begin with $, end in /set or /result, or are the lab's.

import { has, t } from "./i18n.js";

/** The group under which the lab itself speaks. */
const OWN_GROUP = "mqtt-lab";

/** The levels below the root, null when the topic is not this lab's. @param {string} topic @param {string} root */
const below = (topic, root) => (topic.startsWith(`${root}/`) ? topic.slice(root.length + 1).split("/") : null);

/** @param {string} topic @param {string} root @returns {string} empty when nothing is known */
export function explain(topic, root) {
  const [group, , channel, part, ...more] = below(topic, root) ?? [];
  if (channel === undefined || more.length) return "";
  if (group === OWN_GROUP) return t("topics.explain.own");
  if (part === "set" || part === "result") return t(`topics.explain.${part}`);
  if (part !== undefined) return "";
  if (!channel.startsWith("$")) return t("topics.explain.sample");
  const key = `topics.explain.${channel}`;
  return has(key) ? t(key) : t("topics.explain.variable");
}

/** Whether a level of the tree holds what the lab says to itself. @param {string} path @param {string} root */
export const isOwn = (path, root) => path === `${root}/${OWN_GROUP}`;
