"""Hashes of rules, so that a calibration made with other rules is noticed."""

from unmirage.run.fingerprint import source_hash


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
