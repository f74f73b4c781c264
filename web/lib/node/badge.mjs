// What the badge of a node says: what a run would cost, or, until its values change, what the last one did.
import { t } from "../shared/i18n.mjs";
import { credits, dollars } from "./text.mjs";

/** @typedef {{usd: string | number, credits: string | number | null, is_estimate: boolean}} Cost */

/** The price, in a few words. @param {import("./quotes.mjs").Price | null} price null: not known */
export function priceWords(price) {
  if (!price) return t("node.badge.unknown");
  const count = price.clips === null ? "" : t("node.clips", { count: price.clips });
  if (price.clips === 0) return count;
  return [count, amountWords(price)].filter(Boolean).join(" · ");
}

/** @param {import("./quotes.mjs").Price} price */
function amountWords(price) {
  if (price.usd === null) return price.is_free ? t("node.badge.free") : t("node.badge.see");
  if (price.is_free) return freeWords(price.usd, price.provider);
  return words("estimate", price.credits, price.usd);
}

/** What clips have cost.
 * @param {Cost[]} costs @param {boolean} isFree
 * @param {string | null} provider the label of the provider that the sandbox simulates */
export function paidWords(costs, isFree, provider) {
  const usd = costs.reduce((sum, one) => sum + Number(one.usd), 0);
  const hasCredits = costs.every((one) => one.credits !== null);
  const sum = hasCredits ? costs.reduce((total, one) => total + Number(one.credits), 0) : null;
  const kind = costs.some((one) => one.is_estimate) ? "estimate" : "billed";
  const price = isFree ? freeWords(usd, provider) : words(kind, sum, usd);
  return costs.length > 1 ? `${t("node.clips", { count: costs.length })} · ${price}` : price;
}

/** @param {string | number} usd what a paid provider would charge @param {string | null} provider its label */
const freeWords = (usd, provider) =>
  provider ? t("node.badge.sandbox", { usd: dollars(usd), provider }) : t("node.badge.sandboxMany", { usd: dollars(usd) });

/** @param {"estimate" | "billed"} kind @param {string | number | null} amount in credits @param {string | number} usd */
function words(kind, amount, usd) {
  const values = { credits: credits(amount ?? 0), usd: dollars(usd) };
  return t(amount === null ? `node.badge.${kind}Usd` : `node.badge.${kind}`, values);
}
