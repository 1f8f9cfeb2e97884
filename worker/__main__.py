"""`python -m worker` is `operate-worker`."""

from worker.cli import app

app()
