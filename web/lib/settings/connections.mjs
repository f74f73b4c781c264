// Connections: each provider's account by a name. A key goes to the server once, and never comes back.
import { post } from "../shared/api.mjs";
import { button, h } from "../shared/dom.mjs";
import { dots, field, findings, form, input, secret, select } from "./forms.mjs";
import { t } from "../shared/i18n.mjs";
import { remove, tryOut } from "./cards.mjs";

const MONEY = /** @type {const} */ (["assumed_usd_per_second", "assumed_usd_per_clip"]);

/** The part's elements. @param {any} settings the dialog's Settings */
export function connectionsPart(settings) {
  const { connections } = settings.view;
  const own = connections.filter((/** @type {any} */ one) => !one.is_sandbox);
  const add = button(t("connection.add"), () => settings.edit(""), { symbol: "plus" });
  return [
    h("p", { class: "giv-hint" }, t("connection.hint")),
    h("ul", { class: "giv-cards" }, ...own.map((/** @type {any} */ one) => card(settings, one))),
    settings.editing === "" ? edit(settings, null) : h("div", { class: "giv-actions" }, add),
  ];
}

/** @param {any} settings @param {any} one */
function card(settings, one) {
  const found = settings.found[`connection ${one.name}`];
  const named = (/** @type {string} */ text) => ({ "aria-label": `${text}: ${one.name}` });
  return h(
    "li",
    { class: "giv-card", "data-connection": one.name },
    h(
      "div",
      { class: "giv-card-head" },
      h("div", {}, h("strong", {}, one.name), h("span", { class: "giv-quiet-text" }, one.label)),
      h("span", { class: one.key.source ? "giv-tag giv-good" : "giv-tag" }, keyText(one)),
    ),
    one.is_own_url ? h("small", {}, one.base_url) : null,
    settings.editing === one.name
      ? edit(settings, one)
      : h(
          "div",
          { class: "giv-actions" },
          button(t("settings.edit"), () => settings.edit(one.name), { symbol: "pencil", ...named(t("settings.edit")) }),
          one.key.source &&
            button(t("settings.test"), () => tryOut(settings, "connection", one.name), {
              symbol: "bolt",
              ...named(t("settings.test")),
            }),
          one.is_stored &&
            button(t("settings.remove"), () => remove(settings, "connection", one.name), {
              symbol: "trash",
              ...named(t("settings.remove")),
            }),
        ),
    h("div", { "aria-live": "polite" }, found ? findings(found, "connection") : null),
  );
}

/** Where the key is stored. @param {any} one */
function keyText(one) {
  const { source, last_four: four, variable } = one.key;
  if (source === "environment") return t("key.environment", { four: dots(four), variable });
  return source === "file" ? t("key.file", { four: dots(four) }) : t("key.none");
}

/** @param {any} settings @param {any} one null for a new connection */
function edit(settings, one) {
  const { dialects, stores } = settings.view;
  const isFixed = one?.key.source === "environment";
  const kinds = dialects.map((/** @type {any} */ dialect) => [dialect.name, dialect.label]);
  const chosen = dialects.find((/** @type {any} */ dialect) => dialect.name === (one?.dialect ?? dialects[0].name));
  const kind = select("dialect", one?.dialect ?? dialects[0].name, kinds);
  const url = input("base_url", one?.is_own_url ? one.base_url : "", { type: "url", disabled: isFixed });
  const key = secret("api_key", one?.key);
  const suit = (/** @type {any} */ dialect) => {
    url.placeholder = dialect.base_url ?? "https://gateway.example";
    url.required = !dialect.base_url;
  };
  suit(chosen);
  kind.addEventListener("change", () =>
    suit(dialects.find((/** @type {any} */ dialect) => dialect.name === kind.value)),
  );
  const places = [["", t("connection.storeDefault")], ...stores.map((/** @type {any} */ { name }) => [name, name])];
  const name = input("name", one?.name, { required: true, pattern: "[a-z0-9][a-z0-9_.\\-]{0,39}", maxlength: 40 });
  return form({
    title: one ? t("connection.edit", { name: one.name }) : t("connection.add"),
    fields: [
      one ? null : field(t("field.name"), name, t("field.nameHint")),
      one ? null : field(t("connection.kind"), kind),
      field(
        t("connection.key"),
        key,
        isFixed ? t("key.fixed", { variable: one.key.variable }) : t("connection.keyHint"),
      ),
      field(t("connection.url"), url, isFixed ? t("key.fixed", { variable: one.key.variable }) : t("connection.urlHint")),
      h(
        "details",
        {},
        h("summary", {}, t("settings.more")),
        field(t("connection.store"), select("store", one?.store, /** @type {any} */ (places))),
        field(
          t("connection.pace"),
          input("pace", one?.pace ?? 1, { type: "number", min: "0.1", max: "10", step: "0.1" }),
          t("connection.paceHint"),
        ),
        ...MONEY.map((field_) =>
          field(t(`connection.${field_}`), input(field_, one?.[field_], { type: "number", min: "0", step: "any" })),
        ),
        h("small", {}, t("connection.assumedHint")),
      ),
    ],
    save: async (values) => {
      const body = { ...values, name: one?.name ?? values.name, pace: Number(values.pace) || null };
      if (!values.api_key) delete (/** @type {any} */ (body).api_key); // empty leaves the key as it is
      settings.take(await post("/settings/connection", body));
      const saved = settings.view.connections.find((/** @type {any} */ each) => each.name === body.name);
      if (saved?.key.source) tryOut(settings, "connection", body.name);
    },
    cancel: () => settings.edit(null),
  });
}
