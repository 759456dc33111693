"""What a running service does beside answering: it goes on whatever lies on disk."""

from __future__ import annotations

import asyncio

from serving.background import reloaded


class Odd:
    """A service whose files cannot be read once."""

    def __init__(self) -> None:
        self.not_followed: str | None = None
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1
        if self.reloads == 1:
            raise TypeError("a pointer that is a list")


def test_a_strange_file_is_said_and_tried_again_instead_of_ending_the_following() -> None:
    service = Odd()
    assert not asyncio.run(reloaded(service))
    assert service.not_followed == "what changed on disk cannot be taken in (TypeError)"
    assert asyncio.run(reloaded(service))
    assert service.not_followed is None
