"""Files and logged rows checked on demand: against a contract, and for leakage."""
