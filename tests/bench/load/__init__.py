"""The load generator: Python brings virtual peers up (ICE, DTLS), then C sends, receives and counts for them."""
