"""The set-up scripts that make runs."""
