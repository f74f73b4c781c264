// Stores: where connected images and videos are uploaded, so that providers can fetch them.
import { post } from "../shared/api.mjs";
import { button, h } from "../shared/dom.mjs";
import { field, form, input, secret, select } from "./forms.mjs";
import { t } from "../shared/i18n.mjs";
import { attempt } from "../shared/feedback.mjs";
import { remove, row, test } from "./rows.mjs";

/** Which fields each kind of store has; secrets last. */
const KINDS = {
  s3: ["bucket", "endpoint", "region", "public_base_url", "prefix", "access_key_id", "secret_access_key"],
  gcs: ["bucket", "public_base_url", "prefix", "service_account_key"],
  azure: ["bucket", "endpoint", "account_name", "public_base_url", "prefix", "account_key"],
  comfyui: ["public_base_url"],
};
/** Which more it has, seldom needed. */
const MORE = {
  s3: ["url_hours", "delete_after", "virtual_hosted_style", "session_token"],
  gcs: ["url_hours", "delete_after"],
  azure: ["url_hours", "delete_after"],
  comfyui: ["url_hours"],
};
const SECRETS = ["access_key_id", "secret_access_key", "session_token", "service_account_key", "account_key"];
const CHOICES = ["delete_after", "virtual_hosted_style"];
const URLS = ["endpoint", "public_base_url"];

/** The part's elements. @param {any} settings the dialog's Settings */
export function storesPart(settings) {
  const { stores } = settings.view;
  const add = button(t("store.add"), () => settings.edit(""), { symbol: "plus" });
  return [
    h("p", { class: "giv-hint" }, t("store.hint")),
    stores.length ? null : h("p", {}, t("store.none")),
    h("ul", { class: "giv-cards" }, ...stores.map((/** @type {any} */ one) => store(settings, one))),
    settings.editing === "" ? edit(settings, null) : h("div", { class: "giv-actions" }, add),
    stores.length > 1 ? choice(settings) : null,
  ].filter(Boolean);
}

/** Which of several stores is used. @param {any} settings */
function choice(settings) {
  const { stores, options } = settings.view;
  const names = [["", t("store.unchosen")], ...stores.map((/** @type {any} */ { name }) => [name, name])];
  const chosen = select("store", options.store, /** @type {any} */ (names));
  chosen.addEventListener("change", () =>
    attempt(async () => settings.take(await post("/settings/options", { store: chosen.value }))),
  );
  return field(t("store.used"), chosen);
}

/** @param {any} settings @param {any} one */
const store = (settings, one) =>
  row(settings, "store", one, {
    about: t(`store.kind.${one.kind}`),
    detail: one.bucket ?? one.public_base_url ?? "",
    canTest: true,
    editLabel: t("settings.edit"),
    form: () => edit(settings, one),
  });

/** @param {any} settings @param {any} one null for a new store */
function edit(settings, one) {
  const kinds = Object.keys(KINDS).map((name) => [name, t(`store.kind.${name}`)]);
  const kind = select("kind", one?.kind ?? "s3", /** @type {any} */ (kinds), { disabled: Boolean(one) });
  const rest = h("div", { class: "giv-fields" });
  const suit = () => {
    const chosen = /** @type {keyof typeof KINDS} */ (kind.value);
    const [names, more] = [KINDS, MORE].map((all) => all[chosen].map((name) => storeField(name, one, chosen)));
    rest.replaceChildren(...names, h("details", {}, h("summary", {}, t("settings.more")), ...more));
  };
  suit();
  kind.addEventListener("change", suit);
  const name = input("name", one?.name, { required: true, pattern: "[a-z0-9][a-z0-9_.\\-]{0,39}", maxlength: 40 });
  return form({
    title: one ? t("store.edit", { name: one.name }) : t("store.add"),
    fields: [one ? null : field(t("field.name"), name, t("field.nameHint")), field(t("store.kind"), kind), rest],
    save: async (values) => {
      /** @type {Record<string, any>} */
      const body = { ...values, name: one?.name ?? values.name };
      for (const secretName of SECRETS) if (!body[secretName]) delete body[secretName];
      for (const choiceName of CHOICES) if (choiceName in body) body[choiceName] = body[choiceName] === "yes";
      if (body.url_hours) body.url_hours = Number(body.url_hours);
      settings.take(await post("/settings/store", body));
      void test(settings, "store", settings.view.stores.find((/** @type {any} */ each) => each.name === body.name));
    },
    cancel: () => settings.edit(null),
    remove: one?.is_stored && (() => remove(settings, "store", one.name)),
  });
}

/** @param {string} name @param {any} one @param {string} kind */
function storeField(name, one, kind) {
  if (SECRETS.includes(name)) return field(t(`store.${name}`), secret(name, one?.secrets[name], name.endsWith("account_key") && kind === "gcs"));
  if (CHOICES.includes(name)) {
    const answers = [["", t("store.no")], ["yes", t("store.yes")]];
    return field(t(`store.${name}`), select(name, one?.[name] ? "yes" : "", /** @type {any} */ (answers)), t(`store.${name}.hint`));
  }
  if (name === "url_hours") {
    const span = { type: "number", min: "0.1", max: "168", step: "any" };
    return field(t("store.url_hours"), input(name, one?.url_hours, span), t("store.url_hours.hint"));
  }
  const isNeeded = name === "bucket" || (name === "public_base_url" && kind === "comfyui");
  const value = one?.[name] ?? (name === "prefix" ? "grok-imagine" : "");
  const box = input(name, value, { type: URLS.includes(name) ? "url" : "text", required: isNeeded });
  return field(t(`store.${name}`), box, t(`store.${name}.hint`));
}
