// Money and waiting: the budget, how long a node waits, what an interrupt means, how much is kept.
import { post } from "../shared/api.mjs";
import { notice } from "../shared/dialogs.mjs";
import { h } from "../shared/dom.mjs";
import { field, form, input, select } from "./forms.mjs";
import { t } from "../shared/i18n.mjs";

const LIMITS = ["per_run", "per_day", "per_month"];

/** The part's elements. @param {any} settings the dialog's Settings */
export function optionsPart(settings) {
  const { options, from_environment: fixed } = settings.view;
  const has = (/** @type {string} */ name) => name in options;
  const number = (/** @type {string} */ name, /** @type {any} */ value, /** @type {Record<string, any>} */ more = {}) =>
    input(name, value, { type: "number", min: "0", step: "any", inputmode: "decimal", ...more });
  const off = (/** @type {string} */ name) => ({ disabled: fixed.includes(name) });
  const said = h("div", { role: "status" });
  const element = form({
    title: t("settings.options"),
    isOnly: true,
    fields: [
      has("budget") &&
        h(
          "fieldset",
          { class: "giv-fieldset" },
          h("legend", {}, t("options.budget")),
          h("small", {}, t("options.budgetHint")),
          h(
            "div",
            { class: "giv-three" },
            ...LIMITS.map((name) =>
              field(t(`options.${name}`), number(name, options.budget?.[name], { ...off("budget"), placeholder: "∞" })),
            ),
          ),
        ),
      field(
        t("options.deadline"),
        number("deadline", options.deadline_seconds / 60, { min: "0.1", required: true, ...off("deadline_seconds") }),
        t("options.deadlineHint"),
      ),
      has("on_interrupt") &&
        field(
          t("options.interrupt"),
          select(
            "on_interrupt",
            options.on_interrupt,
            [
              ["keep", t("options.keep")],
              ["drop", t("options.drop")],
            ],
            off("on_interrupt"),
          ),
          t("options.interruptHint"),
        ),
      has("results_max_gb") &&
        h(
          "div",
          { class: "giv-three" },
          field(t("options.gb"), number("results_max_gb", options.results_max_gb, { min: "0.1", ...off("results_max_gb") })),
          field(
            t("options.days"),
            number("results_max_days", options.results_max_days, { min: "1", ...off("results_max_days") }),
          ),
        ),
      fixed.length ? notice("info", t("options.fixed", { names: fixed.join(", ") })) : null,
      said,
    ],
    save: async (values) => {
      /** @type {Record<string, any>} */
      const body = {};
      const ofForm = (/** @type {string} */ name) => !fixed.includes(name) && has(name);
      if (ofForm("deadline_seconds")) body.deadline_seconds = Number(values.deadline) * 60;
      if (ofForm("budget")) {
        const limits = LIMITS.filter((name) => values[name]).map((name) => [name, values[name]]);
        body.budget = limits.length ? Object.fromEntries(limits) : null;
      }
      if (ofForm("on_interrupt")) body.on_interrupt = values.on_interrupt;
      for (const name of ["results_max_gb", "results_max_days"]) if (ofForm(name)) body[name] = Number(values[name]) || null;
      settings.view = await post("/settings/options", body);
      said.replaceChildren(notice("good", t("settings.saved")));
    },
  });
  return [element];
}
