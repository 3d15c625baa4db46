"""``python -m confguard`` is the command ``confguard``."""

from confguard.cli import main

main()
