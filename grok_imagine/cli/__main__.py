"""``python -m grok_imagine.cli``."""

from . import main

main()
