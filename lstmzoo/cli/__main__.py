"""``python -m lstmzoo.cli``."""

import sys

if __name__ == "__main__":
    sys.modules["lstmzoo.cli"].main()
