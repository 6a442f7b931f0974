// Views by `location.hash`: `#/`, `#/device/{group}/{id}`, `#/variables`, `#/clients`, `#/status`, `#/topics` and `#/topics/{topic}`.

/** @param {{group: string, id: string}} device */
export const deviceHref = ({ group, id }) => `#/device/${encodeURIComponent(group)}/${encodeURIComponent(id)}`;

/** @param {string} topic */
export const topicHref = (topic) => `#/topics/${encodeURIComponent(topic)}`;

/** @returns {{view: "dashboard"} | {view: "variables"} | {view: "clients"} | {view: "status"} | {view: "device", group: string, id: string} | {view: "topics", topic: string | null}} */
export function route() {
  const device = /^#\/device\/([^/]+)\/([^/]+)$/.exec(location.hash);
  const topics = /^#\/topics(?:\/([^/]*))?$/.exec(location.hash);
  try {
    if (topics) return { view: "topics", topic: topics[1] ? decodeURIComponent(topics[1]) : null };
    if (location.hash === "#/variables") return { view: "variables" };
    if (location.hash === "#/clients") return { view: "clients" };
    if (location.hash === "#/status") return { view: "status" };
    if (!device) return { view: "dashboard" };
    return { view: "device", group: decodeURIComponent(device[1]), id: decodeURIComponent(device[2]) };
  } catch {
    return { view: "dashboard" };
  }
}
