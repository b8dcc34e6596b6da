"""``python -m conclave``: the command line."""

import sys

if __name__ == "__main__":
    try:
        from conclave.cli.main import run

        run()
    except KeyboardInterrupt:  # while the modules were still being read
        sys.exit(130)
