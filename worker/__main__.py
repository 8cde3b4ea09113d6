"""`python -m worker …` is `enroll …`."""

from worker.cli.main import main

main()
