"""The film is made from a recording's log and segments, in pieces of 8 s that are the same each time they are made."""
