"""The doors: HTTP API, director pages, command line, jobs."""
