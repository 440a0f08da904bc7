"""The rules, a package for each band of the contract. Modules are found by themselves; see `sm_contracts.registry`."""
