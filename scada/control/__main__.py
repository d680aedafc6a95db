"""`python -m scada.control --data DIR --name control --epoch N [--manual]`."""

import sys

from scada.control.service import main

if __name__ == "__main__":
    sys.exit(main())
