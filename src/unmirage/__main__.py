"""`python -m unmirage`, and so `accelerate launch -m unmirage`."""

from unmirage.cli.main import run

if __name__ == "__main__":
    run()
