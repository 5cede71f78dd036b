"""A list that was logged is asked again in the order in which it was shown."""

import pytest

from matcher.jobs.exposure import query_of
from matcher.records import Query


@pytest.mark.parametrize("query", [Query(project_id="p-port"), Query(project_id="p-port", sort="both")])
def test_a_logged_question_keeps_its_order(query: Query) -> None:
    assert query_of(query.to_json()) == query
