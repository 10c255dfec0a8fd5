"""Real text that every machine with this project has: the docstrings of the packages it stands on.

A document is how the docstring of a class or function begins; its label is the package it comes
from. The packages are pinned, so the corpus is the same everywhere.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

__all__ = ["corpus", "hashing", "tfidf"]

PACKAGES = ("numpy", "pandas", "pyarrow", "scipy", "sklearn")

DOCUMENTS = 1_500
"""The most of one package, so that none outnumbers the others."""


def corpus() -> pd.DataFrame:
    """Return the columns ``text`` and ``package``, in an order that depends on the files alone."""
    rows = [
        {"text": text, "package": package}
        for package in PACKAGES
        for text in islice(_distinct(_documents(package)), DOCUMENTS)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0, ignore_index=True)


def tfidf() -> Pipeline:
    """Weight words by how rare they are; logistic regression."""
    return _classifier(TfidfVectorizer(max_features=20_000, sublinear_tf=True))


def hashing() -> Pipeline:
    """Hash words; logistic regression."""
    return _classifier(HashingVectorizer(n_features=2**14, alternate_sign=False))


def _classifier(words: TfidfVectorizer | HashingVectorizer) -> Pipeline:
    return Pipeline(
        [
            ("columns", ColumnTransformer([("words", words, "text")])),
            ("model", LogisticRegression(C=10.0, max_iter=1_000)),
        ]
    )


def _distinct(texts: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for text in texts:
        if text not in seen:
            seen.add(text)
            yield text


def _documents(package: str) -> Iterator[str]:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {package}: make bench installs it")
    for file in sorted(Path(found.submodule_search_locations[0]).rglob("*.py")):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                paragraphs = (ast.get_docstring(node) or "").split("\n\n")
                text = " ".join(" ".join(paragraphs[:2]).split())
                if len(text) >= 60:
                    yield text[:600]
