"""The version of the package: one place, below everything, read by whoever writes it down."""

__all__ = ["__version__"]

__version__ = "1.0.0.dev0"
