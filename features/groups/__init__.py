"""Feature groups, one file per entity."""
