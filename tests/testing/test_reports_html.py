"""The page and the badge: what they say, and that others' words stay words."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from storekit.testing import (
    Level,
    NotRun,
    Outcome,
    Over,
    Registry,
    Result,
    Violation,
    Waiver,
    run,
)
from storekit.testing.reference import MemoryHarness
from storekit.testing.reports import WRITERS, as_badge, as_html
from storekit.testing.reports.markup import safe
from storekit.testing.verdicts import ENDING
from tests.testing.made_up import made_up, passes

HOSTILE = [
    "</script><script>alert(1)</script>",
    "</pre></details><img src=x onerror=alert(1)>",
    "<!-- --!> <![CDATA[ <style>*{display:none}</style>",
    "\"' onmouseover='alert(1)",
    "&lt;b&gt; &#0; ${policy} $policy",
    "a lone surrogate \ud800, NUL \x00, escape \x1b[31m, bidi \u202e, zero width \u200b",
]


def lacks_a_hook(context):
    raise NotRun("the harness offers no endpoint")


def over(context):
    raise Over("it works all the same")


def hostile(context):
    raise Violation(HOSTILE[0], HOSTILE[5], "an add", evidence=HOSTILE)


def fails(context):
    context.same(context.store.get_size(context.image(b"evidence")), 9, "the size")


def made(*cases, **more):
    return run(MemoryHarness, cases=Registry(cases), seed=7, **more)


@pytest.fixture(scope="module")
def report():
    return made(
        made_up("ADD-01", passes),
        made_up("ADD-02", hostile),
        made_up("ADD-03", over),
        made_up("GET-01", fails),
        made_up("FLT-01", lacks_a_hook, level=Level.ROBUST),
        made_up("CRS-01", passes, level=Level.HARD),
        level="robust",
    )


class Reader(HTMLParser):
    """Sees a page as a browser would: elements, their attributes, and texts."""

    VOID = ("meta", "link", "input", "br", "img")

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.open, self.misplaced = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_page_is_one_file_that_loads_nothing(report):
    page = as_html(report)
    reader = Reader(page)
    assert reader.open == reader.misplaced == []
    links = [a.get(name, "") for _, a in reader.elements for name in ("src", "href", "action")]
    assert {link[:1] for link in links if link} == {"#", "d"}  # within the page, or data:,
    of_ours = as_html(replace(report, results=report.results[:1]))  # and of no location
    assert not any(words in of_ours for words in ("url(", "@import", "://"))
    (policy,) = [a["content"] for a in reader.all("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'")


def test_the_same_report_makes_the_same_page(report):
    assert as_html(report) == as_html(report)
    assert as_badge(report) == as_badge(report)


def test_what_others_said_is_shown_and_never_becomes_markup(report):
    quiet = replace(report.results[1], reason="", expected="", actual="", calls=(), trace="")
    plain = Reader(as_html(replace(report, results=(quiet,))))
    page = as_html(replace(report, results=(report.results[1],)))
    reader = Reader(page)
    page.encode("utf-8", "strict")
    assert len(reader.all("script")) == len(plain.all("script")) == 1
    assert reader.all("img") == []
    assert not any(name.startswith("on") for _, a in reader.elements for name in a)
    text = "".join(reader.texts)
    for words in HOSTILE[:5]:
        assert words in text
    for name in ("\\ud800", "\\x00", "\\x1b[31m", "\\u202e", "\\u200b"):
        assert name in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", page)


def test_hostile_names_and_notes_are_words_too(report):
    evil = "<script>alert(1)</script>\x00\ud800"
    bad = replace(report.results[0], notes={evil: evil}, reason=evil)
    page = as_html(
        replace(
            report, store=evil, driver=evil, harness=evil, left=(evil,), declared=(evil,),
            limits={evil: 1.0}, results=(bad,),
        )
    )  # fmt: skip
    assert len(Reader(page).all("script")) == 1
    page.encode("utf-8", "strict")
    assert ET.fromstring(as_badge(replace(report, store=evil, selection=evil))) is not None


def test_a_mebibyte_of_evidence_makes_no_mebibyte_of_page(report):
    much = "<&\x00" * (1 << 20)
    bulky = replace(
        report.results[1], reason=much, expected=much, actual=much, trace=much, calls=(much,) * 500
    )
    page = as_html(replace(report, results=(bulky,)))
    assert len(page) < 8 << 20
    text = "".join(Reader(page).texts)
    assert f"{3 * (1 << 20) - 16_000:,} characters" in text
    assert "100 earlier calls" in text


def test_a_clipped_text_keeps_its_beginning_and_its_end():
    text = safe("begin" + "x" * 100_000 + "end")
    assert text.startswith("begin")
    assert text.endswith("end")
    assert len(text) < 17_000
    assert safe("x" * 16_000) == "x" * 16_000


def test_a_page_says_why_a_level_is_not_reached_and_what_did_not_run(report):
    text = " ".join("".join(Reader(as_html(report)).texts).split())
    assert "No level is reached." in text
    assert "core Not reached, for 2 cases: ADD-02 FAIL, GET-01 FAIL" in text
    assert "robust Not reached, for 1 case: FLT-01 NOT-RUN" in text
    assert "hard Not asked for: 1 case did not run." in text


def test_a_level_below_one_that_is_missed_is_not_shown_as_reached():
    report = made(
        made_up("ADD-01", passes),
        made_up("FLT-01", fails, level=Level.ROBUST),
        made_up("CRS-01", passes, level=Level.HARD),
        level="hard",
    )
    text = " ".join("".join(Reader(as_html(report)).texts).split())
    assert "core Reached: 1 case." in text
    assert "robust Not reached, for 1 case: FLT-01 FAIL" in text
    assert "hard Not reached: a lower level is not." in text
    page = as_html(replace(report, selection="ADD"))
    assert page.count("Not judged: only a selection was run.") == 3
    assert 'class="reached"' not in page


def test_an_end_of_the_run_that_is_wrong_is_why_no_level_is_reached():
    report = made(CORE, ROBUST, HARD, level="hard")
    left = Result(case=ENDING, outcome=Outcome.FAIL, reason="an image is left")
    report = replace(report, results=(*report.results, left))
    assert report.reached is None
    text = " ".join("".join(Reader(as_html(report)).texts).split())
    assert "core Not reached, for 1 case: RUN-01 FAIL" in text
    assert text.count("Not reached: a lower level is not.") == 2
    assert "RUN the end of the run" in text
    assert words(as_badge(report))[0] == "no level"


def test_the_stacks_of_what_hangs_are_called_so(report):
    hung = replace(report.results[1], hung=True, trace="Thread 1: in read")
    page = as_html(replace(report, results=(hung,)))
    assert "Stacks of all threads" in page
    assert "Thread 1: in read" in page


def test_every_outcome_has_its_word_and_its_mark(report):
    results = [replace(report.results[0], outcome=outcome) for outcome in Outcome]
    page = as_html(replace(report, results=tuple(results)))
    reader = Reader(page)
    marks = {a["id"] for a in reader.all("symbol")}
    assert {a["href"].removeprefix("#") for a in reader.all("use")} <= marks
    for outcome in Outcome:
        choice = [a for a in reader.all("input") if a.get("value") == outcome.value]
        assert len(choice) == 1
        assert re.search(rf"</svg>{outcome.value} ", page)


# The badge


def words(badge):
    root = ET.fromstring(badge)
    space = "{http://www.w3.org/2000/svg}"
    shown = [element.text for element in root.iter(f"{space}text")]
    assert root.get("role") == "img"
    assert root.get("aria-label") == ": ".join(shown)
    assert root.find(f"{space}title").text.startswith(root.get("aria-label"))
    assert shown[0] == "storekit conformance"
    (colour,) = {r.get("fill") for r in root.iter(f"{space}rect")} - {None, "#2b3442"}
    return shown[1], colour


CORE = made_up("ADD-01", passes)
ROBUST = made_up("FLT-01", passes, level=Level.ROBUST)
HARD = made_up("CRS-01", passes, level=Level.HARD)


def broken(case, function=fails):
    return replace(case, function=function)


@pytest.mark.parametrize(
    ("cases", "level", "said"),
    [
        ([CORE, ROBUST, HARD], "hard", "hard"),
        ([CORE, ROBUST, HARD], "robust", "robust"),
        ([CORE, ROBUST, HARD], "core", "core"),
        ([CORE, ROBUST, broken(HARD)], "hard", "robust, not hard"),
        ([CORE, broken(ROBUST), HARD], "hard", "core, not hard"),
        ([broken(CORE), ROBUST, HARD], "robust", "no level"),
        ([broken(CORE, lacks_a_hook)], "core", "no level"),
        ([broken(CORE, lambda context: context.nosuch)], "core", "no level, kit error"),
        (
            [CORE, broken(ROBUST, lambda context: context.nosuch)],
            "robust",
            "core, not robust, kit error",
        ),
    ],
)
def test_a_badge_says_what_was_reached_and_what_was_not(cases, level, said):
    assert words(as_badge(made(*cases, level=level)))[0] == said


def test_a_badge_hides_no_waiver_and_judges_no_selection(report):
    waiver = Waiver(id="ADD-01", reason="r", link="l", expires=date.max)
    waived = made(broken(CORE), waivers={"ADD-01": waiver})
    assert words(as_badge(waived))[0] == "core, 1 waived"
    assert words(as_badge(replace(report, selection="SIZ")))[0] == "not judged"


def test_the_colours_of_badges_differ_and_white_can_be_read_on_them():
    levels = [made(CORE, ROBUST, HARD, level=str(level)) for level in Level]
    missed = [made(broken(CORE)), made(CORE, broken(ROBUST), level="robust")]
    colours = {words(as_badge(report))[1] for report in [*levels, *missed]}
    assert len(colours) == 5
    for colour in colours | {"#2b3442"}:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        light = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
        assert 1.05 / (luminance + 0.05) >= 4.5, colour


def test_the_page_and_the_badge_are_formats_of_the_command_too():
    assert WRITERS["html"] is as_html
    assert WRITERS["badge"] is as_badge
