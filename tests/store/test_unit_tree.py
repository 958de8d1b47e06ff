from hypothesis import given
from hypothesis import strategies as st

from server.store.unit_tree import UnitTree

TREE = UnitTree([("p", None, "Tỉnh"), ("d", "p", "Huyện"), ("c", "d", "Xã"), ("e", "p", "Huyện khác")])


def test_a_path_goes_from_the_top_down() -> None:
    assert TREE.path("c") == ("Tỉnh", "Huyện", "Xã")
    assert TREE.lineage("c") == ("p", "d", "c")
    assert TREE.path("p") == ("Tỉnh",)


def test_a_scope_reaches_itself_and_what_is_below() -> None:
    reached = {scope: [unit for unit in "pdce" if TREE.covers(scope, unit)] for scope in ("p", "d", "c", "x", None)}

    assert reached == {"p": list("pdce"), "d": list("dc"), "c": ["c"], "x": [], None: list("pdce")}


@given(st.lists(st.integers(0, 1_000_000), max_size=30))
def test_a_scope_reaches_exactly_those_whose_lineage_has_it(choices: list[int]) -> None:
    """Each unit's parent is one of those before it."""
    names = ["0", *(str(each + 1) for each in range(len(choices)))]
    parents = [None, *(names[choice % (each + 1)] for each, choice in enumerate(choices))]
    tree = UnitTree(zip(names, parents, names, strict=True))

    for unit in names:
        for scope in names:
            assert tree.covers(scope, unit) == (scope in tree.path(unit))
