// What the page calls a fault is what the engine refuses, over many wishes: CASES holds what Python says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { choices, choose, faults } from "../../../web/lib/node/limits.mjs";

const cases = JSON.parse(readFileSync(process.env.CASES, "utf8"));
const { dialects } = cases;
const FIELDS = { duration: "duration_seconds", images: "reference_images", connection: "mode" };

const judge = (dialect, modes, wish) => {
  const { capability, faults: first } = choose(dialects[dialect], modes, wish);
  return { capability, found: [...first, ...(capability ? faults(dialects[dialect], wish, capability) : [])] };
};

test("the page refuses what the engine refuses, and for the same fields", () => {
  assert.ok(cases.wishes.length > 1000);
  for (const { dialect, modes, wish, refused, warned, model } of cases.wishes) {
    const { capability, found } = judge(dialect, modes, wish);
    const fields = (some) => [...new Set(some.map((one) => FIELDS[one.field] ?? one.field))].sort();
    const where = JSON.stringify({ dialect, wish });
    assert.deepEqual(fields(found.filter((one) => !one.isWarning)), refused, where);
    if (warned) assert.deepEqual(fields(found.filter((one) => one.isWarning)), warned, where);
    if (model !== null) assert.equal(capability.model, model, where);
  }
});

test("each way out that is offered is one", () => {
  for (const { dialect, modes, wish, refused } of cases.wishes) {
    if (refused.length !== 1) continue;
    for (const { fixes } of judge(dialect, modes, wish).found.filter((one) => !one.isWarning)) {
      for (const { field, value } of fixes) {
        const again = judge(dialect, modes, { ...wish, [field]: value }).found;
        const left = again.filter((one) => !one.isWarning && (FIELDS[one.field] ?? one.field) === refused[0]);
        assert.deepEqual(left, [], `${dialect} ${JSON.stringify(wish)} ${field} = ${value}`);
      }
    }
  }
});

test("a value that only another model offers names that model first", () => {
  const wish = { model: "auto", prompt: "x", resolution: "1080p", duration: 6, images: 0, isExact: true };
  const [only] = judge("xai", ["text_to_video"], wish).found;
  assert.equal(only.field, "resolution");
  assert.deepEqual(only.fixes[0], { field: "model", value: "grok-imagine-video-1.5" });
});

test("choices are the capability's own, with auto first", () => {
  const offered = choices(dialects.reapi, ["text_to_video"], dialects.reapi.capabilities[0]);
  assert.deepEqual(offered.resolution, ["auto", "480p", "720p"]);
  assert.deepEqual(offered.motion_mode, ["auto"]);
  assert.deepEqual(offered.duration, { least: 0, most: 30 });
  assert.deepEqual(offered.model, ["auto", "grok-imagine-1.0-video"]);
  const gateway = dialects.openai_videos.capabilities[0];
  assert.equal(choices(dialects.openai_videos, ["text_to_video"], gateway).duration.least, 1, "it must be said there");
  const fixed = dialects.apiinone.capabilities[0];
  assert.equal(choices(dialects.apiinone, ["text_to_video"], fixed).duration, null);
});

test("a token beyond the images is only a warning while a batch may hold more", () => {
  const wish = { prompt: "@image3 walks", images: 2, isExact: false, resolution: "auto", duration: 6 };
  const { found } = judge("aivideoapi", ["image_to_video"], wish);
  assert.deepEqual(found.map((one) => [one.word, one.isWarning]), [["token_lost", true]]);
  const sure = judge("aivideoapi", ["image_to_video"], { ...wish, isExact: true }).found;
  assert.deepEqual(sure.map((one) => [one.word, one.isWarning]), [["token_lost", false]]);
});
