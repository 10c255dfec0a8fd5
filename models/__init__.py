"""How this deployment trains its candidates and packs them: ``python -m models.train``."""
