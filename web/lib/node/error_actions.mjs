// What can be done about an error, as buttons of the node that shows it.
import { attempt } from "../shared/feedback.mjs";
import { t } from "../shared/i18n.mjs";
import { act } from "../panel/job_actions.mjs";

/** @typedef {{label: string, act: () => void}} Action */

/** What helps in the settings: the button's text, the part of the dialog. @type {Record<string, [string, string]>} */
const SETTINGS = {
  MissingKey: ["node.addKey", "connections"],
  AuthRejected: ["node.changeKey", "connections"],
  OverBudget: ["node.raiseLimit", "options"],
  StorageError: ["node.setUpStore", "stores"],
  SettingsError: ["node.openSettings", "connections"],
};

/** Nothing of the dialog is needed before it is opened. @param {string} part @param {string} [name] */
export const openSettings = (part, name) =>
  void attempt(async () => (await import("../settings/dialog.mjs")).openSettings(part, name));

/** @param {string} kind the engine's error class @param {string} connection the node's @returns {Action[]} */
export function settingsActions(kind, connection) {
  const [label, part] = SETTINGS[kind] ?? [];
  return label ? [{ label: t(label), act: () => openSettings(part, part === "connections" ? connection : "") }] : [];
}

/** Buttons for a job that waits for its user. @param {any} job @param {(job: any) => void} done takes the job that goes on
 * @returns {Action[]} */
export function jobActions(job, done) {
  const names = job.actions.filter((/** @type {string} */ name) => ["attach", "attach_url", "again"].includes(name));
  return names.map((/** @type {string} */ name) => ({
    label: t(`action.${name}`),
    act: () => void act(name, job).then((/** @type {any} */ reply) => done(reply?.job)),
  }));
}
