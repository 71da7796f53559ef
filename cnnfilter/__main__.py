"""`python -m cnnfilter`, and the entry point of the command."""

import sys


def main() -> None:
    """Run the command and end the process with its exit code."""
    try:
        from cnnfilter.cli.main import run
    except KeyboardInterrupt:  # before there is a handler
        sys.stderr.write("cnnfilter: interrupted\n")
        sys.exit(130)
    sys.exit(run())


if __name__ == "__main__":
    main()
