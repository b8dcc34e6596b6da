"""``python -m conclave``: the command line."""

from conclave.cli.main import run

if __name__ == "__main__":
    run()
