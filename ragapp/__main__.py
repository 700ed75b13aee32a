"""`python -m ragapp` is `ragapp`."""

from ragapp.cli import main

if __name__ == "__main__":
    main()
