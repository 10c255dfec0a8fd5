"""The demo on real flights: ``python -m demo``. Not part of a deployment."""
