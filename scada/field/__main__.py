"""`python -m scada.field`: the field service, as the supervisor starts it."""

import sys

from scada.field.service import main

if __name__ == "__main__":
    sys.exit(main())
