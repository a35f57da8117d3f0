"""To be curated by its module."""
