"""Uploads local images and videos to a public URL from which a provider can download them."""
