"""The sandbox: an offline provider for fresh machines and for tests.

A real HTTP server on loopback that speaks five video APIs in their own dialects, charges a play ledger, and
renders real clips. It shares no code with the engine: two independent readings of the same documents check each other.

    python -m grok_imagine.sandbox [--host 127.0.0.1] [--port 0] [--state DIR] [--seconds 4]
                                   [--clock wall|manual] [--strict-extra] [--exit-with-parent]
                                   [--clips DIR] [--draft]

says one line, `{"url": "http://127.0.0.1:PORT", "pid": N}`, and serves until SIGINT, SIGTERM or, with
`--exit-with-parent`, the end of its standard input. In a test: `async with Sandbox(seconds=2, clock="manual") as s:`
with `s.url`, `s.base("reapi")`, `s.wind(10)`, `s.ledger()`, `s.fault("poll", "503", times=2)`, `await s.outcomes()`.

A clip is rendered when its file is first asked for, and kept in DIR/clips by what is in it. `--clips DIR` (or
GROK_IMAGINE_SANDBOX_CLIPS) shares a folder of clips between sandboxes; `--draft` (or GROK_IMAGINE_SANDBOX_DRAFT=1)
renders plain ones at a fraction of the cost, for tests.

Base URLs and keys (a key is the dialect's prefix and contains "sandbox"; each distinct key is an account):

    {url}/reapi          rk_live_sandbox   POST /api/v1/videos/generations, GET /api/v1/tasks/{id}
    {url}/aivideoapi     sk-sandbox        POST /v1/videos/generations, GET /v1/tasks/{id}, GET /v1/credits
    {url}/apiinone       aio_sandbox       POST /api/v1/videos/generations, GET /api/v1/tasks/{id}
    {url}/openai_videos  sk-sandbox        POST, GET /v1/videos; GET, DELETE /v1/videos/{id}; GET .../{id}/content;
                                           POST /v1/videos/generations, /v1/video/generations and GET .../{id}
    {url}/xai            xai-sandbox       POST /v1/videos/{generations,edits,extensions}, GET /v1/videos/{id}

A key with "broke" in it has no credit, one with "revoked" is revoked. Clips are at /cdn/{dialect}/{token}.mp4, signed,
expiring on the sandbox's clock (reAPI 7 days, others 24 h); an Authorization header there is a violation and gets 400.

Control, all JSON, without a key:

    GET  /_sandbox/health     what runs, and what its clock shows
    GET  /_sandbox/ledger     entries, totals, usd; submits = accepted POSTs; posts = all POSTs; violations
    GET  /_sandbox/requests   the last 500 requests (never a key or a signature) and the callbacks sent
    POST /_sandbox/clock      {"advance": seconds}
    POST /_sandbox/reset      forgets tasks, ledger, uploads, faults and counters
    GET  /_sandbox/faults     the table of faults and their syntax
    POST /_sandbox/faults     {"on": "submit|poll|content|cdn", "fault": "...", "times": 1, "dialect": "reapi"}
    POST /_sandbox/uploads    the bytes of a JPEG, PNG, WEBP or MP4, at most 60 MB -> {"url", "expires_at"}

Faults are asked for by the queue above, by the header `X-Sandbox-Fault: name[@stage][*times][=arg], ...` on the
request itself, or by a marker in the prompt, `[sandbox:name[@stage][*times][=arg]]`, which is remembered with the task.
`faults.py` holds the table. The rates of the gateway, of 1080p and of edits at xAI are the sandbox's own: no
document names them.
"""

from __future__ import annotations

from .server import Sandbox

__all__ = ["Sandbox"]
