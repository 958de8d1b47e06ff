"""Only what pyproject.toml cannot say: the C fan-out, which setuptools leaves out where it cannot be compiled."""

from setuptools import setup

setup(cffi_modules=["scripts/build_fanout.py:ffi"])
