// JSON with line breaks, and otherwise as it was sent: 1.0 stays 1.0, and a long number keeps its digits.

const INDENT = "  ";

/** An object or a list with line breaks; null when `text` is none. @param {string} text @returns {string | null} */
export function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let depth = 0;
  const line = () => `\n${INDENT.repeat(Math.min(depth, 50))}`;
  // A string, an empty bracket pair, a sign, or the rest: numbers and words.
  const tokens = text.match(/"(?:\\.|[^"\\])*"|\{\s*\}|\[\s*\]|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  return tokens.map((token) => {
    switch (token) {
      case "{": case "[": depth += 1; return token + line();
      case "}": case "]": depth -= 1; return line() + token;
      case ",": return token + line();
      case ":": return ": ";
      default: return token;
    }
  }).join("");
}
