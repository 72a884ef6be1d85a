import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unmirage.audit.pictures import COLUMNS, measure
from unmirage.data.images import ImageFolder
from unmirage.data.pixels import as_seen, orientation
from unmirage.report.examples import thumbnail

FAULTS = Path(__file__).parents[2] / ".." / "shared" / "data" / "faults"
R, G, B, W = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# A picture of 3 × 2 pixels: what people see, row by row, when it is stored with each orientation.
STORED = [[R, G, B], [W, R, R]]
SEEN = {
    1: [[R, G, B], [W, R, R]],
    2: [[B, G, R], [R, R, W]],
    3: [[R, R, W], [B, G, R]],
    4: [[W, R, R], [R, G, B]],
    5: [[R, W], [G, R], [B, R]],
    6: [[W, R], [R, G], [R, B]],
    7: [[R, B], [R, G], [W, R]],
    8: [[B, R], [G, R], [R, W]],
}


def pixels(image):
    return np.asarray(image).tolist()


def lists(rows):
    return [[list(pixel) for pixel in row] for row in rows]


def stored(value=None, kind="PNG", mode="RGB", **more):
    exif = Image.Exif()
    if value is not None:
        exif[0x0112] = value
    file = io.BytesIO()
    image = Image.fromarray(np.array(STORED, dtype=np.uint8)).convert(mode)
    image.save(file, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}), **more)
    return file.getvalue()


def opened(content):
    return Image.open(io.BytesIO(content))


def png(depth, color, *rows, key=None, palette=None):
    """Return a PNG; Pillow cannot write most of these."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    bits = 8 * len(rows[0]) // (depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color])
    header = struct.pack(">IIBBBBB", bits, len(rows), depth, color, 0, 0, 0)
    body = [chunk(b"IHDR", header)]
    body += [chunk(b"PLTE", palette)] if palette else []
    body += [chunk(b"tRNS", key)] if key is not None else []
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [*body, chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    )


def row_of(content):
    """Return the pixels of the first row of a picture, as one number each if it is gray."""
    return [p[0] if len(set(p)) == 1 else tuple(p) for p in pixels(as_seen(opened(content)))[0]]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_the_exif_orientation_turns_the_picture_upright(value, kind):
    image = as_seen(opened(stored(value, kind)))
    assert pixels(image) == lists(SEEN[value])
    # What reads the picture next does not turn it again.
    assert orientation(image) == 1
    assert pixels(as_seen(image)) == lists(SEEN[value])


def test_all_orientations_agree_with_transformers(tmp_path):
    load_image = pytest.importorskip("transformers.image_utils").load_image
    noise = Image.effect_noise((24, 16), 90).convert("RGB")
    for value in (None, *range(10)):
        exif = Image.Exif()
        if value is not None:
            exif[0x0112] = value
        noise.save(tmp_path / "a.jpg", exif=exif)
        seen = ImageFolder(tmp_path).open("a.jpg")
        assert pixels(seen) == pixels(load_image(str(tmp_path / "a.jpg")))
        assert seen.size == ((16, 24) if value in (5, 6, 7, 8) else (24, 16))


def exif_entry(kind, count, value):
    """Return EXIF data with an orientation of any type (2: text, 3: 16 bits, 4: 32 bits)."""
    return (
        b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x0112, kind, count) + value.ljust(4, b"\0") + bytes(4)
    )


@pytest.mark.parametrize(
    "exif",
    [
        *[exif_entry(3, 1, struct.pack("<H", number)) for number in (0, 9, 60_000)],
        exif_entry(2, 2, b"6"),
        # Damaged, each in another way.
        b"?",
        b"Exif\0\0",
        b"Exif\0\0MM\0*",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30,
        exif_entry(3, 70_000, b"\xff" * 4),
    ],
)
def test_an_orientation_that_means_nothing_changes_nothing_and_warns_of_nothing(exif):
    file = io.BytesIO()
    Image.fromarray(np.array(STORED, dtype=np.uint8)).save(file, "PNG", exif=exif)
    assert pixels(as_seen(opened(file.getvalue()))) == lists(STORED)


def test_an_orientation_of_32_bits_counts():
    file = io.BytesIO()
    Image.fromarray(np.array(STORED, dtype=np.uint8)).save(file, "PNG", exif=exif_entry(4, 1, struct.pack("<I", 6)))
    assert pixels(as_seen(opened(file.getvalue()))) == lists(SEEN[6])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # 16-bit values keep their upper byte: 0x80ff is 128, not 255.
        (png(16, 0, struct.pack(">4H", 0, 0x00FF, 0x80FF, 0xFFFF)), [0, 0, 128, 255]),
        (png(16, 2, struct.pack(">6H", 0x8000, 0x01FF, 0, 0xFFFF, 1, 2)), [(128, 1, 0), (255, 0, 0)]),
        # With alpha: 0x40 at half alpha is 64 × 128 / 255 + 255 × 127 / 255 = 159.1.
        (png(16, 4, struct.pack(">6H", 0x4000, 0xFFFF, 0x4000, 0, 0x4000, 0x8000)), [64, 255, 159]),
        (png(8, 4, bytes([64, 255, 64, 0, 64, 128])), [64, 255, 159]),
        (png(8, 6, bytes([1, 2, 3, 255, 9, 9, 9, 0, 0, 0, 0, 51])), [(1, 2, 3), 255, 204]),
        (png(8, 6, bytes([1, 2, 3, 255, 9, 9, 9, 255])), [(1, 2, 3), 9]),
        (png(16, 6, struct.pack(">8H", 0x0100, 0x0200, 0x0300, 0xFFFF, 7, 7, 7, 0)), [(1, 2, 3), 255]),
        # One transparent color (tRNS), which is in the bits of the file.
        (png(1, 0, b"\xa0", key=b"\0\0"), [255] * 8),
        (png(1, 0, b"\xa0", key=b"\0\1"), [255, 0, 255, 0, 0, 0, 0, 0]),
        (png(2, 0, b"\x1b", key=b"\0\1"), [0, 255, 170, 255]),
        (png(4, 0, b"\x2f\x31", key=b"\0\3"), [34, 255, 255, 17]),
        (png(8, 0, bytes([7, 8]), key=b"\0\7"), [255, 8]),
        (png(8, 0, bytes([7, 8]), key=b"\1\7"), [255, 8]),
        (png(16, 0, struct.pack(">3H", 0x1234, 0x1235, 0x2000), key=b"\x12\x34"), [255, 18, 32]),
        (png(8, 2, bytes([1, 2, 3, 1, 2, 4]), key=b"\0\1\0\2\0\3"), [255, (1, 2, 4)]),
        (png(16, 2, struct.pack(">6H", 0x1234, 0, 0x5600, 0x2000, 1, 2), key=b"\x12\x34\0\0\x56\0"), [255, (32, 0, 0)]),
        # A palette with alpha per entry, with one transparent entry, with none.
        (png(8, 3, b"\0\1", palette=bytes([0, 0, 0, 4, 5, 6]), key=b"\x33\xff"), [204, (4, 5, 6)]),
        (png(8, 3, b"\0\1", palette=bytes([1, 2, 3, 4, 5, 6]), key=b"\xff\0"), [(1, 2, 3), 255]),
        (png(8, 3, b"\0\1", palette=bytes([1, 2, 3, 4, 5, 6])), [(1, 2, 3), (4, 5, 6)]),
    ],
)
def test_the_exact_pixels_of_each_kind_of_png(content, expected):
    assert row_of(content) == expected


@pytest.mark.parametrize(("mode", "kind"), [("I;16", "<u2"), ("I;16B", ">u2"), ("I", "<i4")])
def test_gray_values_of_all_wide_modes_of_pillow(mode, kind):
    values = np.array([[0, 255, 256, 40_000, 65_535]], dtype=kind)
    image = Image.frombytes(mode, (5, 1), values.tobytes())
    assert pixels(as_seen(image)) == [[[v] * 3 for v in (0, 0, 1, 156, 255)]]


def test_values_beyond_16_bits_are_clipped():
    image = Image.frombytes("I", (2, 1), np.array([[-5, 70_000]], dtype="<i4").tobytes())
    assert pixels(as_seen(image)) == [[[0] * 3, [255] * 3]]


def test_transparency_agrees_with_transformers():
    convert = pytest.importorskip("transformers.image_transforms").convert_to_rgb
    random = np.random.default_rng(0)
    for mode, bands in (("RGBA", 4), ("LA", 2)):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (20, 30, bands), dtype=np.uint8), mode).save(file, "PNG")
        expected = convert(opened(file.getvalue()), return_numpy=True)
        assert pixels(as_seen(opened(file.getvalue()))) == expected.tolist()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_audit_model_endpoint_and_report_see_the_same(tmp_path, kind):
    data_urls = pytest.importorskip("unmirage.models.endpoint.data_urls")
    spec = pytest.importorskip("unmirage.models.endpoint.spec")
    half = Image.fromarray(np.array(STORED, dtype=np.uint8)).convert("RGBA")
    half.putpixel((0, 0), (9, 9, 9, 0))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    half.save(tmp_path / "a.png", kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    folder, expected = ImageFolder(tmp_path), lists([[W, W], [R, G], [R, B]])
    assert pixels(folder.open("a.png")) == expected
    facts, reduced = folder.inspect("a.png")
    assert (pixels(reduced), facts.width, facts.height, facts.has_exif) == (expected, 2, 3, True)
    measured = dict(zip(COLUMNS, measure(["a.png"], folder, 0).values[0], strict=True))
    assert (measured["width"], measured["height"]) == (2, 3)
    # Mean red: 4 of 6 pixels are 255 in red; green and blue: 2 white and 1 own.
    assert [measured[f"mean {c}"] for c in ("red", "green", "blue")] == pytest.approx([170, 127.5, 127.5])
    url = data_urls.DataUrls(folder, spec.EndpointSettings()).url("a.png")
    sent = opened(base64.b64decode(url.partition(",")[2]))
    assert (pixels(sent), dict(sent.getexif()), sent.mode) == (expected, {}, "RGB")
    shown = thumbnail(folder, "a.png")
    assert pixels(opened(base64.b64decode(shown.uri.partition(",")[2])).convert("RGB")) == expected
    assert (shown.width, shown.height) == (2 * 37, 3 * 37)


def test_a_reduced_picture_is_turned_and_its_sides_are_those_that_people_see(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    image = Image.new("RGB", (2000, 1000), W)
    image.paste((0, 0, 0), (0, 0, 1000, 1000))
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    facts, reduced = ImageFolder(tmp_path).inspect("a.jpg")
    assert ((facts.width, facts.height), reduced.size) == ((1000, 2000), (128, 256))
    # The left half, black, is at the bottom after a quarter turn to the left.
    assert (reduced.getpixel((64, 20)), reduced.getpixel((64, 235))) == (W, (0, 0, 0))


@pytest.mark.skipif(not FAULTS.is_dir(), reason="needs the shared data")
def test_pictures_of_public_bug_reports():
    folder = ImageFolder(FAULTS)
    turned = folder.open("exif6.jpg")
    assert turned.size == (48, 96)
    assert folder.inspect("exif6.jpg")[0].height == 96
    text = np.asarray(folder.open("alpha_text.png"), dtype=float)
    assert text.mean() == pytest.approx(250.2077, abs=1e-4)
    assert text[0, 0].tolist() == [255, 255, 255]
    gray = np.asarray(folder.open("gray16.png"))
    assert (gray.mean(), len(np.unique(gray)), gray.min(), gray.max()) == (127.5, 96, 0, 255)
    for name in ("exif6.jpg", "alpha_text.png", "gray16.png"):
        assert pixels(folder.inspect(name)[1]) == pixels(folder.open(name))


def test_every_color_and_alpha_is_rounded_to_the_nearest_value():
    color, alpha = np.meshgrid(np.arange(256), np.arange(256))
    image = Image.fromarray(np.stack([color, color, color, alpha], axis=-1).astype(np.uint8))
    expected = np.round(color * alpha / 255 + 255 - alpha)
    assert (np.asarray(as_seen(image)) == expected[..., None]).all()


def test_the_result_is_a_picture_of_its_own(tmp_path):
    image = Image.new("RGB", (2, 2), R)
    seen = as_seen(image)
    seen.putpixel((0, 0), G)
    assert image.getpixel((0, 0)) == R


def test_an_orientation_in_xmp_counts():
    xmp = b'<x:xmpmeta xmlns:tiff="t" tiff:Orientation="6"/>'
    file = io.BytesIO()
    Image.fromarray(np.array(STORED, dtype=np.uint8)).save(file, "WEBP", lossless=True, xmp=xmp)
    assert pixels(as_seen(opened(file.getvalue()))) == lists(SEEN[6])


def test_cmyk_gray_and_misnamed_pictures(tmp_path):
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    Image.new("L", (8, 8), 77).save(tmp_path / "png.jpg", format="PNG")
    Image.new("1", (3000, 2), 1).save(tmp_path / "bits.png")
    Image.new("RGBA", (1, 1), (10, 20, 30, 0)).save(tmp_path / "clear.webp", lossless=True, exact=True)
    folder = ImageFolder(tmp_path)
    assert folder.open("cmyk.jpg").getpixel((4, 4)) == pytest.approx((0, 255, 255), abs=3)
    assert folder.open("png.jpg").getpixel((0, 0)) == (77, 77, 77)
    assert (folder.open("bits.png").size, folder.open("bits.png").getpixel((2999, 1))) == ((3000, 2), W)
    assert folder.open("clear.webp").getpixel((0, 0)) == W
