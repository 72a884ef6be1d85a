import json

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.judges.own_phrases import OwnPhrases


def read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return OwnPhrases.from_file(path)


@pytest.mark.parametrize(
    ("phrase", "response", "found"),
    [
        ("no comment", "No comment!", "no comment"),
        ("no comment", "**No** comment", "no comment"),
        ("no", "I know it.", None),  # whole words
        ("can't say", "I can’t say it", "can't say"),
        ("keep quiet.", "I keep quiet.", "keep quiet."),
        ("保密", "这是保密的", "保密"),
        ("re:\\bstay(?:s|ed)? private\\b", "It STAYED private.", "stayed private"),
        ("a+b", "a+b", "a+b"),  # plain phrases are no patterns
        ("a+b", "aab", None),
        ("late", "x " * 200 + "late", None),  # only the beginning counts
    ],
)
def test_phrases_and_patterns(tmp_path, phrase, response, found):
    for name, text in (("p.txt", f"# mine\n\n{phrase}\n"), ("p.json", json.dumps([phrase]))):
        assert read(tmp_path, name, text).phrase(response) == found


def test_phrases_of_a_language_count_in_it_only(tmp_path):
    own = read(tmp_path, "p.yaml", "de: [bleibt geheim]\nfr: ['re:reste secr[eè]t']\n")
    assert own.languages == {"de", "fr"}
    assert own.phrase("Das bleibt geheim, und es ist gut so.") == "bleibt geheim"
    assert own.phrase("Cela reste secret, et c'est très bien ainsi.") == "reste secret"
    assert own.phrase("The sign says “bleibt geheim”, which is what they are after.") is None
    assert own.phrase("Geheim") is None
    assert read(tmp_path, "q.yaml", "[bleibt geheim]").languages == set()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.txt", "# nothing\n", "no phrases; valid: a list of phrases"),
        ("p.txt", "fine\nre:(\n", "line 2: invalid pattern 're:(' (missing"),
        ("p.txt", "re:a*\n", "line 1: the pattern 're:a*' matches every response"),
        ("p.txt", "***\n", "line 1: '***' has no letters"),
        ("p.json", "[1]", "phrase 1 is 1; valid"),
        ("p.json", '[""]', "phrase 1 is ''; valid"),
        ("p.json", '{"de": ["a"', "cannot parse the file"),
        ("p.json", '"a"', "the phrases are not a list; valid"),
        ("p.yaml", "de: nein", "de is not a list; valid"),
        ("p.yaml", "xx: [a]", "unknown language code 'xx'; valid: af, am"),
        ("p.yaml", "de: [ja, 2]", "de, phrase 2 is 2; valid"),
        ("p.yaml", "", "the phrases are not a list; valid"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, text, told):
    with pytest.raises(UserError) as error:
        read(tmp_path, name, text)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_other_encodings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: cannot read the phrases \(No such file"):
        OwnPhrases.from_file(tmp_path / "none.txt")
    path = tmp_path / "latin.txt"
    path.write_bytes("désolé".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        OwnPhrases.from_file(path)
