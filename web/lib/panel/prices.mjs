// What the same clip would cost at every connection: asked for when it is opened, as settings change.
import { get } from "../shared/api.mjs";
import { notice } from "../shared/dialogs.mjs";
import { h } from "../shared/dom.mjs";
import { dollars } from "./format.mjs";
import { t } from "../shared/i18n.mjs";
import { errorText } from "../shared/feedback.mjs";

/** A part of a job's page, closed at first. @param {any} job */
export function prices(job) {
  const place = h("div", { "aria-live": "polite" });
  const element = h("details", { class: "giv-prices" }, h("summary", {}, t("prices.title")), place);
  element.addEventListener("toggle", () => element.open && fill(place, job));
  return element;
}

/** @param {any} place @param {any} job */
async function fill(place, job) {
  try {
    const found = (await get(`/jobs/${job.id}/prices`)).prices.filter((/** @type {any} */ one) => !one.fault);
    if (!found.length) return place.replaceChildren(h("p", {}, t("prices.none")));
    const heads = ["connection", "price", "note"].map((name) => h("th", { scope: "col" }, t(`prices.${name}`)));
    const rows = found.map((/** @type {any} */ one) => row(one, job));
    place.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)));
  } catch (error) {
    place.replaceChildren(notice("error", errorText(error)));
  }
}

/** @param {any} one a quote of jobs/failover.py @param {any} job */
function row(one, job) {
  const notes = [
    one.connection === job.connection ? t("prices.this") : "",
    one.note,
    one.is_assumed ? t("prices.assumed") : "",
    one.has_key ? "" : t("prices.noKey"),
  ];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, one.connection),
    h("td", {}, priceOf(one)),
    h("td", {}, notes.filter(Boolean).join(" · ")),
  );
}

/** @param {any} one */
function priceOf(one) {
  if (one.usd === null) return t("cost.unknown");
  const usd = dollars(Number(one.usd));
  return one.credits === null ? usd : `${usd} · ${t("cost.credits", { credits: Number(one.credits) })}`;
}
