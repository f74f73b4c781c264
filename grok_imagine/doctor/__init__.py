"""The health check of an installation, and a report that is safe to share."""
