"""Cases made up for the tests of the runner, and a way to declare them in one line."""

from storekit.capabilities import Capability
from storekit.testing import Case, Level


def made_up(case_id, function, **more):
    options = {
        "level": Level.CORE,
        "sentence": "It MUST be so.",
        "why": "The test says so.",
        "mistakes": "None.",
        "needs": Capability(0),
        **more,
    }
    return Case(id=case_id, function=function, **options)


def passes(context):
    context.same(1, 1, "one")
