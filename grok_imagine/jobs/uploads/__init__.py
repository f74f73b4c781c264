"""Encodes images, and uploads images and videos to a URL that the provider can download."""
