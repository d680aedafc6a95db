"""`python -m scada.opcua --data DIR --name opcua --epoch N`."""

import sys

from scada.opcua.service import main

sys.exit(main(sys.argv[1:]))
