"""Trees that strangers wrote: nothing leads out of them, nothing in them stops us."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_engine.trees import copy_tree, inside, read_text, remove_tree


@given(st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "a", "", "/", "~", "\0", "\\.."])).map("/".join))
def test_no_root_path_leads_out(relative: str) -> None:
    root = Path("/usr")
    found = inside(root, relative)
    assert found is None or found == root or root in found.parents


def test_a_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path, "/real/") == tmp_path / "real"
    assert inside(tmp_path, "link") is None
    assert inside(tmp_path, "real/../real") is None


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("x" * 100)
    assert read_text(tmp_path / "file") == "x"
    for name in ("link", "pipe", "missing", "."):
        assert read_text(tmp_path / name) is None
    assert read_text(tmp_path / "large", limit_bytes=99) is None


def test_a_copy_has_files_folders_and_links_and_nothing_special(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_text("x")
    (source / "suid").write_text("x")
    (source / "suid").chmod(0o6755)
    (source / "link").symlink_to("/etc/shadow")
    (source / "skipped").write_text("x")
    os.mkfifo(source / "pipe")
    copy_tree(source, target, lambda name: name == "skipped")
    assert sorted(path.name for path in target.iterdir()) == ["folder", "link", "suid"]
    assert (target / "folder" / "file").read_text() == "x"
    assert os.readlink(target / "link") == "/etc/shadow"
    assert (target / "suid").stat().st_mode & 0o7777 == 0o755


def test_a_tree_without_rights_is_removed_and_what_links_lead_to_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed" / "file").write_text("x")
    (tree / "link").symlink_to(outside)
    (tree / "closed").chmod(0o000)
    remove_tree(tree)
    assert not tree.exists()
    assert outside.exists()
    remove_tree(tree)


@pytest.mark.parametrize("name", ["a\nb", "-rf", "ü 字", "%s"])
def test_names_are_only_names(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / name).write_text("x")
    copy_tree(source, tmp_path / "target")
    assert (tmp_path / "target" / name).read_text() == "x"
    remove_tree(source)
    assert not source.exists()
