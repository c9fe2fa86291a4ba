"""`python -m standalone` is `agent-finops`."""

import sys

from standalone.cli import main

sys.exit(main())
