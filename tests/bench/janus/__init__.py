"""Janus's VideoRoom under the same load as Diemcau."""
