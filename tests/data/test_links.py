"""Links below an image folder: which are followed. One tree, as a practitioner or an attacker would make it."""

import logging
import pickle

import pytest
from PIL import Image

from unmirage.audit.pictures import Status, measure
from unmirage.data import load_samples
from unmirage.data.images import ImageFolder
from unmirage.errors import UserError


def picture(path, width):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 1)).save(path, "PNG")
    return path


@pytest.fixture
def root(tmp_path):
    picture(tmp_path / "set" / "own.png", 1)
    return tmp_path / "set"


def width(root, name):
    return ImageFolder(root).open(name).width


def refused(root, name, reason="is a link that leaves the image folder"):
    with pytest.raises(UserError, match=reason) as caught:
        ImageFolder(root).open(name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_the_image_folder_may_be_a_link(root, tmp_path):
    (tmp_path / "linked").symlink_to(root)
    assert width(tmp_path / "linked", "own.png") == 1


def test_linked_folders_are_followed_at_any_depth_and_reported_once(root, tmp_path, caplog):
    picture(tmp_path / "disk" / "coco" / "a.png", 2)
    picture(tmp_path / "disk" / "coco" / "b.png", 3)
    (root / "coco").symlink_to(tmp_path / "disk" / "coco")
    (root / "gqa").mkdir()
    (root / "gqa" / "images").symlink_to("../../disk/coco")
    folder = ImageFolder(root)
    with caplog.at_level(logging.INFO, "unmirage"):
        found = [folder.open(name).width for name in ("coco/a.png", "coco/b.png", "gqa/images/b.png", "own.png")]
    assert found == [2, 3, 3, 1]
    real = (tmp_path / "disk" / "coco").resolve()
    assert [record.getMessage() for record in caplog.records] == [
        f"{root / 'coco'} is a link; its pictures are read from {real}",
        f"{root / 'gqa/images'} is a link; its pictures are read from {real}",
    ]


def test_links_to_links_are_followed_to_the_end(root, tmp_path):
    picture(tmp_path / "far" / "train" / "a.png", 4)
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "train").symlink_to(tmp_path / "far" / "train")
    (tmp_path / "again").symlink_to(tmp_path / "near")
    (root / "data").symlink_to(tmp_path / "again")
    (root / "same.png").symlink_to("other.png")
    (root / "other.png").symlink_to("own.png")
    # "data" leads to "near", in which "train" is a link once more.
    assert (width(root, "data/train/a.png"), width(root, "same.png")) == (4, 1)


def test_a_linked_file_stays_in_the_image_folder_or_in_the_linked_folder_on_its_path(root, tmp_path):
    picture(tmp_path / "secret.png", 9)
    picture(tmp_path / "disk" / "a.png", 2)
    (tmp_path / "disk" / "same.png").symlink_to("a.png")
    (tmp_path / "disk" / "home.png").symlink_to(root / "own.png")
    (tmp_path / "disk" / "out.png").symlink_to("../secret.png")
    (root / "disk").symlink_to(tmp_path / "disk")
    (root / "absolute.png").symlink_to(tmp_path / "secret.png")
    (root / "upward.png").symlink_to("../secret.png")
    (root / "beside.png").symlink_to(tmp_path / "disk" / "a.png")
    (root / "hop.png").symlink_to("upward.png")
    (root / "passwd.png").symlink_to("/etc/passwd")
    assert [width(root, f"disk/{name}.png") for name in ("a", "same", "home")] == [2, 2, 1]
    for name in ("disk/out.png", "absolute.png", "upward.png", "beside.png", "hop.png", "passwd.png"):
        refused(root, name)


@pytest.mark.parametrize("target", ["/", "..", "../..", "."])
def test_a_linked_folder_that_contains_the_image_folder_opens_nothing_else(root, tmp_path, target):
    secret = picture(tmp_path / "secret.png", 9)
    (root / "up").symlink_to(target)
    outside = {"/": f"up{secret}", "..": "up/secret.png", "../..": f"up/{tmp_path.name}/secret.png"}
    inside = {"/": f"up{root}/own.png", "..": "up/set/own.png", "../..": f"up/{tmp_path.name}/set/own.png"}
    picture(tmp_path / "private" / "b.png", 9)
    (tmp_path / "private" / "on").symlink_to(tmp_path / "private")
    if target != ".":
        refused(root, outside[target])
        refused(root, outside[target].replace("secret.png", "private/b.png"))
        refused(root, outside[target].replace("secret.png", "private/on/b.png"))
    assert width(root, inside.get(target, "up/own.png")) == 1


def test_a_link_in_a_linked_folder_may_not_climb_above_it(root, tmp_path):
    picture(tmp_path / "disk" / "private" / "a.png", 9)
    (tmp_path / "disk" / "coco").mkdir()
    (tmp_path / "disk" / "coco" / "up").symlink_to("..")
    (root / "coco").symlink_to(tmp_path / "disk" / "coco")
    (tmp_path / "disk" / "a.png").write_bytes((tmp_path / "disk" / "private" / "a.png").read_bytes())
    refused(root, "coco/up/private/a.png")
    refused(root, "coco/up/a.png")


def test_broken_and_cyclic_links_are_named(root, tmp_path):
    (root / "broken.png").symlink_to("gone.png")
    (root / "gone").symlink_to(tmp_path / "gone")
    (root / "one.png").symlink_to("two.png")
    (root / "two.png").symlink_to("one.png")
    (root / "loop").symlink_to("loop")
    refused(root, "broken.png", "is a link to .*/set/gone.png, which is not a file; restore it or fix the link")
    refused(root, "gone/a.png", "is not a file in")
    # Python 3.13 and newer resolve a loop to itself.
    for name in ("one.png", "loop", "loop/a.png"):
        refused(root, name, "cannot be looked up|which is not a file|is not a file in")
        assert not ImageFolder(root).exists(name)


@pytest.fixture
def cache(tmp_path):
    """Return a snapshot as `huggingface_hub` makes it, with a data file and pictures in two folders."""
    repository = tmp_path / "hub" / "datasets--owner--name"
    snapshot = repository / "snapshots" / "0123abcd"
    (snapshot / "images").mkdir(parents=True)
    picture(repository / "blobs" / "1111", 5)
    picture(repository / "blobs" / "2222", 6)
    (repository / "blobs" / "3333").write_text(
        '{"query": "a", "refused": true, "image": "top.png"}\n'
        '{"query": "b", "refused": false, "image": "images/x.png"}\n'
    )
    (snapshot / "top.png").symlink_to("../../blobs/1111")
    (snapshot / "images" / "x.png").symlink_to("../../../blobs/2222")
    (snapshot / "train.jsonl").symlink_to("../../blobs/3333")
    return snapshot


def test_a_snapshot_of_the_hub_cache_is_read(cache):
    data = load_samples(cache / "train.jsonl")
    folder = ImageFolder(data.image_root)
    assert [folder.open(sample.image).width for sample in data] == [5, 6]
    assert width(cache / "images", "x.png") == 6
    measured = measure([sample.image for sample in data], folder, 0)
    assert measured.status.tolist() == [Status.READ] * 2


def test_a_link_to_a_snapshot_is_read(cache, root):
    (root / "hub").symlink_to(cache / "images")
    assert width(root, "hub/x.png") == 6


def test_blobs_of_another_repository_and_files_beside_them_are_refused(cache, tmp_path):
    picture(tmp_path / "hub" / "datasets--other" / "blobs" / "4444", 9)
    picture(cache.parent.parent / "private.png", 9)
    picture(tmp_path / "hub" / "blobs" / "aa" / "5555", 9)
    (cache / "other.png").symlink_to("../../../datasets--other/blobs/4444")
    (cache / "beside.png").symlink_to("../../private.png")
    (cache / "shared.png").symlink_to("../../../blobs/aa/5555")
    for name in ("other.png", "beside.png", "shared.png"):
        refused(cache, name)


def test_the_blobs_that_a_cache_shares_are_read(cache, tmp_path):
    blob = picture(tmp_path / "hub" / "blobs" / "aa" / "5555", 7)
    (cache.parent.parent / "blobs" / "6666").symlink_to("../../blobs/aa/5555")
    (cache / "shared.png").symlink_to("../../blobs/6666")
    refused(cache, "shared.png")
    (blob.parent.parent / ".huggingface-shared-blobs").write_text("1")
    assert width(cache, "shared.png") == 7


def test_a_link_in_place_of_the_blobs_is_not_followed(tmp_path):
    picture(tmp_path / "private" / "a.png", 9)
    snapshot = tmp_path / "repository" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (tmp_path / "repository" / "blobs").symlink_to(tmp_path / "private")
    (snapshot / "a.png").symlink_to("../../blobs/a.png")
    refused(snapshot, "a.png")


def test_an_image_folder_goes_to_other_processes(tmp_path):
    (tmp_path / "real").mkdir()
    Image.new("RGB", (3, 1)).save(tmp_path / "real" / "1.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(tmp_path / "real")
    folder = ImageFolder(tmp_path / "data")
    assert folder.open("images/1.png").width == pickle.loads(pickle.dumps(folder)).open("images/1.png").width == 3
