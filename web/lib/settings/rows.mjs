// What the rows of connections and of stores do alike: show a state, be tested, be removed. `kind` is connection or store.
import { post } from "../shared/api.mjs";
import { confirm, notice } from "../shared/dialogs.mjs";
import { button, h, icon } from "../shared/dom.mjs";
import { attempt, errorText } from "../shared/feedback.mjs";
import { t } from "../shared/i18n.mjs";

/** What the tests of this page have found, by kind, name and secret: a changed key is an untested one.
 * @type {Map<string, any>} */
const results = new Map();

/** @param {string} kind @param {any} one */
const keyOf = (kind, one) => JSON.stringify([kind, one.name, one.base_url ?? one.endpoint, one.key ?? one.secrets]);

/** Have the server test it, and show what it finds. @param {any} settings @param {string} kind @param {any} one */
export async function test(settings, kind, one) {
  const key = keyOf(kind, one);
  results.set(key, "running");
  settings.draw();
  results.set(key, await post(`/settings/${kind}/test`, { name: one.name }).catch((error) => error));
  if (settings.editing === null) settings.draw();
}

/** Remove it, once the user has said yes. @param {any} settings @param {string} kind @param {string} name */
export async function remove(settings, kind, name) {
  const question = { title: t(`${kind}.removeTitle`, { name }), text: t(`${kind}.removeText`) };
  if (!(await confirm({ ...question, yes: t("settings.remove"), isDangerous: true }))) return;
  await attempt(async () => settings.take(await post(`/settings/${kind}/remove`, { name })));
}

/** A row, or the form in its place while it is edited.
 * @param {any} settings @param {string} kind @param {any} one
 * @param {{about: string, detail?: string, canTest: boolean, editLabel: string, form: (one: any) => any}} parts */
export function row(settings, kind, one, { about, detail, canTest, editLabel, form }) {
  const named = (/** @type {string} */ text) => ({ "aria-label": `${text}: ${one.name}` });
  const result = results.get(keyOf(kind, one));
  const state = stateOf(result, canTest);
  const edit = button(editLabel, () => settings.edit(one.name), named(editLabel));
  const tryIt = canTest && button(t("settings.test"), () => test(settings, kind, one), named(t("settings.test")));
  const fault = result && result !== "running" && !result.is_good ? faultOf(result) : null;
  return h(
    "li",
    { class: "giv-card", [`data-${kind}`]: one.name },
    settings.editing === one.name
      ? form(one)
      : h(
          "div",
          { class: "giv-card-row" },
          h("div", { class: "giv-card-name" }, h("strong", {}, one.name), h("span", { class: "giv-quiet-text" }, about)),
          h("span", { class: "giv-tag", "data-state": state, role: "status" }, SYMBOLS[state] && icon(SYMBOLS[state]), t(`check.${state}`)),
          tryIt,
          edit,
        ),
    detail ? h("small", {}, detail) : null,
    h("div", { "aria-live": "polite" }, fault && notice("error", fault)),
  );
}

/** @type {Record<string, string>} */
const SYMBOLS = { works: "check-circle", refused: "times-circle", failed: "exclamation-circle" };

/** @param {any} result @param {boolean} canTest */
function stateOf(result, canTest) {
  if (!canTest) return "nothing";
  if (!result) return "untested";
  if (result === "running") return "running";
  if (result.is_good) return "works";
  return result.steps?.some((/** @type {any} */ step) => step.step === "key" && step.fault) ? "refused" : "failed";
}

/** @param {any} result */
function faultOf(result) {
  if (result instanceof Error) return errorText(result);
  return result.steps.find((/** @type {any} */ step) => step.fault).fault;
}
