// What the cards of connections and of stores can do alike: be tried out, be removed. `kind` is connection or store.
import { post } from "../shared/api.mjs";
import { confirm } from "../shared/dialogs.mjs";
import { t } from "../shared/i18n.mjs";
import { attempt } from "../shared/feedback.mjs";

/** Have the server try it, and show what it found. @param {any} settings @param {string} kind @param {string} name */
export async function tryOut(settings, kind, name) {
  const place = `${kind} ${name}`;
  settings.found[place] = "running";
  settings.draw();
  settings.found[place] = await post(`/settings/${kind}/test`, { name }).catch((error) => error);
  if (settings.editing === null) settings.draw();
}

/** Remove it, once the user has said yes. @param {any} settings @param {string} kind @param {string} name */
export async function remove(settings, kind, name) {
  const question = { title: t(`${kind}.removeTitle`, { name }), text: t(`${kind}.removeText`) };
  if (!(await confirm({ ...question, yes: t("settings.remove"), isDangerous: true }))) return;
  await attempt(async () => settings.take(await post(`/settings/${kind}/remove`, { name })));
}
