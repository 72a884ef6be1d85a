"""Run the command line as `python -m unmirage`, for environments where the `unmirage` script is not on the path."""

from unmirage.cli.main import run

if __name__ == "__main__":
    run()
