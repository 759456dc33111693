"""The company as it is recorded: tables, store, ingest, organisation, calendar, demo company."""
