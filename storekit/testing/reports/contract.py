"""The contract for readers: made of the cases, which are the contract."""

from __future__ import annotations

from collections.abc import Iterable

from storekit.testing.case import Case

__all__ = ["TITLES", "contract_page", "explain"]

TITLES = {
    "PLG": "declaration and loading",
    "LOC": "locations",
    "ADD": "adding",
    "GET": "reading",
    "RNG": "random reads",
    "SIZ": "sizes",
    "DEL": "deleting",
    "NEG": "refusals",
    "ERR": "errors",
    "FLT": "transport faults",
    "OSF": "operating system faults",
    "CON": "concurrency",
    "CRS": "crashes and durability",
    "RES": "resources",
    "STA": "stateful",
    "LST": "listing",
    "ACL": "access lists",
    "CAP": "capacity",
    "CPY": "copies",
    "LFT": "leftovers",
    "FRM": "the framework",
    "PRF": "performance, advisory",
}
"""What each group is about."""


def explain(item: Case) -> str:
    """Say all there is to say about a case.

    Args:
        item: The case.
    """
    needs = ", ".join(flag.name or "" for flag in item.needs) or "nothing"
    hooks = ", ".join(hook.replace("|", " or ") for hook in item.hooks) or "none"
    return "\n".join(
        [
            f"{item.id}  ({TITLES.get(item.group, item.group)}, counts for {item.counted_at})",
            "",
            item.sentence,
            "",
            f"Why:       {item.why}",
            f"Mistakes:  {item.mistakes}",
            f"Needs:     {needs}",
            f"Hooks:     {hooks}",
            f"Time:      {item.budget:g} times limits.op_budget",
        ]
    )


def contract_page(cases: Iterable[Case]) -> str:
    """Write the contract as Markdown.

    Args:
        cases: The cases, in the order of the contract.
    """
    lines = [
        "# The contract",
        "",
        "What a driver owes, case by case. This page is made of the conformance kit's own cases:",
        "`storekit conform --explain ADD-14` shows one of them.",
    ]
    group = None
    for item in cases:
        if item.group != group:
            group = item.group
            title = TITLES.get(group, "")
            lines += ["", f"## {group}: {title}", "", "| case | level | demand | why | mistakes |"]
            lines.append("| --- | --- | --- | --- | --- |")
        lines.append(
            f"| {item.id} | {item.counted_at} | {item.sentence} | {item.why} | {item.mistakes} |"
        )
    return "\n".join([*lines, ""])
