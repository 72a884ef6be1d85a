"""Encode images as data URLs for a server. Only pixels are sent: metadata is removed."""

from __future__ import annotations

import base64
import io
import threading
from concurrent.futures import Future

from unmirage.data.images import Pictures
from unmirage.data.pixels import downscaled
from unmirage.errors import UserError
from unmirage.models.endpoint.accounting import Accounting
from unmirage.models.endpoint.spec import EndpointSettings


class DataUrls:
    """Encodes each image once, even if several threads need it, and caches the most recent ones.

    Args:
        accounting: notes which images were downscaled.
    """

    def __init__(self, pictures: Pictures, settings: EndpointSettings, accounting: Accounting | None = None) -> None:
        self._pictures = pictures
        self._accounting = accounting
        self._format = settings.picture_format
        self._longest_side = settings.picture_longest_side
        self._most_bytes = settings.max_picture_bytes
        self._most_kept = settings.concurrency
        self._kept: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def url(self, relative: str) -> str:
        """Return the image as "data:image/png;base64,...".

        Raises:
            UserError: the image is missing, broken or too large.
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
            except BaseException as error:  # raised again below, in every thread that waits for this image
                future.set_exception(error)
        return future.result()

    def _encoded(self, relative: str) -> str:
        picture = self._pictures.open(relative)
        picture.info.clear()  # EXIF, comments, color profiles
        if self._longest_side is not None and max(picture.size) > self._longest_side:
            picture = downscaled(picture, self._longest_side)
            if self._accounting is not None:
                self._accounting.downscaled(relative, self._longest_side)
        buffer = io.BytesIO()
        try:
            picture.save(buffer, self._format, **({"quality": 95, "subsampling": 0} if self._format == "jpeg" else {}))
        except (OSError, ValueError) as error:
            raise UserError(
                f"image {relative!r} cannot be encoded as {self._format} ({error}); "
                "try another picture_format in the endpoint settings"
            ) from None
        size = buffer.tell()
        if size > self._most_bytes:
            raise UserError(
                f"image {relative!r} has {size:,} bytes as {self._format}; valid: up to {self._most_bytes:,} "
                "(endpoint setting max_picture_bytes); pass --picture-longest-side or --picture-format jpeg"
            )
        return f"data:image/{self._format};base64,{base64.b64encode(buffer.getbuffer()).decode('ascii')}"
