// Topics as a tree of levels, and which of its nodes are seen.

/**
 * @typedef {{topic: string, preview: string | null, bytes: number, qos: number | null, retained: boolean | null,
 *   keeps_older: boolean, time_ms: number, count: number}} Row
 * @typedef {{name: string, path: string, level: number, parent: Node | null, children: Map<string, Node>,
 *   sorted: Node[] | null, row: Row | null, topics: number}} Node `topics`: how many are at or below it
 */

/** Groups with at most so many devices together are open at first. */
const FEW = 60;
/** sensor-2 stands before sensor-10. */
const ORDER = new Intl.Collator("en", { numeric: true });
/** Most nodes shown at once. */
export const MOST_SHOWN = 1_000;

/** @param {string} name @param {Node | null} parent @returns {Node} */
function node(name, parent) {
  const path = parent && parent.level > 0 ? `${parent.path}/${name}` : name;
  return { name, path, level: parent ? parent.level + 1 : 0, parent, children: new Map(), sorted: null, row: null, topics: 0 };
}

/** Every topic heard, by level. */
export class TopicNames {
  root = node("", null);
  /** @type {Map<string, Node>} nodes that are topics */
  topics = new Map();
  /** @type {Set<Node>} */
  opened = new Set();
  #begun = false;
  /** @type {string[]} */
  #words = [];

  get size() { return this.topics.size; }

  /** @param {string} topic */
  row(topic) { return this.topics.get(topic)?.row ?? null; }

  /** Takes new rows. @param {Row[]} rows @returns {boolean} whether there are new topics */
  take(rows) {
    const before = this.size;
    for (const row of rows) (this.topics.get(row.topic) ?? this.#add(row.topic)).row = row;
    if (!this.#begun && this.size) this.#begin();
    return this.size !== before;
  }

  /** @param {string} topic */
  #add(topic) {
    let at = this.root;
    at.topics += 1;
    for (const name of topic.split("/")) {
      let next = at.children.get(name);
      if (!next) {
        next = node(name, at);
        at.children.set(name, next);
        at.sorted = null;
      }
      next.topics += 1;
      at = next;
    }
    this.topics.set(topic, at);
    return at;
  }

  /** Opens what is seen at first: the way down to the first choice, and what is behind it if that is little. */
  #begin() {
    this.#begun = true;
    let at = this.root;
    while (at.children.size === 1 && at.level < 8) [at] = at.children.values(), this.opened.add(at);
    const groups = [...at.children.values()];
    const rows = groups.reduce((sum, group) => sum + group.children.size, 0);
    if (rows <= FEW) for (const group of groups) this.opened.add(group);
  }

  /** Opens the levels above a topic. @param {string} topic */
  reveal(topic) {
    for (let at = this.topics.get(topic)?.parent; at; at = at.parent) this.opened.add(at);
  }

  /** Only topics with all these words are seen. @param {string} text */
  filter(text) { this.#words = text.toLowerCase().split(/\s+/).filter(Boolean); }

  /** @param {Node} node */
  isOpen(node) { return this.#words.length > 0 || this.opened.has(node); }

  /** The nodes to show, in order; `matching`: how many topics pass the filter. */
  shown() {
    const matching = this.#words.length ? this.#matching() : null;
    /** @type {Node[]} */
    const nodes = [];
    let all = 0;
    const visit = (/** @type {Node} */ parent) => {
      for (const child of sorted(parent)) {
        if (matching && !matching.seen.has(child)) continue;
        all += 1;
        if (nodes.length < MOST_SHOWN) nodes.push(child);
        if (child.children.size && this.isOpen(child)) visit(child);
      }
    };
    visit(this.root);
    return { nodes, more: all - nodes.length, matching: matching?.count ?? this.size };
  }

  /** Nodes that match or lead to one. */
  #matching() {
    /** @type {Set<Node>} */
    const seen = new Set();
    let count = 0;
    for (const [topic, found] of this.topics) {
      const text = topic.toLowerCase();
      if (!this.#words.every((word) => text.includes(word))) continue;
      count += 1;
      for (let at = /** @type {Node | null} */ (found); at && !seen.has(at); at = at.parent) seen.add(at);
    }
    return { seen, count };
  }
}

/** @param {Node} parent */
function sorted(parent) {
  parent.sorted ??= [...parent.children.values()].sort((a, b) => ORDER.compare(a.name, b.name));
  return parent.sorted;
}
