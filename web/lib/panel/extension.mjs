// The Jobs panel as an extension of ComfyUI: a tab of the sidebar and a command that opens it.
import { addSidebarTab, listen, runCommand } from "../shared/comfyui.mjs";
import { styled } from "../shared/dom.mjs";
import { loadStrings, t } from "../shared/i18n.mjs";
import { attempt, toast } from "../shared/feedback.mjs";
import { acceptDrops } from "./job_actions.mjs";

const TAB = "grok-imagine-jobs";

/** @type {any} */
let panel = null;
let turn = 0;

/** @param {HTMLElement} root */
async function show(root) {
  turn += 1;
  const mine = turn;
  const [{ JobsPanel }, { openSettings }] = await Promise.all([
    import("./panel.mjs"),
    import("../settings/dialog.mjs"),
    styled(root),
  ]);
  if (mine !== turn) return; // closed again meanwhile
  panel = new JobsPanel(root, openSettings);
}

function hide() {
  turn += 1;
  panel?.close();
  panel = null;
}

export const jobsExtension = {
  name: "grokimaginevideo.jobs",
  init: loadStrings,
  commands: [
    {
      id: "GrokImagineVideo.ShowJobs",
      label: "Grok Imagine Video: Jobs",
      icon: "pi pi-video",
      function: () => runCommand(`Workspace.ToggleSidebarTab.${TAB}`),
    },
  ],
  async setup() {
    await loadStrings();
    addSidebarTab({
      id: TAB,
      icon: "pi pi-video",
      title: t("panel.tab"),
      tooltip: t("panel.title"),
      type: "custom",
      render: (/** @type {HTMLElement} */ root) => {
        hide();
        attempt(() => show(root));
      },
      destroy: hide,
    });
    acceptDrops();
    listen("grok_imagine.trouble", (/** @type {any} */ event) => toast("error", t("error.title"), event.message));
  },
};
