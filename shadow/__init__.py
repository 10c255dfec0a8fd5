"""This deployment's rollout policy and its scheduled replay."""
