"""Every estimator packs and serves, or is refused with a reason that is known here."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import pytest

from tests.estimators.bringing import Brought, bring
from tests.estimators.candidates import Candidate, of_others, of_sklearn
from tests.estimators.packing_here import pack_here

ROUNDING = 1e-9
"""Relative: far more than the order of a sum costs any of these, and far less than an error."""

ONLY_ITS_OWN_ROWS = "only answers the rows it is fitted on"
WITHOUT_NEW_ROWS = "nothing that answers new rows"
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        (
            *("AgglomerativeClustering", "ClassicalMDS", "DBSCAN", "HDBSCAN", "MDS", "OPTICS"),
            *("SpectralClustering", "SpectralEmbedding", "TSNE"),
        ),
        ONLY_ITS_OWN_ROWS,
    ),
    **dict.fromkeys(
        (
            *("EmpiricalCovariance", "GraphicalLasso", "GraphicalLassoCV", "LedoitWolf"),
            *("MinCovDet", "NearestNeighbors", "OAS", "ShrunkCovariance"),
            *("SpectralBiclustering", "SpectralCoclustering"),
        ),
        WITHOUT_NEW_ROWS,
    ),
    "DummyClassifier": 'strategy="prior"',
    "FeatureHasher": "n_features=1000",
    "HashingVectorizer": "n_features=1000",
    "LocalOutlierFactor": "novelty=True",
    "NMF": "solves for all rows of a batch together",
    "PatchExtractor": "not enough values to unpack",
}
"""By class, what its refusal must say. Every other one packs."""

PICKLED = frozenset({"Birch"})
"""What skops cannot store."""

SAMPLE = frozenset(
    {
        "BayesianGaussianMixture", "BernoulliRBM", "ClassifierChain", "GaussianProcessRegressor",
        "HistGradientBoostingClassifier", "IsolationForest", "KernelDensity", "KMeans",
        "LinearRegression", "LinearSVC", "MultiOutputClassifier", "MultiTaskLasso", "PCA",
        "OneClassSVM", "PLSRegression", "RidgeClassifier", "SelectKBest", "StandardScaler",
        "VotingRegressor",
    }
)  # fmt: skip
"""One or two of each kind, for the usual run."""


@functools.cache
def candidates_of_sklearn() -> tuple[Candidate, ...]:
    """All of scikit-learn's, made once."""
    return tuple(of_sklearn())


@functools.cache
def bring_once(candidate: Candidate) -> Brought:
    """A sample is part of all of them, and fitting and packing one is what takes time."""
    return bring(candidate, pack_here)


def all_packs_or_is_refused(candidates: Iterable[Candidate]) -> list[Brought]:
    """Pack all of them, and compare each result with the expected one."""
    found, wrong = [], []
    for candidate in candidates:
        one = bring_once(candidate)
        found.append(one)
        expected = REFUSED.get(candidate.name)
        if one.refusal is not None:
            if expected is None or expected not in str(one.refusal):
                wrong.append(f"{candidate.name}: {one.refusal}")
        elif not one.unfitted and (expected is not None or not one.difference <= ROUNDING):
            wrong.append(f"{candidate.name}: packs, and differs by {one.difference}")
        elif (one.serializer == "pickle") != (candidate.name in PICKLED):
            wrong.append(f"{candidate.name}: stored as {one.serializer or 'nothing'}")
    assert not wrong, "\n".join(wrong)
    return found


def named(names: Iterable[str]) -> list[Candidate]:
    """These of scikit-learn's."""
    return [candidate for candidate in candidates_of_sklearn() if candidate.name in names]


def test_a_sample_of_every_kind_packs() -> None:
    """All of them are fitted, packed, loaded, and answer as they did in training."""
    found = all_packs_or_is_refused(named(SAMPLE))
    assert {one.candidate.name for one in found} == SAMPLE
    assert all(one.task for one in found), [one for one in found if not one.task]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_estimator_of_scikit_learn_packs_or_is_refused_with_the_reason() -> None:
    """Those that its discovery lists and its own tests can make and fit."""
    found = all_packs_or_is_refused(candidates_of_sklearn())
    assert sum(one.task is not None for one in found) > 150
    assert {one.candidate.name for one in found if one.refusal} == REFUSED.keys()


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost", "imblearn"])
def test_the_usual_ones_of_others_pack(library: str) -> None:
    """Where they are installed; they are no dependency of Gnomon."""
    pytest.importorskip(library)
    found = all_packs_or_is_refused(one for one in of_others() if one.library == library)
    assert all(one.task for one in found), found
