"""The archive: what was recorded, found again, kept for as long as it must be, and destroyed in order."""
