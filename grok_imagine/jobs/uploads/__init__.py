"""How images and videos get a URL that the provider can fetch."""
