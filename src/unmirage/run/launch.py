"""The processes that a launcher (`torchrun`, `accelerate launch`) started for one command, told by its variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from unmirage.errors import UserError

# A launcher sets all of them; clusters set some of them for other purposes.
_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Launch:
    """The place of this process among the processes of a command.

    Attributes:
        rank: its number among all, from 0, which is the main process.
        local_rank: its number on this machine, which is also that of its GPU.
        size, local_size: number of processes, in all and on this machine.
    """

    rank: int
    local_rank: int
    size: int
    local_size: int

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0


def launched() -> Launch | None:
    """Return the place of this process; None if it is the only one.

    Raises:
        UserError: a variable of the launcher is not a number.
    """
    found = {name: os.environ.get(name) for name in _NAMES}
    if None in found.values():
        return None
    try:
        numbers = [int(found[name] or "") for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")]
    except ValueError:
        raise UserError(
            f"RANK, LOCAL_RANK, WORLD_SIZE or LOCAL_WORLD_SIZE is not a number ({found}); start with torchrun"
        ) from None
    return Launch(*numbers) if numbers[2] > 1 else None
