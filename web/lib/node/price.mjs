// The price of one clip, by the provider's own published rules. Exact: amounts are whole numbers of 10^-10.

const DIGITS = 10;
const ONE = 10n ** BigInt(DIGITS);

/**
 * @typedef {{usd_per_credit: string, per_second: Record<string, string>, per_clip: string, whole_credits: boolean}} Price
 * @typedef {{credits: bigint | null, usd: bigint}} Cost amounts in units of 10^-10
 */

/** "2.4" as a whole number of 10^-10. Binary fractions would round 24.000000000000004 credits up to 25.
 * @param {string | number} text @returns {bigint} */
export function exact(text) {
  // toFixed: JSON may spell a small number as 5e-7, which no digit string is.
  const plain = typeof text === "number" ? text.toFixed(DIGITS) : text;
  const [, sign, whole, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(plain) ?? fail(plain);
  const units = BigInt(whole) * ONE + BigInt((fraction ?? "").slice(0, DIGITS).padEnd(DIGITS, "0"));
  return sign ? -units : units;
}

/** @param {string} text @returns {never} */
function fail(text) {
  throw new RangeError(`no amount: ${text}`);
}

/** What one clip will cost; null where the provider publishes no number for it.
 * @param {{price: Price | null, default_resolution: string | null,
 *          duration: {default: number | null} | null}} capability
 * @param {string | null} resolution null for the provider's default
 * @param {number | null} seconds null for the provider's default
 * @returns {Cost | null} */
export function estimate(capability, resolution, seconds) {
  const price = capability.price;
  if (!price) return null;
  let credits = exact(price.per_clip);
  if (Object.keys(price.per_second).length) {
    const rate = price.per_second[resolution ?? capability.default_resolution ?? ""];
    const length = seconds ?? capability.duration?.default ?? null;
    if (rate === undefined || length === null) return null;
    credits += exact(rate) * BigInt(length);
  }
  if (price.whole_credits) credits = ((credits + ONE - 1n) / ONE) * ONE;
  return { credits, usd: (credits * exact(price.usd_per_credit)) / ONE };
}

/** The same for several clips. @param {Cost} cost @param {number} count @returns {Cost} */
export function times(cost, count) {
  const many = BigInt(count);
  return { credits: cost.credits === null ? null : cost.credits * many, usd: cost.usd * many };
}

/** "$0.054": to a tenth of a cent, without idle zeros, and never $0 for what costs something.
 * @param {bigint} usd */
export function dollars(usd) {
  let digits = 3;
  while (digits < DIGITS && usd > 0n && usd < 10n ** BigInt(DIGITS - digits) / 2n) digits += 1;
  return `$${decimal(usd, digits)}`;
}

/** A whole number of 10^-10 with at most so many decimals, half to even as Python's Decimal rounds.
 * @param {bigint} amount @param {number} digits */
export function decimal(amount, digits = 2) {
  const step = 10n ** BigInt(DIGITS - digits);
  let units = amount / step;
  const rest = amount % step;
  if (rest * 2n > step || (rest * 2n === step && units % 2n === 1n)) units += 1n;
  const text = units.toString().padStart(digits + 1, "0");
  const fraction = digits ? text.slice(-digits).replace(/0+$/, "") : "";
  return (digits ? text.slice(0, -digits) : text) + (fraction && `.${fraction}`);
}
