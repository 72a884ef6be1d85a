"""Attack with several processes of a launcher: which of them do what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unmirage.errors import UserError
from unmirage.run.launch import launched

if TYPE_CHECKING:
    from unmirage.data import Pictures
    from unmirage.models import VLM


def placed(model: object, device: str) -> str:
    """Return the device of this process for a setting `device`, which is left as it is without a launcher.

    Raises:
        UserError: the model is on a server, or the launcher's processes cannot have such a device each.
    """
    launch = launched()
    if launch is None:
        return device
    from unmirage.workflows.models import asks_server

    if isinstance(model, str) and asks_server(model):
        raise UserError(
            f"{launch.size} processes: one process sends a server concurrent requests; start it without torchrun, and "
            "set --concurrency"
        )
    from unmirage.models.process_group import check_machine, own_device

    check_machine(launch)
    return own_device(launch, device)


def is_follower() -> bool:
    """Tell whether a launcher started this process to help another one, which plans, writes and prints."""
    launch = launched()
    return launch is not None and not launch.is_main


def follow(load: Callable[[], VLM], pictures: Callable[[], Pictures]) -> None:
    """Answer the queries of the main process until it ends; see `is_follower`.

    Args:
        load: loads the model of this process.
        pictures: returns the pictures of the queries.
    """
    from unmirage.models.process_group import follow

    launch = launched()
    assert launch is not None
    follow(launch, load, pictures)


@contextmanager
def shared(load: Callable[[], VLM]) -> Iterator[Callable[[], VLM]]:
    """Yield a function that loads the model of all processes; `load` itself without a launcher."""
    launch = launched()
    if launch is None:
        yield load
        return
    from unmirage.models.process_group import together

    with together(launch, load) as load_all:
        yield load_all
