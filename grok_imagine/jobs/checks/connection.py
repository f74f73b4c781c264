"""Tests whether a connection can be reached and accepts its key, without submitting anything."""

from __future__ import annotations

from ...errors import (
    AuthRejected,
    ConnectFailed,
    GrokImagineError,
    ProviderDown,
    ProviderError,
    TimedOut,
    TransportError,
    UnreadableReply,
)
from ...transport.client import Client
from ..connections import Connection
from .store import CheckStep

_NO_SUCH_TASK = "00000000-0000-4000-8000-000000000000"
"""A well-formed id of no task. A not-found answer proves that the key was accepted."""


async def try_connection(connection: Connection, client: Client) -> list[CheckStep]:
    """Poll a task that does not exist, at no cost. Returns the steps, up to the first that failed."""
    provider = connection.provider
    try:
        reply = await client.send(provider.poll(_NO_SUCH_TASK), connection.endpoint)
        if not reply.is_success:
            raise provider.refusal(reply)
        provider.status(reply)
    except (ConnectFailed, TimedOut) as error:
        return [CheckStep("reach", f"{error}. Check the base URL, the network and its proxy")]
    except TransportError as error:
        return [CheckStep("reach", str(error))]
    except AuthRejected as error:
        return [
            CheckStep("reach"),
            CheckStep("key", f"{error}. Paste the key again, or make a new one at {provider.label}"),
        ]
    except ProviderDown as error:
        return [CheckStep("reach", f"{error}. It is down for now; try again later")]
    except UnreadableReply as error:
        return [CheckStep("reach", f"{error}. Something answers there, but it is not this API: check the base URL")]
    except ProviderError:
        pass  # there is no such task, so the key was accepted
    except GrokImagineError as error:
        return [CheckStep("reach", str(error))]
    return [CheckStep("reach"), CheckStep("key")]
