"""Pack an artifact's trained weights again, with whatever ``preprocessing`` this process finds.

The pipeline is read from the artifact's file, so not one weight changes. Its contract is kept.
"""

from __future__ import annotations

import argparse

import skops.io

import gnomon
from gnomon import Artifact, inspect
from models.data import FEATURES, flights

__all__ = ["repack"]


def repack(tag: str, version: str) -> Artifact:
    """Pack the pipeline of ``tag`` under another version.

    Raises:
        UnknownArtifact: there is no such artifact.
        PackRefused: it cannot be served honestly with this code.
    """
    source = inspect(tag)
    pipeline = skops.io.loads(source.read("pipeline.skops"), trusted=list(source.manifest.trusted))
    known = flights(1, 2, 3).dropna(subset="outcome")
    return gnomon.pack(
        source.name,
        pipeline,
        known[list(FEATURES)],
        known["outcome"],
        contract=source.contract,
        seeds=source.manifest.seeds,
        lineage={**source.manifest.lineage.given, "weights": source.tag},
        version=version,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.repack", description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--version", required=True)
    asked = parser.parse_args()
    artifact = repack(asked.tag, asked.version)
    print(f"packed the weights of {asked.tag} as {artifact.tag}")


if __name__ == "__main__":
    main()
