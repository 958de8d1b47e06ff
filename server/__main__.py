"""``python -m server`` is ``diemcau``."""

import sys

from server.cli import main

sys.exit(main())
