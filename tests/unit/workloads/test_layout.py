"""No name leaves the work directory."""

from pathlib import Path

import pytest

from slipway_workloads import Layout


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "-x", ".hidden", "a\0b", "a b", "ä", "x" * 129, "../../etc"])
def test_a_name_that_is_no_plain_id_is_refused(name: str) -> None:
    layout = Layout(Path("/work"))
    with pytest.raises(ValueError, match="can't stand in a path"):
        layout.service(name)
    with pytest.raises(ValueError, match="can't stand in a path"):
        layout.service("s").release(name)


def test_paths_are_where_the_operations_page_says() -> None:
    release = Layout(Path("/w")).service("s").release("r")
    assert str(release.current_log) == "/w/services/s/logs/r/current.log"
    assert str(release.status) == "/w/services/s/status/r.json"
    assert str(release.launch) == "/w/services/s/releases/r/launch.json"
    assert str(release.source) == "/w/services/s/releases/r/source"
    assert str(release.service.upstream) == "/w/services/s/upstream"
