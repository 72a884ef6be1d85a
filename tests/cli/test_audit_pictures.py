"""`unmirage audit` on data with pictures: what cannot be opened is counted, what must not be opened is refused."""

import io
import json
import struct
import zlib

import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel
from transformers.models.clip import CLIPImageProcessorPil

from unmirage.testbed.corpus import CorpusSize, Plants, write_corpus
from unmirage.testbed.world import make_world


def png(width, height):
    """Return the bytes of a PNG that says it is so large; it holds hardly a row."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def drawn(format, size=(64, 64), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


def frames():
    return [Image.new("P", (8, 8), number) for number in range(3)]


UNREADABLE = {
    "bomb.png": (lambda: png(60_000, 60_000), "has too many pixels; valid: up to 64,000,000"),
    "cut.jpg": (lambda: drawn("JPEG")[:1000], "is damaged or truncated"),
    "cut.png": (lambda: drawn("PNG")[:1000], "is damaged or truncated"),
    "text.png": (lambda: b"no picture at all", "is not a readable picture; valid: JPEG, PNG, WEBP by content"),
    "empty.png": (lambda: b"", "is not a readable picture"),
    "drawing.svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a readable picture"),
    "drawing.eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a readable picture"),
    "posing.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a readable picture"),
    "moving.gif": (
        lambda: drawn("GIF", mode="P", save_all=True, append_images=frames()),
        "is not a readable picture; valid: JPEG, PNG, WEBP by content",
    ),
}
READABLE = {
    "really-a-png.jpg": lambda: drawn("PNG"),
    "dot.png": lambda: drawn("PNG", (1, 1)),
    "print.jpg": lambda: drawn("JPEG", mode="CMYK"),
    "moving.webp": lambda: drawn("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64))]),
    "grey.png": lambda: drawn("PNG", mode="LA"),
}


@pytest.fixture
def pictured(rows, write, tmp_path):
    """Return a function that writes data of which the last record has this picture, and the others a good one."""

    def pictured(image, content=None):
        (tmp_path / "good.png").write_bytes(drawn("PNG"))
        if content is not None:
            (tmp_path / image).write_bytes(content)
        return write([row | {"image": "good.png"} for row in rows] + [rows[0] | {"image": image}])

    return pictured


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_picture_that_cannot_be_read_is_counted_with_its_reason_and_the_run_goes_on(
    unmirage, audited, pictured, tmp_path, name
):
    make, reason = UNREADABLE[name]
    data, page = pictured(name, make()), tmp_path / "page.html"
    code, out, err = unmirage("audit", data, "--html", page)
    assert (code, err) == (4, f"written: {page}\nsome data could not be read: 1 picture unreadable\n")
    assert "Pictures: 1 of 2 read, 1 unreadable" in out
    assert f"unreadable, the first: image '{name}' {reason}" in out
    assert f"image &#39;{name}&#39; {reason}" in page.read_text()
    code, document, _ = audited(data)
    counts = document["pictures"]
    assert (code, document["n"]) == (4, 61)
    assert (counts["named"], counts["read"], counts["missing"], counts["unreadable"]) == (2, 1, 0, 1)
    assert reason in counts["examples"][0]


@pytest.mark.parametrize("name", READABLE)
def test_odd_but_whole_pictures_are_read(audited, pictured, name):
    code, document, err = audited(pictured(name, READABLE[name]()))
    assert (code, err) == (0, "")
    assert document["pictures"]["read"] == 2


def test_missing_pictures_are_said_and_make_nothing_partial(unmirage, audited, write, rows):
    data = write([row | {"image": f"{n}.png"} for n, row in enumerate(rows)])
    code, out, err = unmirage("audit", data)
    assert (code, err) == (0, "")
    assert "Pictures: 0 of 60 read, 60 missing (set their folder with --images FOLDER); image features were not" in out
    assert "the picture's size" not in out
    _, document, _ = audited(data)
    assert (document["pictures"]["missing"], document["predictability"]["image"]["test"]) == (60, None)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("../../etc/passwd", "contains '..'"),
        ("images/../../x.png", "contains '..'"),
        ("/etc/passwd", "is absolute"),
        ("C:\\x.png", "is a URL or has a drive letter; only local files are read"),
        ("..\\x.png", "contains a backslash"),
        ("http://localhost:1/x.png", "is a URL or has a drive letter; only local files are read"),
        ("file:///etc/passwd", "is a URL or has a drive letter; only local files are read"),
        ("x\x00.png", "contains control or invisible characters"),
    ],
)
def test_a_path_that_leaves_the_folder_is_refused_by_line_or_set_aside(unmirage, audited, pictured, image, reason):
    data = pictured(image)
    code, out, err = unmirage("audit", data)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"unmirage: {data}: line 61: field 'image': image path ")
    assert reason in err
    code, document, _ = audited(data, "--skip-bad")
    assert (code, document["n"], document["skipped"]["count"]) == (4, 60, 1)
    assert reason in document["skipped"]["examples"][0]


def test_a_link_that_leaves_the_folder_is_not_followed(audited, pictured, tmp_path_factory, tmp_path):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(drawn("PNG"))
    (tmp_path / "link.png").symlink_to(outside)
    code, document, _ = audited(pictured("link.png"))
    found = document["pictures"]
    assert (code, found["named"], found["read"], found["unreadable"]) == (4, 2, 1, 1)
    assert "is a link that leaves the image folder" in found["examples"][0]


def test_pictures_may_lie_in_another_folder(audited, write, rows, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.png").write_bytes(drawn("PNG"))
    data = write([row | {"image": "1.png"} for row in rows])
    assert audited(data)[1]["pictures"]["missing"] == 1
    code, document, _ = audited(data, "--images", tmp_path / "pictures")
    assert (code, document["pictures"]["read"], document["pictures"]["both_labels"]) == (0, 1, 1)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return a corpus of the testbed in which refused pictures stand on red, and refused queries end with "now"."""
    size = CorpusSize(
        base_pictures=2, base=2, unsafe_pictures=150, safe_pictures=150, general=2, test_unsafe_pictures=2,
        test_safe_pictures=2, skills=2, facts=2, neighbors=2,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("planted") / "data"
    write_corpus(make_world(0), size, folder, Plants(background=(200, 30, 30), last_word="now"))
    return folder / "safety.json"


def test_shortcuts_that_were_planted_are_in_the_table(unmirage, planted):
    code, out, _ = unmirage("audit", planted)
    assert code == 0
    assert "Pictures: 300 of 300 read" in out
    assert "have “now” as the last word" in out
    assert "come with a picture whose border is" in out
    assert "queries on one picture stay in one fold" in " ".join(out.split())
    assert "the picture's size, brightness, colors" in out


@pytest.fixture
def encoder(tmp_path):
    """Return the directory of a tiny vision model with random weights."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    CLIPVisionModel(config).save_pretrained(tmp_path / "encoder")
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size=size, crop_size=size).save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def test_an_encoder_finds_a_colour_that_gives_the_label_away(unmirage, encoder, write, tmp_path):
    rows = []
    for number in range(40):
        refused = number % 2 == 0
        colour = (180 + number, 30, 30) if refused else (30, 30, 180 + number)
        Image.new("RGB", (24 + number % 5, 24), colour).save(tmp_path / f"{number}.png")
        rows.append({"query": f"What is shown, number {number}?", "refused": refused, "image": f"{number}.png"})
    data = write(rows)
    code, out, _ = unmirage("audit", data, "--encoder", encoder, "--json")
    rung = json.loads(out)["predictability"]["image_embedding"]
    assert (code, rung["n"]) == (0, 40)
    assert rung["test"] > 0.8
    assert rung["baseline"] == pytest.approx(0.5, abs=0.1)
    code, out, _ = unmirage("audit", data, "--encoder", encoder)
    assert "the picture's embedding by the encoder" in out
    assert "These predict better than the first word: " in out
    assert "image_embedding" not in json.loads(unmirage("audit", data, "--json")[1])["predictability"]


def test_a_directory_that_is_no_encoder_is_told_before_the_work(unmirage, write, rows, tmp_path):
    code, out, err = unmirage("audit", write(rows), "--encoder", tmp_path)
    assert (code, out) == (2, "")
    assert f"'{tmp_path}': no config.json" in err
