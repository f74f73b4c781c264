// All words of one language. Each part of the page keeps its own file; a test holds the languages' keys equal.
import node from "./node.mjs";
import panel from "./panel.mjs";
import settings from "./settings.mjs";

export default { ...panel, ...settings, ...node };
