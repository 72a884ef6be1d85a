"""Pictures in, data URLs out: what a server is sent. Nothing of the file but its pixels leaves the machine."""

from __future__ import annotations

import base64
import io
import threading
from concurrent.futures import Future

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.endpoint.settings import EndpointSettings


class DataUrls:
    """Encodes each picture once, though several threads ask for it, and keeps the latest few."""

    def __init__(self, pictures: Pictures, settings: EndpointSettings) -> None:
        self._pictures = pictures
        self._format = settings.picture_format
        self._most_bytes = settings.max_picture_bytes
        self._most_kept = settings.concurrency
        self._kept: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def url(self, relative: str) -> str:
        """Return the picture as "data:image/png;base64,...".

        Raises:
            UserError: it is missing, broken or too large.
        """
        with self._lock:
            future = self._kept.get(relative)
            is_mine = future is None
            if future is None:
                future = self._kept[relative] = Future()
                if len(self._kept) > self._most_kept:
                    del self._kept[next(iter(self._kept))]
        if is_mine:
            try:
                future.set_result(self._encoded(relative))
            except BaseException as error:  # raised again below, here and wherever it is waited for
                future.set_exception(error)
        return future.result()

    def _encoded(self, relative: str) -> str:
        picture = self._pictures.open(relative)
        picture.info.clear()  # EXIF, comments, colour profiles
        buffer = io.BytesIO()
        try:
            picture.save(buffer, self._format, **({"quality": 95, "subsampling": 0} if self._format == "jpeg" else {}))
        except (OSError, ValueError) as error:
            raise UserError(f"image {relative!r} cannot be written as {self._format} ({error})") from None
        size = buffer.tell()
        if size > self._most_bytes:
            raise UserError(
                f"image {relative!r} has {size:,} bytes as {self._format}; valid: up to {self._most_bytes:,} "
                f"(endpoint setting max_picture_bytes)"
            )
        return f"data:image/{self._format};base64,{base64.b64encode(buffer.getbuffer()).decode('ascii')}"
