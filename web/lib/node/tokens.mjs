// The @image1 in a prompt: completed while it is typed, and written beside the socket that it names.

const BEGUN = /(?:^|[^A-Za-z0-9_@]|@[Ii]mage[0-9]+)(@[A-Za-z]{0,5}[0-9]{0,2})$/;

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
 * ``ends`` holds the number of the last image of each socket, at least.
 * @returns {{labels: Map<string, string>, ends: Map<string, number>, least: number, isExact: boolean}} */
export function count(sockets) {
  const labels = new Map();
  const ends = new Map();
  let next = 1;
  let isExact = true;
  for (const { name, isLinked, size } of sockets) {
    if (!isLinked) continue;
    const from = `@image${next}${isExact ? "" : "+"}`;
    labels.set(name, size !== null && size > 1 ? `${from}–${next + size - 1}` : from);
    next += size ?? 1;
    ends.set(name, next - 1);
    isExact &&= size !== null;
  }
  return { labels, ends, least: next - 1, isExact };
}
