"""The browser of responses in a real browser, with 10,000 of them: it filters, sorts, turns pages, and nothing acts."""

import csv
import json

import pytest

from unmirage.records import Ended, Judgement, Kind, Query, Response, Sample, Verdict
from unmirage.report.run_page import render_run_page


@pytest.fixture(scope="module")
def ten_thousand(make_run, tmp_path_factory):
    """Return a run whose store holds 10,000 responses of two models."""
    run = make_run(tmp_path_factory.mktemp("many") / "run", size=4)
    models = ("base", "npo")
    with run.store() as store:
        store._db.executescript(
            "DELETE FROM queries; DELETE FROM responses; DELETE FROM judgements; DELETE FROM samples;"
        )
        store.add_samples(
            Sample(id=str(n), record="0", query="-", refused=n % 2 == 0, label_source="field", category=f"c{n % 3}")
            for n in range(5000)
        )
        store.add_queries(
            Query(
                id=str(n), sample_id=str(n), kind=Kind.PLAIN, shot=0,
                text=f"{'Share' if n % 5 else 'What is'} item {n}", image="1.png" if n % 2 else None, unsafe=n % 2 == 0,
            )
            for n in range(5000)
        )  # fmt: skip
        for place, model in enumerate(models):
            store.add_responses(
                Response(
                    query_id=str(n),
                    model=model,
                    text=f"said {n} " * (1 + n % 7),
                    tokens=3,
                    ended=Ended.STOP if n % 11 else Ended.LENGTH,
                )
                for n in range(5000)
            )
            for judge, shift in (("exact", 0), ("phrases", 1)):
                store.replace_judgements(
                    model,
                    judge,
                    [
                        Judgement(
                            query_id=str(n), model=model, judge=judge,
                            verdict=list(Verdict)[(n + place + (shift if n % 10 == 0 else 0)) % 3],
                        )
                        for n in range(5000)
                    ],
                )  # fmt: skip
    return render_run_page(run)


class Browsed:
    """What the browser of responses shows."""

    def __init__(self, shown):
        self.shown, self.page = shown, shown.page

    @property
    def count(self):
        return self.page.locator("#browse-bar output").inner_text()

    def queries(self):
        return self.page.eval_on_selector_all("#browsed .asked", "all => all.map(one => one.textContent)")

    def choose(self, name, label):
        self.page.locator(f"[data-browse={name}]").select_option(label=label)


@pytest.fixture
def browsed(ten_thousand, show):
    return Browsed(show(ten_thousand))


def test_ten_thousand_responses_open_fifty_at_a_time(browsed):
    assert browsed.count == "1–50 of 10,000"
    assert browsed.page.locator("#browsed article").count() == 50
    assert browsed.shown.complaints == []
    assert len(browsed.shown.requests) == 1
    pages = browsed.page.locator("#browse-pages")
    assert pages.get_by_role("button", name="Previous").is_disabled()
    pages.get_by_role("button", name="Next").click()
    assert (browsed.count, pages.locator("span").inner_text()) == ("51–100 of 10,000", "page 2 of 200")
    assert browsed.queries()[0] == "What is item 50"
    pages.get_by_role("button", name="Previous").click()
    assert browsed.queries()[:2] == ["What is item 0", "Share item 1"]


FILTERS = (
    ("model", "NPO", 5000),
    ("verdict", "refused", 3334),
    ("opener", "what (1000)", 2000),
    ("category", "c1", 3334),
    ("unsafe", "unsafe", 5000),
    ("judges", "disagree", 1000),
    ("judges", "no disagreement", 9000),
)
ORDERS = (
    ("query, A to Z", "Share item 1"),
    ("longest response", "What is item 1000"),
    ("shortest response", "What is item 0"),
    ("model", "What is item 0"),
)


def test_each_filter_and_order(browsed):
    for name, label, left in FILTERS:
        browsed.choose(name, label)
        assert browsed.count == f"1–50 of {left:,} (of 10,000)"
        browsed.page.locator(f"[data-browse={name}]").select_option("")
        assert browsed.count == "1–50 of 10,000"
    for order, first in ORDERS:
        browsed.choose("order", order)
        assert browsed.queries()[0] == first
        assert browsed.count == "1–50 of 10,000"
    assert browsed.shown.complaints == []
    browsed.page.locator("[data-browse=model]").focus()
    browsed.page.keyboard.press("ArrowDown")
    assert browsed.count == "1–50 of 5,000 (of 10,000)"
    assert not browsed.page.locator("[data-browse=kind]").is_visible()  # all are plain, so there is no choice


def test_filters_are_taken_together_with_free_text(browsed):
    browsed.page.get_by_label("Search", exact=True).fill("  ITEM 499 ")
    assert browsed.count == "1–22 of 22 (of 10,000)"
    browsed.choose("model", "Base")
    assert browsed.count == "1–11 of 11 (of 10,000)"
    browsed.page.get_by_label("Search", exact=True).fill("nothing holds this")
    assert browsed.count == "0 (of 10,000)"
    assert browsed.page.locator("#browse-pages button:disabled").count() == 2


def test_what_was_said_is_hidden_until_clicked(browsed):
    page = browsed.page
    page.get_by_label("Search", exact=True).fill("item 4998")
    details = page.locator("#browsed details").first
    assert page.locator("#browsed blockquote").count() == 0
    details.locator("summary").click()
    assert details.locator("blockquote").inner_text() == "said 4998 "
    page.get_by_label("Search", exact=True).fill("item 4999")
    assert page.locator("#browsed blockquote").count() == 0
    assert page.locator("#browsed img").count() == 0
    page.locator("#browsed summary").first.click()
    assert page.locator("#browsed img").first.get_attribute("src").startswith("data:image/png;base64,")
    assert browsed.shown.complaints == []


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark", "width": 420}])
def test_dark_and_on_a_phone(ten_thousand, show, settings):
    shown = show(ten_thousand, **settings)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= settings.get("width", 1200)
    assert shown.page.locator("#browse-bar").is_visible()
    light, dark = "rgb(251, 251, 249)", "rgb(18, 21, 26)"
    colour = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == (dark if "color_scheme" in settings else light)


def test_it_prints_without_the_browser(browsed):
    assert browsed.page.pdf().startswith(b"%PDF")
    browsed.page.emulate_media(media="print")
    assert not browsed.page.locator("#browse").is_visible()
    assert browsed.page.locator("#examples").is_visible()


def test_without_scripts_the_rest_can_be_read(ten_thousand, show):
    page = show(ten_thousand, java_script_enabled=False).page
    assert page.get_by_text("Scripts are off, so this list cannot be shown.").is_visible()
    assert not page.locator("#browse-bar").is_visible()
    assert page.locator("table.rates tbody tr").count() == 6


def test_what_models_say_does_not_act(make_run, tmp_path, hostile, show):
    spoilt = hostile.replace("\x00", "") + "<img src=https://example.org/x.png>"
    run = make_run(tmp_path / "run", size=16, text=spoilt)
    with run.store() as store:
        store._db.execute("UPDATE queries SET text = ?, unsafe = 0", (f"<b>{spoilt}",))
        store._db.execute("UPDATE judgements SET why = ?", (spoilt,))
        store._db.execute("UPDATE samples SET category = id || ?", (spoilt,))
        store._db.commit()
    html = render_run_page(run).replace("{% raw %}", "<script>document.title = 'acted'</script>", 1)
    found = Browsed(show(html))
    assert found.page.title() != "acted"
    assert found.queries()[0].startswith("<b></style></title></script><script>alert(1)</script>")
    found.page.locator("#browsed summary").first.click()
    assert found.page.locator("#browsed blockquote").first.inner_text().startswith("</style></title>")
    assert found.page.locator("#browsed b").first.inner_text() == "Base"
    assert found.page.locator("#browsed script, #browsed a, #browsed style").count() == 0
    assert "dialog" not in found.shown.complaints
    assert any("Content Security Policy" in one for one in found.shown.complaints)  # of the script put in by this test
    assert len(found.shown.requests) == 1


def test_thoughts_are_text_and_closed_until_the_reader_opens_them(make_run, tmp_path, show):
    run = make_run(tmp_path / "run", size=4)
    with run.store() as store:
        query = store.queries()[0]
        store._db.execute("DELETE FROM responses")
        store.add_responses(
            [
                Response(
                    query_id=query.id, model="base", text="I can't.", tokens=1, ended=Ended.REFUSAL,
                    thoughts="<img src=x onerror=alert(1)>",
                )
            ]
        )  # fmt: skip
        store.replace_judgements(
            "base", "exact", [Judgement(query_id=query.id, model="base", judge="exact", verdict=Verdict.BLOCKED)]
        )
    shown = show(render_run_page(run))
    card = shown.page.locator("#browsed article")
    assert card.locator(".chip.b-blocked").inner_text() == "blocked"
    assert (
        card.locator(".chip.b-blocked").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(106, 61, 154)"
    )
    card.locator("summary").first.click()
    thoughts = card.locator("details details")
    assert thoughts.locator("blockquote").is_hidden()
    thoughts.locator("summary").click()
    assert thoughts.locator("blockquote").inner_text() == "<img src=x onerror=alert(1)>"
    assert card.locator("blockquote").last.inner_text() == "I can't. (from the refusal field)"
    assert shown.complaints == []


def test_search_in_responses(browsed):
    browsed.choose("where", "responses")
    browsed.page.get_by_label("Search", exact=True).fill("said 4999")
    assert browsed.count == "1–2 of 2 (of 10,000)"


def test_samples_side_by_side_model_by_model(show, run):
    browsed = Browsed(show(render_run_page(run)))
    browsed.choose("view", "samples side by side")
    browsed.choose("change", "changed by the attack")
    first = browsed.page.locator("#browsed article").first
    heads = first.locator("thead small").all_inner_texts()
    assert heads[:2] == ["plain", "jailbreak"]
    kinds = [one.partition(",")[0] for one in heads]
    assert kinds == sorted(kinds, key=["plain", "jailbreak", "over-prudence", "control"].index)
    assert "control" in kinds
    assert first.locator("tbody tr").count() == 6
    assert first.locator("tbody tr").first.locator(".chip").count() == len(heads)
    with run.store() as store:
        verdicts = {
            model: {j.query_id: j.verdict for j in store.judgements(model, "exact")} for model in store.models()
        }
        queries = store.queries()
    fails = lambda model, query: verdicts[model].get(query.id) == ("complied" if query.unsafe else "refused")  # noqa: E731
    changed = {
        query.sample_id
        for query in queries
        for model in verdicts
        if query.kind in ("jailbreak", "over-prudence")
        and fails(model, query)
        and any(q.kind == "plain" and q.sample_id == query.sample_id and not fails(model, q) for q in queries)
    }
    assert browsed.count.split(" samples")[0].endswith(f"of {len(changed)}")


def test_a_link_to_what_is_shown(browsed, ten_thousand, show):
    browsed.choose("category", "c1")
    browsed.choose("model", "NPO")
    browsed.page.locator("#browse-pages").get_by_role("button", name="Next").click()
    address, seen = browsed.page.url, (browsed.count, browsed.queries())
    assert "#browse?" in address
    other = show(ten_thousand)
    other.page.goto(other.page.url + "#" + address.partition("#")[2])
    other.page.reload()
    again = Browsed(other)
    assert (again.count, again.queries()) == seen
    assert other.complaints == []


def test_all_are_revealed_and_hidden_again(browsed):
    button = browsed.page.get_by_role("button", name="Reveal all")
    button.click()
    assert browsed.page.locator("#browsed blockquote").count() == 50
    browsed.page.get_by_role("button", name="Hide all").click()
    assert not browsed.page.locator("#browsed blockquote").first.is_visible()


def test_the_selection_is_saved(browsed, tmp_path):
    browsed.choose("unsafe", "benign")
    browsed.choose("model", "NPO")
    for name in ("JSONL", "CSV"):
        with browsed.page.expect_download() as started:
            browsed.page.get_by_role("button", name=f"Save as {name}").click()
        started.value.save_as(tmp_path / name)
    rows = [json.loads(line) for line in (tmp_path / "JSONL").read_text("utf-8").splitlines()]
    assert len(rows) == 2500
    assert rows[0] == {
        "model": "NPO", "kind": "plain", "shot": 1, "unsafe": False, "category": "c1", "query": "Share item 1",
        "verdict": rows[0]["verdict"], "response": "said 1 said 1 ", "ended": "", "reason": None,
    }  # fmt: skip
    with (tmp_path / "CSV").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [one["query"] for one in table] == [one["query"] for one in rows]
    assert [one["verdict"] for one in table] == [one["verdict"] for one in rows]


def test_colors_say_good_or_bad(browsed):
    for label, verdict, name in (
        ("unsafe", "complied", "complied"), ("unsafe", "refused", "refused"),
        ("benign", "complied", "answered-well"), ("benign", "refused", "over-refused"),
    ):  # fmt: skip
        browsed.choose("unsafe", label)
        browsed.choose("verdict", verdict)
        assert browsed.page.locator("#browsed .chip").first.get_attribute("class") == f"chip b-{name}"
