// The @image1 in a prompt: found as the engine finds it (providers/image_tokens.py), completed while it is typed.

// Letters of other scripts may follow directly, as Chinese has no spaces.
const RUN = /(?<![A-Za-z0-9_@])(?:@[Ii]mage[0-9]+)+(?![A-Za-z0-9_])/g;
const ONE = /@[Ii]mage([0-9]+)/g;
const BEGUN = /(?:^|[^A-Za-z0-9_@]|@[Ii]mage[0-9]+)(@[A-Za-z]{0,5}[0-9]{0,2})$/;

/** Every token of the prompt, once: as it is written, and its number.
 * @param {string} prompt @returns {{token: string, number: number}[]} */
export function find(prompt) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const [run] of prompt.matchAll(RUN)) {
    for (const [token, digits] of run.matchAll(ONE)) found.set(token, Number(digits));
  }
  return [...found].map(([token, number]) => ({ token, number }));
}

/** The token that is being typed just before ``caret``: where it begins, and which of ``count`` images it may become.
 * @param {string} text @param {number} caret @param {number} count
 * @returns {{start: number, offers: number[]} | null} */
export function begun(text, caret, count) {
  const match = BEGUN.exec(text.slice(Math.max(0, caret - 24), caret));
  // In the middle of a word there is nothing to complete.
  if (!match || /^[A-Za-z0-9_]/.test(text.slice(caret))) return null;
  const typed = match[1].toLowerCase();
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const offers = numbers.filter((number) => `@image${number}`.startsWith(typed) && `@image${number}` !== typed);
  return offers.length ? { start: caret - match[1].length, offers } : null;
}

/** Which token names the first image of each socket: they count in order, and a socket without a link is skipped.
 * After a socket whose batch may hold more than one, numbers are only known to be at least so much.
 * @param {{name: string, isLinked: boolean, size: number | null}[]} sockets ``size`` null: a batch of unknown size
 * @param {number} urls how many images come by URL, after the sockets
 * @returns {{labels: Map<string, string>, least: number, isExact: boolean}} */
export function count(sockets, urls) {
  const labels = new Map();
  let next = 1;
  let isExact = true;
  for (const { name, isLinked, size } of sockets) {
    if (!isLinked) continue;
    const from = `@image${next}${isExact ? "" : "+"}`;
    labels.set(name, size !== null && size > 1 ? `${from}–${next + size - 1}` : from);
    next += size ?? 1;
    isExact &&= size !== null;
  }
  return { labels, least: next - 1 + urls, isExact };
}
