"""The judge of recalls sees each way in which the ledger and Telegram may differ."""

from __future__ import annotations

import pytest
from faults.recalls import Item, Said, judge

DONE, LEFT = Item(-1, 10, "done"), Item(-2, 20, "failed")


def test_a_recall_that_kept_its_promises() -> None:
    found = judge([DONE, LEFT], [(-1, 10)])
    assert found.violations == []
    assert (found.counts["messages"], found.counts["deleted"]) == (2, 1)


@pytest.mark.parametrize(
    ("items", "deleted", "what"),
    [
        ([DONE], [], "unfounded"),
        ([LEFT], [(-2, 20)], "denied"),
        ([DONE], [(-1, 10), (-1, 11)], "outside"),
        ([DONE], [(-1, 10), (-1, 10)], "twice"),
        ([Item(-1, 10, "sending")], [], "open"),
        ([Item(-1, 10, None)], [], "unplanned"),
    ],
)
def test_each_broken_promise_is_named(items: list[Item], deleted: list[Said], what: str) -> None:
    found = judge(items, deleted)
    assert found.counts[what] == len(found.violations) == 1
    assert sum(found.counts[name] for name in found.counts if name not in {"messages", "deleted"}) == 1
