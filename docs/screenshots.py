"""Make the images of reports in README and site, from a run such as that of `unmirage demo`.

    python docs/screenshots.py unmirage-demo

Needs Chromium and playwright, as the browser tests do. The pages are written anew from the run, so that the images show
what this version writes. Each image is a PNG of at most 150 kB in docs/images.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

import unmirage as um
from unmirage.errors import UserError
from unmirage.run.files import write_bytes_atomic

IMAGES = Path(__file__).parent / "images"
LARGEST = 150_000  # bytes
# name: (page, width and height in CSS pixels, color scheme)
SHOTS: dict[str, tuple[str, int, int, Any]] = {
    "report": ("report", 1280, 900, "light"),
    "report-dark": ("report", 1280, 900, "dark"),
    "report-phone": ("report", 390, 780, "light"),
    "audit": ("audit", 1280, 900, "light"),
}


def small_png(png: bytes) -> bytes:
    """Return an image with as many colors as fit into `LARGEST` bytes.

    Raises:
        ValueError: 16 colors are too many.
    """
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    for colors in (256, 128, 64, 32, 16):
        out = io.BytesIO()
        image.quantize(colors, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= LARGEST:
            return out.getvalue()
    raise ValueError(f"{out.tell():,} bytes with {colors} colors; lower the size in SHOTS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a judged run; audit.json in it makes the image of an audit")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the images")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("no Chromium found; install it, for example: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        try:
            pages = {"report": um.report(options.run, out=Path(folder) / "report.html")}
            if (audit := options.run / "audit.json").is_file():
                pages["audit"] = um.report(audit, out=Path(folder) / "audit.html")
        except UserError as error:
            sys.exit(str(error))
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name, (page, width, height, scheme) in SHOTS.items():
            if page not in pages:
                print(f"{name}: left out, since {options.run} has no audit.json")
                continue
            view = started.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            view.goto(pages[page].as_uri())
            target = options.out / f"{name}.png"
            write_bytes_atomic(target, small_png(view.screenshot()))
            print(f"{target}: {target.stat().st_size:,} bytes")
            view.close()
        started.close()


if __name__ == "__main__":
    main()
