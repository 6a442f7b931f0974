// The tree of topics: only open levels are in the page; arrow keys move, open and close.

import { arrange, el, setText } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { state } from "./store.js";
import { isOwn } from "./topic-explain.js";

/** @typedef {import("./topic-names.js").Node} Node */

/** @param {import("./topic-names.js").TopicNames} names @param {(topic: string) => void} onChoose */
export function topicTree(names, onChoose) {
  const list = el("div", { class: "tree", role: "tree", "aria-label": t("topics.tree") });
  const more = el("p", { class: "quiet", hidden: true });
  /** @type {Map<Node, ReturnType<typeof item>>} */
  let items = new Map();
  /** @type {Node[]} */
  let nodes = [];
  /** @type {Node | null} where the keyboard is */
  let active = null;
  /** @type {string | null} */
  let chosen = null;
  /** @type {string | null} a topic to be shown once it is known */
  let wanted = null;
  let matching = 0;

  /** Brings the shown nodes in line with what is open. */
  function build() {
    const shown = names.shown();
    ({ nodes, matching } = shown);
    const old = items;
    items = new Map(nodes.map((node) => [node, old.get(node) ?? item(node)]));
    if (!active || !items.has(active)) active = nodes[0] ?? null;
    arrange(list, nodes.map((node) => /** @type {any} */ (items.get(node)).element));
    more.hidden = shown.more === 0;
    setText(more, shown.more ? t("topics.more", { count: count(shown.more) }) : "");
    nodes.forEach(paint);
  }

  /** @param {Node} node */
  function paint(node) {
    items.get(node)?.update(node, names.isOpen(node), node.row !== null && node.path === chosen, node === active);
  }

  /** @param {Node} node @param {boolean} open */
  function toggle(node, open) {
    if (open) names.opened.add(node); else names.opened.delete(node);
    build();
  }

  /** Moves the keyboard there, and shows the topic's message. @param {Node | undefined | null} node */
  function move(node) {
    if (!node || !items.has(node)) return;
    const before = active;
    active = node;
    if (before) paint(before);
    choose(node);
    items.get(node)?.element.focus();
  }

  /** @param {Node} node */
  function choose(node) {
    const before = chosen;
    if (node.row) {
      chosen = node.path;
      onChoose(chosen);
    }
    for (const shown of nodes) if (shown === node || shown.path === before) paint(shown);
  }

  const nodeAt = (/** @type {Event} */ event) => {
    const element = /** @type {Element} */ (event.target).closest("[role=treeitem]");
    return nodes.find((node) => items.get(node)?.element === element);
  };
  list.addEventListener("click", (/** @type {Event} */ event) => {
    const node = nodeAt(event);
    if (!node) return;
    const onToggle = /** @type {Element} */ (event.target).closest(".twisty");
    if (node.children.size && (onToggle || !node.row)) toggle(node, !names.isOpen(node));
    move(node);
  });
  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (!active || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!key(event.key, active)) return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** @param {string} name @param {Node} at @returns {boolean} whether the key means something here */
  function key(name, at) {
    const place = nodes.indexOf(at);
    const isOpen = at.children.size > 0 && names.isOpen(at);
    switch (name) {
      case "ArrowDown": move(nodes[place + 1]); break;
      case "ArrowUp": move(nodes[place - 1]); break;
      case "Home": move(nodes[0]); break;
      case "End": move(nodes.at(-1)); break;
      case "ArrowRight": if (isOpen) move(nodes[place + 1]); else if (at.children.size) toggle(at, true); break;
      case "ArrowLeft": if (isOpen && names.opened.has(at)) toggle(at, false); else move(at.parent); break;
      case "Enter": case " ": if (at.row) choose(at); else toggle(at, !isOpen); break;
      default: return false;
    }
    return true;
  }

  return {
    element: el("div", { class: "tree-scroll" }, list, more),
    matching: () => matching,
    focus: () => move(active),
    /** Shows a topic as soon as it is known. @param {string} topic */
    reveal(topic) { wanted = topic; },
    /** @param {string} text */
    filter(text) { names.filter(text); build(); },
    /** @param {import("./topic-names.js").Row[]} rows */
    take(rows) {
      const isNew = names.take(rows);
      const found = wanted === null ? undefined : names.topics.get(wanted);
      if (found) {
        names.reveal(found.path);
        [chosen, active, wanted] = [found.path, found, null];
      }
      if (isNew || found) build();
      else for (const row of rows) paint(/** @type {Node} */ (names.topics.get(row.topic)));
      if (found) this.showChosen();
    },
    /** Scrolls to the chosen topic. */
    showChosen() {
      const node = chosen === null ? undefined : names.topics.get(chosen);
      if (node) items.get(node)?.element.scrollIntoView({ block: "nearest" });
    },
  };
}

/** A row of the tree. @param {Node} node */
function item(node) {
  const name = el("span", { class: "topic-name", title: node.path }, node.name || t("topics.empty-level"));
  const preview = el("span", { class: "topic-preview" });
  const retained = el("span", { class: "badge", data: { badge: "retained" }, hidden: true });
  const qos = el("span", { class: "badge", data: { badge: "qos" }, hidden: true });
  const below = el("span", { class: "topic-below" });
  const element = el("div", { role: "treeitem", tabindex: "-1", "aria-level": node.level, data: { topic: node.path } },
    el("span", { class: "twisty", "aria-hidden": "true" }), name, preview, below, retained, qos);
  const own = isOwn(node.path, state.lab?.root ?? "lab");
  element.style.setProperty("--level", String(node.level - 1));
  return {
    element,
    /** @param {Node} node @param {boolean} open @param {boolean} chosen @param {boolean} active */
    update({ row, children, topics }, open, chosen, active) {
      if (children.size) set(element, "aria-expanded", String(open));
      set(element, "aria-selected", String(chosen));
      set(element, "tabindex", active ? "0" : "-1");
      const others = topics - (row ? 1 : 0);
      setText(below, own ? t("topics.own") : others && !open ? t(others === 1 ? "topics.below.1" : "topics.below", { count: count(others) }) : "");
      if (!row) return;
      setText(preview, row.bytes ? row.preview ?? t("topics.binary") : t("topics.nothing"));
      set(preview, "title", preview.textContent ?? "");
      retained.hidden = row.retained !== true && !row.keeps_older;
      setText(retained, t(row.keeps_older ? "topics.kept" : "topics.retained"));
      qos.hidden = false;
      setText(qos, t("topics.qos", { qos: row.qos ?? "?" }));
    },
  };
}

/** @param {Element} element @param {string} name @param {string} value */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
