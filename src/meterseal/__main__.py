"""`python -m meterseal`."""

from meterseal.cli.main import main

main()
