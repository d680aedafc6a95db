"""Which tags and folders lie where: for any set of paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.nodes.tags import TagNodes
from scada.opcua.nodes.tree import Tree
from tests.opcua.nodes.test_tags import of_row, tag

PATHS = st.lists(
    st.lists(st.sampled_from(["a", "b", "a-b", "B", "ä"]), min_size=1, max_size=4).map("/".join),
    unique=True, max_size=30,
)  # fmt: skip


@given(PATHS)
def test_each_tag_and_folder_lies_in_one_place(paths: list[str]) -> None:
    tree = Tree([tag(path) for path in paths])
    found: dict[str, str] = {}
    todo = [""]
    while todo:
        parent = todo.pop()
        for child in tree.of(parent):
            path = child if isinstance(child, str) else paths[child]
            assert path not in found
            assert path.rpartition("/")[0] == parent
            found[path] = parent
            todo.append(path)
    above = {path[:at] for path in paths for at, mark in enumerate(path) if mark == "/"}
    assert found.keys() == set(paths) | above
    assert tree.folders.keys() == above - set(paths)


@given(PATHS, st.integers(0, 29))
def test_an_edit_of_the_site_leaves_other_node_ids_alone(paths: list[str], gone: int) -> None:
    before = set(TagNodes("site", [tag(path) for path in paths], of_row).ids())
    fewer = [path for number, path in enumerate(paths) if number != gone]
    after = set(TagNodes("site", [tag(path) for path in reversed(fewer)], of_row).ids())
    assert after <= before
    lost = {str(one.Identifier).partition("#")[0] for one in before - after}
    assert all(path not in fewer for path in lost)
