from __future__ import annotations

from dataclasses import replace

from faults.attribution import attribute, number_in, numbered
from faults.testing import good, said_twice


def test_a_number_survives_its_way_through_a_text() -> None:
    assert number_in(f"Hello {numbered(42)}! I am the voice.") == 42
    assert number_in("Hello n42!") is None


def test_an_unsettled_copy_without_a_number_belongs_to_the_next_message_with_its_words() -> None:
    history = said_twice(good(), 4, earlier=0.5)
    copies = attribute(history.updates, history.sends, history.rows.replies).copies
    assert [send.message_id for send in copies[7, 1004]] == [900, 54]
    assert [send.message_id for send in copies[7, 1001]] == [51]


def test_a_copy_after_the_last_of_its_sort_belongs_to_the_one_before() -> None:
    history = said_twice(good(), 7, earlier=-0.5)
    copies = attribute(history.updates, history.sends, history.rows.replies).copies
    assert [send.message_id for send in copies[7, 1007]] == [57, 900]


def test_a_number_that_nobody_wrote_is_nobodys() -> None:
    history = good()
    stray = replace(history.sends[0], text=f"Hello {numbered(999)}!", message_id=901)
    assert attribute(history.updates, [stray], history.rows.replies).unexpected == [stray]
