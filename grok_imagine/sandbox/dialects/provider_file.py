"""A provider that only its TOML file describes: what the file offers is accepted, and answered where it reads.

This reads the files by itself, and knows nothing of the engine that writes requests by them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, NoReturn

from ..model import ApiErrorKind, Job, Json, Mode, ParsedRequest, Price, Reply, State, Task, View
from .base import Dialect, apply_faults, as_list, as_object, is_blank, is_int, is_public_url, rejection, set_url
from .template import Mismatch, match, merge

_MODES: dict[str, Mode] = {
    "text_to_video": "text",
    "image_to_video": "image",
    "reference_to_video": "reference",
    "edit_video": "edit",
    "extend_video": "extend",
}
_ERRORS: dict[ApiErrorKind, tuple[int, str, str, str]] = {
    # HTTP status, the kind in the file's [errors.codes], the code where the file has none, the message
    ApiErrorKind.NO_AUTH: (401, "auth_rejected", "invalid_api_key", "No API key was sent"),
    ApiErrorKind.NOT_BEARER: (401, "auth_rejected", "invalid_api_key", "The API key was sent in another form"),
    ApiErrorKind.BAD_KEY: (401, "auth_rejected", "invalid_api_key", "The API key is not valid"),
    ApiErrorKind.REVOKED: (401, "auth_rejected", "invalid_api_key", "The API key has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, "out_of_credit", "insufficient_credits", "The balance is too low"),
    ApiErrorKind.RATE: (429, "rate_limited", "rate_limit_exceeded", "Too many requests"),
    ApiErrorKind.SPEND: (429, "", "spend_limit_exceeded", "The key has reached its spending limit"),
    ApiErrorKind.NO_TASK: (404, "task_not_found", "task_not_found", "There is no such task"),
    ApiErrorKind.BAD_JSON: (400, "bad_request", "invalid_request", "The body must be a JSON object"),
    ApiErrorKind.INTERNAL: (500, "provider_down", "internal_error", "Internal error"),
    ApiErrorKind.GATEWAY: (502, "provider_down", "upstream_error", "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, "provider_down", "service_unavailable", "Temporarily unavailable"),
}
_WORDS = {State.QUEUED: "queued", State.RUNNING: "processing", State.DONE: "completed", State.FAILED: "failed"}


class ProviderFile(Dialect):
    """The dialect of one file, made of its parsed content. A file that lacks a part raises KeyError or the like."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        key = content["key"]
        self.name = str(content["name"])
        self.key_prefix = str(key.get("prefix", ""))
        self.key_header, self.key_scheme = str(key.get("header", "Authorization")), str(key.get("scheme", "Bearer"))
        self.url_lifetime = 3600.0 * content["result_lifetime_hours"]
        self._submit, self._read = content["submit"], content["read"]
        self._codes: Mapping[str, list[str]] = content.get("errors", {}).get("codes", {})
        self._moderation: list[str] = content.get("errors", {}).get("moderation_codes", [])
        self._capabilities = list(_spread(content))
        self.credit_usd = next(
            (Decimal(str(one["price"]["usd_per_credit"])) for one in self._capabilities if "price" in one), Decimal(1)
        )
        self._any_model = bool(content.get("has_own_model_names", False))
        models = {str(one["model"]) for one in self._capabilities}
        paths = [self._submit["path"], *(one["path"] for one in self._submit.get("variants", []) if "path" in one)]
        self.submit_paths = {path.replace("{model}", model): path for path in paths for model in models}
        result = content.get("result")
        words = {content["poll"]: "state" if result else ""} | ({result: "result"} if result else {})
        self.poll_paths = {
            path.replace("{model}", model): shape for path, shape in words.items() for model in sorted(models)
        }
        self.content_path: str | None = content.get("content")
        self.idempotency_header = str(content.get("idempotency", {}).get("header", ""))

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        """Read a submit's body by the first capability that it fits. Each field must be one that the file writes."""
        faults: dict[str, None] = {}
        for capability in self._capabilities:
            try:
                found = self._match(capability, operation, body)
                fault = self._fault(capability, found)
            except Mismatch as error:
                fault = str(error)
            else:
                if not fault:
                    return self._request(capability, found)
            faults[f"{capability['mode']}: {fault}"] = None
        self._reject("; ".join(faults))

    def submit_reply(self, task: Task, shape: str) -> Reply:
        body = self._envelope(self._read["task_id"][0])
        _put(body, self._read["task_id"][0], task.id)
        return Reply(200, body)

    def poll_reply(self, view: View) -> Reply:
        video, state = self._read["video"][0], view.status_word(_WORDS[view.state])
        body = self._envelope(video)
        inner = body.get("data", body)
        inner.update(id=view.task.id, status=state)
        if view.failure:
            usual = self._moderation[:1] or ["content_policy_violation"]
            code = usual[0] if view.failure.kind == "moderation" else "generation_failed"
            inner["error"] = {"code": code, "message": view.failure.message}
        if view.task.fault("progress-100-failed") and view.state is State.FAILED:
            inner["progress"] = 100
        # Where the result has an address of its own, the state's answer holds no video.
        if not self._has_result or view.shape != "state":
            set_url(body, view, video, usual_is_list=video.endswith("s"))
            self._set_bill(body, view)
        return apply_faults(Reply(200, body), view)

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        status, kind, usual, message = _ERRORS[error]
        code = next(iter(self._codes.get(kind, [])), usual)
        return Reply(status, {"error": {"code": code, "message": detail or message}})

    def new_id(self) -> str:
        return f"{self.name}-{secrets.token_hex(12)}"

    # -- inside

    @property
    def _has_result(self) -> bool:
        return "state" in self.poll_paths.values()

    def _match(self, capability: Json, operation: str, body: Json) -> Json:
        """The request's values in the body. Raises Mismatch."""
        low, high = capability.get("min_images", 0), capability.get("max_images", 0)
        wrong = Mismatch("this path is for other modes")
        for count in range(low, high + 1):
            variants = [
                one
                for one in self._submit.get("variants", [])
                if capability["mode"] in one.get("modes", _MODES) and one.get("images") in (None, count)
            ]
            path = next((one["path"] for one in variants if "path" in one), self._submit["path"])
            if path != operation:
                continue
            template = merge(self._submit["body"], *(one.get("body", {}) for one in variants))
            try:
                found = match(template, body)
            except Mismatch as error:
                wrong = error
                continue
            if len(found.get("images", [])) == count:
                return found
            wrong = Mismatch(f"takes {low} to {high} images")
        raise wrong

    def _fault(self, capability: Json, found: Json) -> str:
        """What is wrong with the values, empty if nothing is."""
        if "model" in found and not self._any_model and found["model"] != capability["model"]:
            return f"model {found['model']!r} does not exist"
        if capability.get("prompt_required", True) and is_blank(found.get("prompt")):
            return "prompt is required"
        if len(str(found.get("prompt", ""))) > capability.get("prompt_limit", 100_000):
            return "prompt is too long"
        span, seconds = capability.get("duration"), found.get("duration")
        if seconds is not None and not (span and is_int(seconds) and span["shortest"] <= seconds <= span["longest"]):
            return f"duration {seconds!r} is not among {span}"
        for field, choices in (
            ("resolution", "resolutions"),
            ("aspect_ratio", "aspect_ratios"),
            ("motion_mode", "motion_modes"),
        ):
            if field in found and found[field] not in capability.get(choices, []):
                return f"{field} {found[field]!r} is not among {capability.get(choices, [])}"
        if bool(found.get("video")) != bool(capability.get("takes_video")):
            return "this mode takes no video" if found.get("video") else "this mode needs a video"
        media = [*found.get("images", []), *([found["video"]] if "video" in found else [])]
        return "" if all(is_public_url(url, data_too=True) for url in media) else "a URL cannot be fetched"

    def _request(self, capability: Json, found: Json) -> ParsedRequest:
        span: Json = capability.get("duration") or {}
        seconds = found.get("duration", span.get("default")) or (0 if capability.get("takes_video") else 6)
        tier = found.get("resolution") or capability.get("default_resolution") or "480p"
        images, mode = tuple(found.get("images", [])), _MODES[capability["mode"]]
        ratio = found.get("aspect_ratio") or ("" if mode != "text" else capability.get("default_aspect_ratio", "16:9"))
        job = Job(
            mode, str(found.get("prompt", "")), seconds, tier, "" if ratio == "auto" else ratio, images,
            found.get("video", ""),
        )  # fmt: skip
        price = _price(capability, tier, seconds, len(images))
        return ParsedRequest(str(capability["model"]), job, price, callback_url=str(found.get("callback", "")))

    def _set_bill(self, body: Json, view: View) -> None:
        billed = self._read.get("billed")
        if billed and view.state is State.DONE:
            _put(body, billed["path"], int(view.task.price.usd * billed["units_per_usd"]))

    def _envelope(self, path: str) -> Json:
        return {"code": 200, "message": "success", "data": {}} if path.startswith("data.") else {}

    def _reject(self, message: str) -> NoReturn:
        raise rejection(400, self.error_reply(ApiErrorKind.BAD_JSON, message).body or {})


def _spread(content: Mapping[str, Any]) -> Iterator[Json]:
    """Each capability with the limits that all share, once for each of its models."""
    limits = content.get("limits", {})
    for own in content["capabilities"]:
        fields = {**limits, **own}
        for model in as_list(fields["model"]) or [fields["model"]]:
            yield {**fields, "model": model}


def _price(capability: Json, tier: str, seconds: int, images: int) -> Price:
    price = as_object(capability.get("price"))
    if price is None:
        return Price(Decimal(0), Decimal(0))
    credits = Decimal(str(price.get("per_clip", 0))) + Decimal(str(price.get("per_image", 0))) * images
    credits += Decimal(str(price.get("per_second", {}).get(tier, 0))) * seconds
    if price.get("whole_credits", True):
        credits = credits.to_integral_value(ROUND_CEILING)
    return Price(credits, credits * Decimal(str(price["usd_per_credit"])))


def _put(body: Json, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for name in parents:
        body = body.setdefault(name, {})
    body[last] = value
