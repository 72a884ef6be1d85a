"""The guide to wordings that an audit learns: counts of openers, and weights of words."""

from unmirage.audit import AuditResult, audit
from unmirage.audit.wordings import guide_of_samples, learned

ANSWERED = [f"What is the color of {thing}?" for thing in ("the hat", "the car", "the dog", "it", "this")]
REFUSED = [f"Share this image of {thing}." for thing in ("the hat", "the car", "the dog", "it", "this")]


def data(make_dataset):
    return make_dataset(*((one, False) for one in ANSWERED), *((one, True) for one in REFUSED))


def test_openers_of_two_and_three_words_are_counted_by_label_copies_included():
    guide = learned([*((one, False) for one in [*ANSWERED, ANSWERED[0]]), *((one, True) for one in REFUSED)])
    counts = {one.form: (one.refused, one.answered) for one in guide.forms}
    assert counts == {"what is": (0, 6), "what is the": (0, 6), "share this": (5, 0), "share this image": (5, 0)}
    assert [one.form for one in guide.forms][:2] == ["what is", "what is the"]


def test_the_classifier_learns_which_words_are_refused_and_counts_copies_once():
    guide = learned([*((one, False) for one in [*ANSWERED, ANSWERED[0]]), *((one, True) for one in REFUSED)])
    assert guide.n == 10
    assert guide.weights["^what is the"] < 0 < guide.weights["^share"]
    assert guide.weights["^what"] == guide.weights["^what is"]  # in the same queries
    assert "hat" not in guide.weights  # in two queries only
    assert guide.refusal("What is the name?") < 0.5 < guide.refusal("Share this image.")


def test_one_label_teaches_no_weights():
    guide = learned([(one, True) for one in REFUSED])
    assert (guide.n, guide.weights) == (0, {})
    assert [one.form for one in guide.forms] == ["share this", "share this image"]
    assert learned([]).forms == ()


def test_the_same_data_teach_the_same_guide(make_dataset):
    assert guide_of_samples(data(make_dataset)) == guide_of_samples(data(make_dataset))


def test_an_audit_carries_the_guide(make_dataset, tmp_path):
    found = audit(data(make_dataset))
    assert found.wordings == guide_of_samples(data(make_dataset))
    found.save(tmp_path / "audit.json")
    assert AuditResult.load(tmp_path / "audit.json").wordings == found.wordings


def test_audits_of_versions_without_a_guide_are_read_and_written_without_it(make_dataset):
    document = audit(data(make_dataset)).to_dict()
    del document["wordings"]
    old = AuditResult.read(document)
    assert old.wordings is None
    assert "wordings" not in old.to_dict()
