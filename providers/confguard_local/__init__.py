"""The providers of ``file://`` and ``env://``: a file, and a variable, of this machine."""

from confguard_local._environment import Environment
from confguard_local._files import Files

__all__ = ["Environment", "Files"]
