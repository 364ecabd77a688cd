"""`python -m quanyu`: the command line without the installed script."""

from quanyu.cli import main

main()
