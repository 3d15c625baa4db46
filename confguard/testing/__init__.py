"""Tests of providers and of services. What is public here is listed; the rest may change.

`ProviderContract` is the test class that every provider has to pass.
"""

from confguard.testing._contract import ContractStore, ProviderContract
from confguard.testing._proxy import FaultProxy

__all__ = ["ContractStore", "FaultProxy", "ProviderContract"]
