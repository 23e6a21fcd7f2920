"""The page in a real browser: filtered, opened by keyboard, on a phone, in the dark."""

import json
from dataclasses import replace

import pytest
from servers.chromium import chromium, missing
from servers.required import require

from storekit.testing import Level, Outcome, Registry, Violation, run
from storekit.testing.history import Ending, Move
from storekit.testing.reference import MemoryHarness
from storekit.testing.reports import as_badge, as_html
from storekit.testing.timeline import drawn
from tests.testing.made_up import made_up, passes

EVIL = "</script><script>console.error('run')</script><img src=http://192.0.2.1/x onerror=alert(1)>"
LONG = "x" * 5000 + "\x00\ud800" + "file:///srv/images/" * 200

# For every text that can be seen: the contrast of its colour with what is behind it (WCAG 2.2).
CONTRASTS = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map(
      (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = channels(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const unseen = element.closest(".sr, .skip, script, style");
    if (!walker.currentNode.data.trim() || unseen || !element.checkVisibility()) continue;
    const a = light(channels(getComputedStyle(element).color));
    const b = light(behind(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = element.tagName + "." + element.className;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()"""

SHOWN = (
    "[...document.querySelectorAll('details.case')].filter(e => e.checkVisibility()).map(e => e.id)"
)
OPEN = "[...document.querySelectorAll('details.case[open]')].map(e => e.id)"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
ACTIVE = (
    "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
    " return {tag: e.tagName, id: e.id || e.parentElement.id, outline: s.outlineStyle,"
    " width: parseFloat(s.outlineWidth), seen: e.checkVisibility()}; })()"
)


def evil(context):
    raise Violation(EVIL, LONG, "an add", evidence=[EVIL, LONG, "get() -> 7"])


def contradicts(context):
    moves = [
        Move("client 1, thread 1", "add", "image", "a", 1, 4, Ending.DONE),
        Move("client 2, thread 2", "add", "image", "b", 2, 3, Ending.DONE),
        Move("client 2, afterwards", "delete", "image", "", 5, None, Ending.UNKNOWN),
    ]
    raise Violation("an order", "none", evidence=drawn(moves, {"a": 997, "b": 998}))


@pytest.fixture(scope="module")
def report():
    cases = [
        made_up("ADD-01", passes),
        made_up("ADD-02", evil),
        made_up("GET-01", passes, sentence="A needle in the haystack MUST be found."),
        made_up("CON-08", contradicts, level=Level.HARD),
        made_up("RES-08", passes, level=Level.HARD),
    ]
    whole = run(MemoryHarness, cases=Registry(cases), seed=7, level="hard")
    others = [outcome for outcome in Outcome if outcome not in {Outcome.PASS, Outcome.FAIL}]
    more = [
        replace(
            whole.results[0],
            case=made_up(f"ADD-{number}", passes),
            outcome=outcome,
            reason=f"why it is {outcome.value}",
        )
        for number, outcome in enumerate(others, 11)
    ]
    return replace(whole, results=(*whole.results[:2], *more, *whole.results[2:]))


@pytest.fixture(scope="module")
def browser():
    require(missing())
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser, report, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(as_html(report), encoding="utf-8")
    with browser.page(file.as_uri()) as opened:
        yield opened
        assert opened.complaints == []
        assert opened.requests == [file.as_uri()]


def tab_to(page, holds):
    """Press Tab until what has the focus is what is looked for."""
    for _ in range(60):
        page.press("Tab")
        active = page.ask(ACTIVE)
        assert active["seen"], active
        assert active["outline"] != "none", active
        assert active["width"] >= 2, active
        if holds(active):
            return active
    raise AssertionError("the keyboard does not get there")


def test_the_outcomes_filter_and_the_text_filters(page):
    everything = page.ask(SHOWN)
    assert len(everything) == 11
    page.ask("document.querySelector('input[value=FAIL]').click()")
    assert page.ask(SHOWN) == ["ADD-02", "CON-08"]
    assert page.ask("document.querySelector('#shown').textContent") == "2 of 11 cases shown"
    page.ask("document.querySelector('input[value=PASS]').click()")
    assert page.ask(SHOWN) == ["ADD-01", "ADD-02", "GET-01", "CON-08", "RES-08"]
    page.ask("document.querySelector('#words').focus()")
    page.write("NEEDLE haystack")
    assert page.ask(SHOWN) == ["GET-01"]
    groups = "[...document.querySelectorAll('section.group')].filter(e => e.checkVisibility())"
    assert page.ask(f"{groups}.map(e => e.id)") == ["GET"]
    page.ask("document.querySelector('button[type=reset]').click()")
    page.ask("new Promise(done => setTimeout(done))")
    assert page.ask(SHOWN) == everything


def test_a_text_in_the_evidence_is_found(page):
    page.ask("document.querySelector('#words').focus()")
    page.write("get() -> 7")
    assert page.ask(SHOWN) == ["ADD-02"]


def test_everything_is_done_by_keyboard_and_the_focus_is_seen(page):
    page.look(width=1200)
    assert tab_to(page, bool)["tag"] == "A"  # past the head, to the cases
    page.press("Enter")
    assert page.ask("document.activeElement.id") == "cases"
    tab_to(page, lambda active: active["id"] == "words")
    page.write("add-0")
    assert page.ask(SHOWN) == ["ADD-01", "ADD-02"]
    for _ in range(2):
        tab_to(page, lambda active: active["tag"] == "INPUT")
    page.press(" ")
    assert page.ask("[...document.querySelectorAll('input:checked')].map(e => e.value)") == [
        "REFUSED"
    ]
    assert page.ask(SHOWN) == []
    page.press(" ")
    tab_to(page, lambda active: active["tag"] == "SUMMARY" and active["id"] == "ADD-02")
    assert page.ask(OPEN) == []
    page.press("Enter")
    assert page.ask(OPEN) == ["ADD-02"]
    text = page.ask("document.getElementById('ADD-02').innerText")
    for words in ("It MUST be so.", "The test says so.", "Expected", "Got", EVIL, "\\x00\\ud800"):
        assert words in text
    tab_to(page, lambda active: active["tag"] == "PRE")  # what scrolls can be scrolled by keyboard
    page.press(" ")
    page.ask("document.querySelector('#ADD-02 > summary').focus()")
    page.press(" ")
    assert page.ask(OPEN) == []


def test_a_level_that_is_missed_leads_to_the_case_even_if_it_is_filtered_away(page):
    page.ask("document.querySelector('input[value=PASS]').click()")
    assert "CON-08" not in page.ask(SHOWN)
    page.ask("document.querySelector('.ladder a[href=\"#CON-08\"]').click()")
    page.ask("new Promise(done => setTimeout(done))")
    assert page.ask(OPEN) == ["CON-08"]
    assert page.ask("document.activeElement.parentElement.id") == "CON-08"
    top = page.ask("document.getElementById('CON-08').getBoundingClientRect().top")
    assert 0 <= top < page.ask("innerHeight")


def test_a_timeline_keeps_its_columns(page):
    page.ask("document.getElementById('CON-08').open = true")
    lines = page.ask("document.querySelector('.timeline pre').textContent").splitlines()
    assert lines[0].startswith("client 1, thread 1    |- add a: done -")
    starts = page.ask(
        "[...document.querySelectorAll('.timeline mark')].map(e =>"
        " [e.textContent.slice(0, 2), Math.round(e.getBoundingClientRect().left)])"
    )
    assert [text for text, _ in starts] == ["|-"] * 3
    a, unknown, b = (left for _, left in starts)  # the lanes are sorted by their names
    assert a < b < unknown
    style = page.ask("getComputedStyle(document.querySelector('.timeline pre')).whiteSpace")
    assert style == "pre"


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    page.look(width=width)
    page.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
    wide, window = page.ask(WIDTHS)
    assert window == width
    assert wide <= window
    inside = page.ask(
        "[...document.querySelectorAll('td, .matrix th, summary, button, input, .ladder li')]"
        ".map(e => Math.round(e.getBoundingClientRect().right))"
    )
    assert max(inside) <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(page, dark):
    page.look(width=1280, dark=dark)
    page.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
    ground = page.ask("getComputedStyle(document.body).backgroundColor")
    brightness = sum(json.loads(ground.replace("rgb(", "[").replace(")", "]")))
    assert brightness < 150 if dark else brightness > 600
    found = page.ask(CONTRASTS)
    assert len(found) > 20
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


def test_what_a_screen_reader_gets_has_roles_names_and_states(page):
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), node.get("properties", ()))
        for node in tree
        if not node.get("ignored")
    ]
    names = {role: [name for kind, name, _ in nodes if kind == role] for role, _, _ in nodes}
    assert names["searchbox"] == ["Text in id, sentence or evidence"]
    assert names["checkbox"] == [
        "PASS 3", "REFUSED 1", "N/A 1", "NOT-RUN 1", "WAIVED 1", "OVER 1", "FAIL 2", "ERROR 1",
    ]  # fmt: skip
    assert names["columnheader"][:4] == ["group", "core", "robust", "hard"]
    assert "ADD adding" in names["rowheader"]
    assert {"banner", "main", "contentinfo", "search", "status"} <= set(names)
    assert [name for name in names["heading"] if name.startswith("Store")] == [
        "Store reference, driver reference"
    ]
    summaries = [(name, states) for role, name, states in nodes if role == "DisclosureTriangle"]
    case = next(states for name, states in summaries if name.startswith("FAIL ADD-02"))
    assert {s["name"]: s["value"]["value"] for s in case}["expanded"] is False


def test_what_is_written_is_there_without_scripts_too(browser, report, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(as_html(report), encoding="utf-8")
    with browser.page("about:blank") as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.load(file.as_uri())
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        assert len(page.ask(SHOWN)) == 11
        assert not page.ask("document.querySelector('#filter').checkVisibility()")


def test_the_badge_is_drawn_as_wide_as_its_words(browser, report, tmp_path):
    file = tmp_path / "badge.svg"
    file.write_text(as_badge(report), encoding="utf-8")
    with browser.page(file.as_uri()) as page:
        boxes = page.ask(
            "[...document.querySelectorAll('text')].map(e => { const b = e.getBBox();"
            " return [b.x, b.x + b.width, e.textContent]; })"
        )
        whole = page.ask("document.documentElement.getBoundingClientRect().width")
        assert [text for _, _, text in boxes] == ["storekit conformance", "no level, kit error"]
        assert 0 < boxes[0][0] < boxes[0][1] < boxes[1][0] < boxes[1][1] < whole
        assert page.complaints == []
