// Views by `location.hash`: `#/` and `#/device/{group}/{id}`.

/** @param {{group: string, id: string}} device */
export const deviceHref = ({ group, id }) => `#/device/${encodeURIComponent(group)}/${encodeURIComponent(id)}`;

/** @returns {{view: "dashboard"} | {view: "device", group: string, id: string}} */
export function route() {
  const match = /^#\/device\/([^/]+)\/([^/]+)$/.exec(location.hash);
  if (!match) return { view: "dashboard" };
  try {
    return { view: "device", group: decodeURIComponent(match[1]), id: decodeURIComponent(match[2]) };
  } catch {
    return { view: "dashboard" };
  }
}
