"""`python -m ragapp` is `ragapp`."""

from ragapp.cli import run

if __name__ == "__main__":
    run()
