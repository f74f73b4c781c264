// The pack's one entry: ComfyUI loads every .js below web/ as an extension, so all else is .mjs.
import { app } from "../../scripts/app.js";
import { loadStrings } from "./lib/i18n.mjs";

app.registerExtension({ name: "grokimaginevideo.words", init: loadStrings });
