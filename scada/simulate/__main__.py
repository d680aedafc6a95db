"""`python -m scada.simulate`: the simulated PLCs as a service."""

import sys

from scada.simulate.run import main

if __name__ == "__main__":
    sys.exit(main())
