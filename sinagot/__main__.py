"""``python -m sinagot`` is the command line."""

from sinagot.cli.main import main

if __name__ == "__main__":
    main()
