"""Hashes of rules, so that a calibration made with other rules is noticed."""

from unmirage.run.fingerprint import encoder_identity, source_hash


def test_the_hash_of_rules_covers_all_files_of_a_module_or_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "rules_in_one_file.py").write_text("A = 1")
    package = tmp_path / "rules_in_a_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    names = ("rules_in_one_file", "rules_in_a_package")
    found = {source_hash(names)}
    (package / "words.txt").write_text("no")
    found.add(source_hash(names))
    (tmp_path / "rules_in_one_file.py").write_text("A = 2")
    found.add(source_hash(names))
    assert len(found) == 3
    (package / "__init__.pyc").write_text("compiled")
    assert source_hash(names) in found
    assert len(source_hash(names)) == 12


def test_an_encoder_in_a_directory_is_known_by_its_files(tmp_path):
    one, other = tmp_path / "a" / "minilm", tmp_path / "b" / "minilm"
    for folder, weights in ((one, b"1"), (other, b"2")):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(weights)
    names = {encoder_identity(one), encoder_identity(str(one)), encoder_identity(other)}
    assert len(names) == 2
    assert all(name.startswith("minilm ") for name in names)
    assert encoder_identity(None) is None
    assert encoder_identity(ValueError()) == "ValueError"
