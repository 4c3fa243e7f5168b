"""The house's two linters: the tree keeps their rules, and a violation is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import queue_names
import sql_home
from tree import PRODUCT, python_files


@pytest.mark.parametrize("rule", [sql_home.violations, queue_names.violations], ids=["sql", "queues"])
def test_the_tree_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    found = [each for path in python_files(*PRODUCT) for each in rule(path)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'QUERY = "SELECT id FROM users WHERE id = $1"',
        'tx.execute("insert into users values (1)")',
        'tx.execute(f"UPDATE {table} SET a = 1")',
        'tx.execute("""\n    DELETE\n    FROM users""")',
        'tx.execute("SELECT id "\n           "FROM users")',
        'tx.execute("CREATE TABLE x (id int)")',
        'tx.execute("WITH a AS (SELECT 1 FROM b) SELECT 2")',
        'name = "lock table users"',
    ],
)
def test_sql_in_a_service_is_seen(tmp_path: Path, source: str) -> None:
    assert len(sql_home.violations(written(tmp_path, "services/dm/dm/handlers.py", source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Where we select rows from the table and update users set by set."""',
        'say("Select a language")',
        'log.info("update set aside")',
        'x = "a selection of things" + "from here"',
        "# SELECT id FROM users",
    ],
)
def test_words_that_are_no_sql_are_left_alone(tmp_path: Path, source: str) -> None:
    assert sql_home.violations(written(tmp_path, "services/dm/dm/handlers.py", source)) == []


@pytest.mark.parametrize("place", ["libs/common/common/store/users.py", "services/dm/tests/test_x.py"])
def test_sql_at_home_is_left_alone(tmp_path: Path, place: str) -> None:
    assert sql_home.violations(written(tmp_path, place, 'Q = "SELECT a FROM b"')) == []


@pytest.mark.parametrize(
    "source",
    ['QUEUE = "dm_queue"', 'x = f"{a}.tgms_queue"', 'x = "group_message_queue.retry.5s"', 'x = {"dm_queue": 1}'],
)
def test_a_queues_name_in_a_service_is_seen(tmp_path: Path, source: str) -> None:
    assert len(queue_names.violations(written(tmp_path, "services/dm/dm/settings.py", source))) == 1


@pytest.mark.parametrize("source", ['"""Fed from dm_queue."""', "dm_queue = 1", 'x = "my_dm_queue_name"'])
def test_names_that_are_no_queues_are_left_alone(tmp_path: Path, source: str) -> None:
    assert queue_names.violations(written(tmp_path, "services/dm/dm/settings.py", source)) == []


def written(folder: Path, place: str, source: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True)
    path.write_text(source + "\n")
    return path
