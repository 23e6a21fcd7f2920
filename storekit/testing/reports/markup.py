"""Markup: what a report shows of others' words, made safe, and its small marks."""

from __future__ import annotations

import re
from html import escape

from storekit.testing.result import Outcome

__all__ = ["icon", "pill", "plural", "safe", "slug", "visible"]

_MOST = 16_000  # characters of one text
# Controls, what turns or hides text (Unicode's Bidi_Control and Default_Ignorable_Code_Point), and
# what no UTF-8 can hold: a reader is to see that they are there.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff0-\ufffb\ufffe\uffff\ufdd0-\ufdef\ud800-\udfff\U000e0000-\U000e0fff]"
)


def safe(value: object, most: int = _MOST) -> str:
    """Give a text as HTML shows it and nothing runs it, in an element or in a quoted attribute.

    Args:
        value: Anything; its ``str`` is taken.
        most: How many characters; of a longer text the middle is left out, and it says so.
    """
    text = str(value)
    if len(text) > most:
        kept = most * 3 // 4
        left_out = f" [... {len(text) - most:,} characters, see the JSON ...] "
        text = f"{text[:kept]}{left_out}{text[kept - most :]}"
    return escape(visible(text))


def visible(text: str) -> str:
    """Name what cannot be seen, or would make a terminal do something, or is in no UTF-8.

    Args:
        text: The text.
    """
    return _UNSEEN.sub(_named, text)


def slug(outcome: Outcome) -> str:
    """Give the name of an outcome's look.

    Args:
        outcome: The outcome.
    """
    return {Outcome.NOT_APPLICABLE: "na"}.get(outcome, outcome.value.replace("-", "").lower())


def icon(name: str) -> str:
    """Draw a mark beside words that say the same.

    Args:
        name: The look of an outcome, or ``unasked``.
    """
    return f'<svg class="icon" aria-hidden="true" focusable="false"><use href="#i-{name}"/></svg>'


def pill(name: str, text: str, unseen: str = "") -> str:
    """Draw words in the colour of an outcome, with its mark.

    Args:
        name: The look.
        text: The words.
        unseen: Words for who does not see the mark.
    """
    title = f' title="{text} {unseen}"' if unseen else ""
    more = f'<span class="sr">{unseen}</span>' if unseen else ""
    return f'<span class="pill {name}"{title}>{icon(name)}{text} {more}</span>'


def plural(count: int, noun: str) -> str:
    """Count things.

    Args:
        count: How many.
        noun: What one is called.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _named(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004
