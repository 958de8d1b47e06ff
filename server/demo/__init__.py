"""A sample province with one open meeting, for newcomers and tests."""
