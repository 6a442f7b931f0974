// What a refusal of the lab says in the page's language. The lab says it in English, and names it by `type` and `values`.

import { extend, has, language, t } from "./i18n.js";

const NAMED = "urn:mqtt-lab:problem:";
const OF_THE_LAB = "en";

/** The words of a problem (RFC 9457), of which there may be none.
 * @param {{type?: string, title?: string, detail?: string, values?: any} | null} problem @returns {Promise<string | undefined>} */
export async function inWords(problem) {
  const said = problem?.detail ?? problem?.title;
  if (!problem?.type?.startsWith(NAMED) || language() === OF_THE_LAB) return said;
  const key = `problem.${problem.type.slice(NAMED.length)}`;
  // Without the words, those of the lab are better than none.
  if (!has(key)) await extend("problems").catch(() => {});
  if (!has(key)) return said;
  const { expected, ...values } = problem.values ?? {};
  return t(key, expected ? { ...values, expected: t(`problem.expected.${expected}`, values) } : values);
}
