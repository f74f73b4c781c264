// Connections: each provider's account by a name. A key goes to the server once, and never comes back.
import { post } from "../shared/api.mjs";
import { button, h } from "../shared/dom.mjs";
import { t } from "../shared/i18n.mjs";
import { dots, field, form, input, secret, select } from "./forms.mjs";
import { remove, row, test } from "./rows.mjs";

const MONEY = /** @type {const} */ (["assumed_usd_per_second", "assumed_usd_per_clip"]);

/** The part's elements: those with a key first. @param {any} settings the dialog's Settings */
export function connectionsPart(settings) {
  const own = settings.view.connections.filter((/** @type {any} */ one) => !one.is_sandbox);
  own.sort((/** @type {any} */ one, /** @type {any} */ other) => Number(!one.key.source) - Number(!other.key.source));
  const add = button(t("connection.add"), () => settings.edit(""), { symbol: "plus" });
  return [
    h("p", { class: "giv-hint" }, t("connection.hint")),
    h("ul", { class: "giv-cards" }, ...own.map((/** @type {any} */ one) => connection(settings, one))),
    settings.editing === "" ? edit(settings, null) : h("div", { class: "giv-actions" }, add),
  ];
}

/** @param {any} settings @param {any} one */
function connection(settings, one) {
  const key = keyText(one);
  const url = one.is_own_url ? one.base_url : "";
  return row(settings, "connection", one, {
    about: one.label,
    detail: [key, url].filter(Boolean).join(" · "),
    canTest: Boolean(one.key.source),
    editLabel: t(one.key.source ? "settings.edit" : "connection.addKey"),
    form: () => edit(settings, one),
  });
}

/** Where the key is stored. @param {any} one */
function keyText(one) {
  const { source, last_four: four, variable } = one.key;
  if (source === "environment") return t("key.environment", { four: dots(four), variable });
  return source === "file" ? t("key.file", { four: dots(four) }) : "";
}

/** @param {any} settings @param {any} one null for a new connection */
function edit(settings, one) {
  const { dialects } = settings.view;
  const isFixed = one?.key.source === "environment";
  const fixed = isFixed ? t("key.fixed", { variable: one.key.variable }) : "";
  const dialectOf = (/** @type {string} */ name) => dialects.find((/** @type {any} */ dialect) => dialect.name === name);
  const kind = select("dialect", one?.dialect ?? dialects[0].name, dialects.map((/** @type {any} */ each) => [each.name, each.label]));
  const url = input("base_url", one?.is_own_url ? one.base_url : "", { type: "url", disabled: isFixed });
  const urlField = field(t("connection.url"), url, fixed || t("connection.urlHint"));
  const makeKey = h("a", { class: "giv-link", target: "_blank", rel: "noreferrer" });
  const more = moreFields(settings, one);
  // Where there is no default, the address is needed as much as the key.
  const suit = () => {
    const dialect = dialectOf(kind.value);
    url.placeholder = dialect.base_url ?? "https://gateway.example";
    url.required = !dialect.base_url;
    if (dialect.base_url) more.querySelector("summary").after(urlField);
    else more.before(urlField);
    makeKey.hidden = !dialect.key_url || isFixed;
    makeKey.href = dialect.key_url ?? "";
    makeKey.textContent = t("connection.makeKey", { label: dialect.label });
  };
  kind.addEventListener("change", suit);
  const name = input("name", one?.name, { required: true, pattern: "[a-z0-9][a-z0-9_.\\-]{0,39}", maxlength: 40 });
  const key = field(t("connection.key"), secret("api_key", one?.key), fixed || t("connection.keyHint"));
  key.append(makeKey);
  const element = form({
    title: one ? t("connection.edit", { name: one.name }) : t("connection.add"),
    fields: [
      one ? null : field(t("connection.kind"), kind),
      one ? null : field(t("field.name"), name, t("field.nameHint")),
      key,
      more,
    ],
    save: (values) => save(settings, one, values),
    cancel: () => settings.edit(null),
    remove: one?.is_stored && (() => remove(settings, "connection", one.name)),
  });
  suit();
  return element;
}

/** What is seldom needed. @param {any} settings @param {any} one */
function moreFields(settings, one) {
  const places = [["", t("connection.storeDefault")], ...settings.view.stores.map((/** @type {any} */ { name }) => [name, name])];
  const pace = input("pace", one?.pace ?? 1, { type: "number", min: "0.1", max: "10", step: "0.1" });
  const money = (/** @type {string} */ name) => input(name, one?.[name], { type: "number", min: "0", step: "any" });
  return h(
    "details",
    {},
    h("summary", {}, t("settings.more")),
    field(t("connection.store"), select("store", one?.store, /** @type {any} */ (places))),
    field(t("connection.pace"), pace, t("connection.paceHint")),
    ...MONEY.map((name) => field(t(`connection.${name}`), money(name))),
    h("small", {}, t("connection.assumedHint")),
  );
}

/** @param {any} settings @param {any} one @param {Record<string, string>} values */
async function save(settings, one, values) {
  const body = { ...values, name: one?.name ?? values.name, pace: Number(values.pace) || null };
  if (!values.api_key) delete (/** @type {any} */ (body).api_key); // empty leaves the key as it is
  settings.take(await post("/settings/connection", body));
  const saved = settings.view.connections.find((/** @type {any} */ each) => each.name === body.name);
  if (saved?.key.source) void test(settings, "connection", saved);
}
