"""One file per prediction task."""
