// The rows of a Grok Batch, read as batch/rows.py reads them, as far as a price depends on it.

/** @typedef {{prompt?: string, connection?: string, model?: string, mode?: string, resolution?: string,
 *             duration?: number, images: number}} Row */

const SPELLINGS = /** @type {Record<string, string>} */ ({
  duration_seconds: "duration",
  seconds: "duration",
  image: "images",
  image_urls: "images",
  reference_images: "images",
});

/** @param {string} text @returns {Row[]} what cannot be read is left out: the run says what is wrong with it */
export function rowsOf(text) {
  const start = text.trimStart();
  const head = start.split("\n", 1)[0].toLowerCase().split(",").map((one) => one.trim());
  return head.includes("prompt") && text.trim().includes("\n") ? fromCsv(start) : start.split("\n").flatMap(fromLine);
}

/** @param {string} line @returns {Row[]} */
function fromLine(line) {
  if (!line.trim()) return [];
  if (!line.trimStart().startsWith("{")) return [{ prompt: line.trim(), images: 0 }];
  try {
    return [fromFields(JSON.parse(line))];
  } catch {
    return [];
  }
}

/** @param {string} text @returns {Row[]} */
function fromCsv(text) {
  const [head, ...lines] = cells(text).filter((line) => line.some((cell) => cell.trim()));
  const names = head.map((name) => name.trim().toLowerCase());
  return lines.map((line) => fromFields(Object.fromEntries(names.map((name, index) => [name, line[index] ?? ""]))));
}

/** @param {Record<string, any>} fields @returns {Row} */
function fromFields(fields) {
  /** @type {Record<string, any>} */
  const row = {};
  for (const [name, value] of Object.entries(fields)) {
    const plain = typeof value === "string" && name !== "prompt" ? value.trim() : value;
    if (plain !== null && plain !== "") row[SPELLINGS[name] ?? name] = plain;
  }
  const images = typeof row.images === "string" ? row.images.split("|").filter((one) => one.trim()) : (row.images ?? []);
  if (row.duration !== undefined) row.duration = Number(row.duration);
  return { ...row, images: images.length };
}

/** The cells of a CSV: commas between, lines of cells, quotes around what holds either, doubled within.
 * @param {string} text */
function cells(text) {
  const lines = [[""]];
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    const line = lines[lines.length - 1];
    const last = line.length - 1;
    if (isQuoted && letter === '"' && text[at + 1] === '"') line[last] += text[(at += 1)];
    else if (letter === '"' && (isQuoted || !line[last].trim())) {
      isQuoted = !isQuoted;
      line[last] = line[last].trimStart();
    } else if (isQuoted) line[last] += letter;
    else if (letter === ",") line.push("");
    else if (letter === "\n") lines.push([""]);
    else if (letter !== "\r") line[last] += letter;
  }
  return lines;
}
