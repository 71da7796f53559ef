"""`python -m cnnfilter`, and the entry point of the command."""

import sys


def main() -> None:
    """Run the command and end the process with its exit code."""
    from cnnfilter.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
