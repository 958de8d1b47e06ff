"""Which Node.js will do for the web client."""

import pytest

from scripts.web import new_enough


@pytest.mark.parametrize(
    ("node", "npm", "fits"),
    [
        ("v18.20.4", "11.0.0", False),  # Debian 12's own
        ("v20.18.3", "11.0.0", False),
        ("v20.19.0", "11.0.0", True),
        ("v20.20.2", "10.9.2", False),
        ("v21.7.3", "11.0.0", False),
        ("v22.11.0", "11.0.0", False),
        ("v22.12.0", "11.0.0", True),
        ("v24.19.0", "11.17.0", True),
        ("v24.19.0", "", False),
        ("", "11.0.0", False),
    ],
)
def test_node_is_new_enough(node: str, npm: str, fits: bool) -> None:
    assert new_enough(node, npm) is fits
