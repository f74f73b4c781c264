// The rows of a batch are read as the engine reads them: CASES holds what Python says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { rowsOf } from "../../../web/lib/node/rows.mjs";

const cases = JSON.parse(readFileSync(process.env.CASES, "utf8"));

test("rows are those of the engine", () => {
  assert.ok(cases.rows.length > 3);
  for (const { text, rows } of cases.rows) {
    const found = rowsOf(text).map(({ prompt, duration, resolution, connection, images }) => ({
      prompt,
      duration: duration ?? null,
      resolution: resolution ?? null,
      connection: connection ?? null,
      images,
    }));
    assert.deepEqual(found, rows, text);
  }
});

test("a list that is still being written is no trouble", () => {
  assert.deepEqual(rowsOf(""), []);
  assert.equal(rowsOf('{"prompt": "x').length, 0);
  assert.equal(rowsOf('prompt\n"open').length, 1);
});
