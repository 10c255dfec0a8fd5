"""The whole job on real flights: ``python -m demo``. Not part of a deployment."""
