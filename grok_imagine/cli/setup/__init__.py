"""Commands that set things up and check them: stores, providers, this machine."""
