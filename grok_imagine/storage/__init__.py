"""Makes local images and videos public, so that a provider can fetch them."""
