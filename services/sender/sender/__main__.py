"""The hands: consumes group_message_queue."""

from __future__ import annotations

from common import runtime
from common.queues import GROUP_MESSAGE_QUEUE

from sender.handlers import handle
from sender.settings import SenderSettings


async def main() -> None:
    """Until SIGTERM."""
    settings = SenderSettings.load()
    async with runtime.worker("sender", settings) as worker:
        await worker.consume(GROUP_MESSAGE_QUEUE, handle)


if __name__ == "__main__":
    runtime.run(main())
