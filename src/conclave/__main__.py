"""``python -m conclave``: the command line."""

import sys

if __name__ == "__main__":
    try:
        from conclave.cli.main import run

        run()
    except KeyboardInterrupt:  # while the modules were still being read
        sys.exit(130)
    except Exception as error:
        if "KeyboardInterrupt" not in str(error):  # pydantic, while it was building, raises it as an error of its own
            raise
        sys.exit(130)
