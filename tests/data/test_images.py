import struct
import zlib
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from unmirage.data.images import ImageFolder, PictureFile, check_path
from unmirage.data.pixels import as_seen
from unmirage.errors import UserError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    Image.new("RGB", (4, 3), (200, 10, 10)).save(root / "sub" / "red.png")
    return ImageFolder(root)


def png_header(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_picture_comes_back_loaded_and_in_rgb(folder):
    image = folder.open("sub/red.png")
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (4, 3), (200, 10, 10))
    folder.check("sub/red.png")


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("CMYK", "a.jpg"),
        ("L", "a.png"),
        ("RGBA", "a.webp"),
        ("P", "a.png"),
        ("1", "a.png"),
        ("I;16", "a.png"),
    ],
)
def test_every_colour_mode_becomes_rgb(folder, mode, name):
    Image.new(mode, (1, 1)).save(folder.root / name)
    assert folder.open(name).mode == "RGB"


def test_a_palette_with_transparency_becomes_rgb_without_a_warning(folder):
    Image.new("P", (2, 2)).save(folder.root / "p.png", transparency=b"\x00\x80")
    assert folder.open("p.png").mode == "RGB"


def test_an_animation_gives_its_first_frame(folder):
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    frames[0].save(folder.root / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert folder.open("a.webp").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "is absolute"),
        ("~/x.png", "is absolute"),
        ("../x.png", r"contains '\.\.'"),
        ("sub/../../x.png", r"contains '\.\.'"),
        ("C:/x.png", "is a URL or has a drive letter"),
        ("C:x.png", "is a URL or has a drive letter"),
        ("sub\\red.png", "contains a backslash"),
        ("\\\\host\\x.png", "contains a backslash"),
        ("http://example.org/x.png", "is a URL"),
        ("FILE:///etc/passwd", "is a URL"),
        ("data:image/png;base64,AAAA", "is the picture itself in base64; save it as a file"),
        ("a\0.png", "contains control or invisible characters"),
        ("", "is empty"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_by_its_text_alone(folder, path, reason):
    with pytest.raises(UserError, match=reason) as caught:
        check_path(path)
    assert repr(path) in str(caught.value)
    assert "valid: a path below the image folder" in str(caught.value)
    with pytest.raises(UserError, match=reason):
        folder.open(path)


@given(st.text(max_size=30))
def test_whatever_passes_the_check_stays_below_the_folder(tmp_path_factory, path):
    root = tmp_path_factory.getbasetemp().resolve()
    try:
        check_path(path)
    except UserError:
        return
    assert (root / path).resolve().is_relative_to(root)


def test_a_link_may_stay_inside_but_not_leave(folder, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "outside.png")
    (folder.root / "out.png").symlink_to(tmp_path / "outside.png")
    (folder.root / "up").symlink_to(tmp_path)
    (folder.root / "in.png").symlink_to(folder.root / "sub" / "red.png")
    for path in ("out.png", "up/outside.png"):
        with pytest.raises(UserError, match=f"'{path}' is a link that leaves the image folder"):
            folder.open(path)
    assert folder.open("in.png").size == (4, 3)


@pytest.mark.parametrize("path", ["none.png", "sub"])
def test_a_missing_picture_names_path_and_folder(folder, path):
    with pytest.raises(UserError, match=f"'{path}' is not a file in .*pictures; name the image folder"):
        folder.check(path)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "EPS", "PPM", *(["AVIF"] if features.check("avif") else [])])
def test_other_formats_are_refused_by_content_whatever_their_name(folder, kind):
    Image.new("RGB", (2, 2)).save(folder.root / "x.png", format=kind)
    with pytest.raises(UserError, match=r"'x\.png' is not a readable picture; valid: JPEG, PNG, WEBP"):
        folder.check("x.png")


def test_text_and_empty_files_are_no_pictures(folder):
    for content in (b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        (folder.root / "x.png").write_bytes(content)
        with pytest.raises(UserError, match="not a readable picture"):
            folder.check("x.png")


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_small_file_with_a_huge_canvas_is_refused_by_its_header(folder, side):
    (folder.root / "bomb.png").write_bytes(png_header(side, side))
    with pytest.raises(UserError, match=r"'bomb\.png' has too many pixels; valid: up to 64,000,000"):
        folder.check("bomb.png")


def test_the_limit_of_pixels_can_be_set(folder):
    small = ImageFolder(folder.root, max_pixels=11)
    with pytest.raises(UserError, match="too many pixels; valid: up to 11"):
        small.open("sub/red.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_picture_cut_short_is_refused(folder, name):
    path = folder.root / name
    Image.effect_noise((64, 64), 80).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f"'{name}' is (damaged or truncated|not a readable picture)"):
        folder.open(name)


@pytest.mark.parametrize("path", ["a" * 5_000, "b/" * 3_000 + "x.png"])
def test_a_name_that_no_disk_can_hold_is_refused(folder, path):
    with pytest.raises(UserError, match=r"cannot be looked up|is not a file in") as caught:
        folder.check(path)
    assert "\n" not in str(caught.value)
    assert not folder.exists(path)


def test_a_loop_of_links_is_refused(folder):
    (folder.root / "loop").symlink_to(folder.root / "loop")
    with pytest.raises(UserError, match="'loop' cannot be looked up"):
        folder.open("loop")
    assert not folder.exists("loop")


def test_a_picture_that_may_not_be_read_is_named(folder, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(folder.root), "open", denied)
    with pytest.raises(UserError, match=r"'sub/red\.png' cannot be read \(Permission denied\)"):
        folder.open("sub/red.png")


def test_exists_says_of_any_path_whether_there_is_a_file_though_it_may_be_refused(folder, tmp_path):
    (folder.root / "out.png").symlink_to(tmp_path)
    (tmp_path / "x.png").write_bytes(b"")
    answers = {
        path: folder.exists(path) for path in ("sub/red.png", "none.png", "sub", "../x.png", "out.png/x.png", "\0")
    }
    assert [path for path, there in answers.items() if there] == ["sub/red.png", "out.png/x.png"]
    with pytest.raises(UserError, match="is a link that leaves the image folder"):
        folder.inspect("out.png/x.png")


@given(st.text(st.characters(codec=None)))
def test_exists_never_fails(tmp_path_factory, path):
    assert ImageFolder(tmp_path_factory.getbasetemp() / "pictures").exists(path) is False


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "JPEG"), ("a.png", "PNG"), ("a.webp", "WEBP")])
@pytest.mark.parametrize(
    ("size", "reduced"), [((1024, 300), (256, 75)), ((256, 10), (256, 10)), ((1, 5000), (1, 256)), ((1, 1), (1, 1))]
)
def test_inspect_gives_facts_and_a_small_picture(folder, name, kind, size, reduced):
    Image.new("RGB", size, (200, 10, 10)).save(folder.root / name)
    facts, image = folder.inspect(name)
    content = (folder.root / name).read_bytes()
    assert facts == PictureFile(*size, kind, False, blake2b(content, digest_size=8).hexdigest())
    assert (image.mode, image.size) == ("RGB", reduced)
    assert image.getpixel((0, 0)) == pytest.approx((200, 10, 10), abs=4)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_inspect_sees_exif(folder, name):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    Image.new("RGB", (4, 4)).save(folder.root / name, exif=exif)
    assert folder.inspect(name)[0].has_exif


def test_inspect_tells_the_format_by_content_and_equal_files_by_their_digest(folder):
    Image.new("L", (4, 4)).save(folder.root / "x.png", format="JPEG")
    (folder.root / "y.webp").write_bytes((folder.root / "x.png").read_bytes())
    (x, _), (y, _) = folder.inspect("x.png"), folder.inspect("y.webp")
    assert x == y
    assert x.format == "JPEG"
    assert x.digest != folder.inspect("sub/red.png")[0].digest


def test_a_jpeg_with_a_second_one_behind_it_is_a_jpeg(folder):
    image = Image.new("RGB", (600, 600))
    image.save(folder.root / "a.jpg", format="MPO", save_all=True, append_images=[image])
    assert folder.inspect("a.jpg")[0].format == "JPEG"
    assert folder.open("a.jpg").size == (600, 600)


def test_inspect_decodes_a_large_jpeg_at_a_fraction_of_its_size(folder, monkeypatch):
    Image.new("RGB", (4096, 2048)).save(folder.root / "a.jpg")
    decoded = []
    monkeypatch.setattr(
        "unmirage.data.images.as_seen", lambda image: (image.load() and decoded.append(image.size)) or as_seen(image)
    )
    assert folder.inspect("a.jpg")[1].size == (256, 128)
    assert decoded == [(512, 256)]


@pytest.mark.parametrize("mode", ["CMYK", "LA", "P", "1", "I;16"])
def test_inspect_takes_every_colour_mode(folder, mode):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    Image.new(mode, (600, 600)).save(folder.root / name)
    assert (folder.inspect(name)[1].mode, folder.inspect(name)[1].size) == ("RGB", (256, 256))


def test_inspect_refuses_what_open_refuses(folder, monkeypatch):
    (folder.root / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (folder.root / "text.png").write_bytes(b"x")
    (folder.root / "cut.png").write_bytes(png_header(64, 64))
    for name, reason in (
        ("bomb.png", "too many pixels"),
        ("text.png", "not a readable picture"),
        ("cut.png", "damaged or truncated"),
        ("../x.png", r"contains '\.\.'"),
        ("none.png", "is not a file"),
    ):
        with pytest.raises(UserError, match=reason):
            folder.inspect(name)
    monkeypatch.setattr("unmirage.data.images._MAX_BYTES", 10)
    with pytest.raises(UserError, match=r"'sub/red\.png' is larger than 10 bytes; reduce it"):
        folder.inspect("sub/red.png")


def test_a_file_is_given_as_it_is_but_never_one_outside(folder, tmp_path):
    path = folder.root / "sub" / "red.png"
    assert folder.content("sub/red.png") == path.read_bytes()
    (folder.root / "out.png").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("x")
    for name in ("../secret", "out.png", "gone.png"):
        with pytest.raises(UserError, match="image"):
            folder.content(name)
