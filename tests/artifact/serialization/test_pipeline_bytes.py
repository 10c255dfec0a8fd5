"""The pipeline as bytes, and what those bytes name."""

from __future__ import annotations

import collections
import importlib
import io
import pickle
import subprocess
import sys
import warnings
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import all_estimators
from skops.io import _trusted_types

from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.serialization.trust import Named, is_known_safe, is_plain_in_pickle, judge
from gnomon.errors import ArtifactCorrupt, GnomonError, PackRefused, UntrustedTypes


def frame() -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(3)
    table = pd.DataFrame(random.normal(size=(80, 3)), columns=["a", "b", "c"])
    return table, (table["a"] > 0).to_numpy()


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(n_estimators=3, random_state=1),
        HistGradientBoostingClassifier(max_iter=3, random_state=1),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("serializer", ["skops", "pickle"])
def test_a_pipeline_comes_back_and_answers_the_same(model: Any, serializer: Any) -> None:
    """What is loaded predicts bit for bit what was dumped."""
    table, target = frame()
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(np.tanh), model)
    pipeline.fit(table, target)
    content = pipeline_bytes.dump(pipeline, serializer)
    types = pipeline_bytes.named_types(content, serializer)
    again = pipeline_bytes.load(content, serializer, types)
    np.testing.assert_array_equal(again.predict_proba(table), pipeline.predict_proba(table))


def test_the_same_pipeline_gives_the_same_bytes() -> None:
    """Fitting and dumping twice gives the same hash, although memory addresses differ."""
    table, target = frame()

    def dumped() -> bytes:
        model = HistGradientBoostingClassifier(max_iter=3, random_state=1)
        pipeline = make_pipeline(StandardScaler(), model).fit(table, target)
        return pipeline_bytes.dump(pipeline, "skops")

    assert dumped() == dumped()


def test_types_are_listed_without_skops() -> None:
    """What a skops file names is read from its schema, classes and functions alike."""
    table, target = frame()
    log = FunctionTransformer(np.abs)
    pipeline = make_pipeline(log, RandomForestClassifier(n_estimators=2)).fit(table, target)
    types = pipeline_bytes.named_types(pipeline_bytes.dump(pipeline, "skops"), "skops")
    assert "sklearn.tree._tree.Tree" in types
    assert "sklearn.pipeline.Pipeline" in types
    assert any(name.endswith(".absolute") for name in types)


def test_pickled_globals_are_listed_without_running_them() -> None:
    """A pickle that would run a command on load is read, not run, and its command is named."""

    class Bomb:
        def __reduce__(self) -> Any:
            return subprocess.check_call, (["touch", "/nonexistent/exploded"],)

    for protocol in range(6):
        content = pickle.dumps({"model": Bomb()}, protocol=protocol, fix_imports=False)
        assert "subprocess.check_call" in pipeline_bytes.named_types(content, "pickle")


def test_pickled_globals_are_followed_through_the_memo() -> None:
    """A name that was pushed once and fetched from the memo later is found."""
    value = [collections.OrderedDict(), collections.Counter(), collections.deque()]
    names = pipeline_bytes.named_types(pickle.dumps(value, protocol=5), "pickle")
    assert names == ("collections.Counter", "collections.OrderedDict", "collections.deque")


def test_a_pickle_reaches_only_recorded_globals() -> None:
    """Loading a pickle that names something else is refused before that is imported."""
    content = pickle.dumps(collections.Counter("ab"), protocol=5)
    with pytest.raises(UntrustedTypes, match=r"collections\.Counter"):
        pipeline_bytes.load(content, "pickle", ["collections.OrderedDict"])


def test_a_skops_file_loads_only_trusted_types() -> None:
    """A type that neither skops nor the packer trusts is refused."""
    table, target = frame()
    model = RandomForestClassifier(n_estimators=2).fit(table, target)
    content = pipeline_bytes.dump(model, "skops")
    with pytest.raises(UntrustedTypes, match=r"sklearn\.tree\._tree\.Tree"):
        pipeline_bytes.load(content, "skops", [])


@pytest.mark.parametrize("serializer", ["skops", "pickle"])
def test_bytes_that_are_no_pipeline_are_corrupt(serializer: Any) -> None:
    """Truncated or foreign bytes are an artifact error, not a crash."""
    with pytest.raises(ArtifactCorrupt, match=serializer):
        pipeline_bytes.named_types(b"\x80\x05nonsense", serializer)


def test_what_skops_cannot_store_is_refused_with_a_way_out() -> None:
    """The refusal names the other serializer."""
    holder = FunctionTransformer(np.abs, kw_args={"out": memoryview(b"x")})
    with pytest.raises(PackRefused, match="pickle"):
        pipeline_bytes.dump(holder, "skops")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("sklearn.tree._tree.Tree", True),
        ("numpy.clip", True),
        ("scipy.special.expit", True),
        ("datetime.timedelta", True),
        ("builtins.object", True),
        ("numpy.f2py.compile", False),
        ("numpy.lib._npyio_impl.load", False),
        ("sklearn.datasets._base.load_files", False),
        ("os.system", False),
        ("builtins.eval", False),
        ("lightgbm.sklearn.LGBMClassifier", False),
    ],
)
def test_what_is_known_to_be_safe(name: str, safe: bool) -> None:
    """scikit-learn, numpy, scipy and plain values are; what reads files or runs code is not."""
    assert is_known_safe(name) is safe


def test_a_canonical_file_is_still_a_skops_file() -> None:
    """skops itself reads what was renumbered, members included."""
    table, target = frame()
    content = pipeline_bytes.dump(LogisticRegression().fit(table, target), "skops")
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = file.namelist()
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert members[-1] == "schema.json"
    assert all(name.split(".")[0].isdigit() for name in members[:-1])


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
def test_a_process_that_only_loads_imports_what_it_needs() -> None:
    """It does not import all of scikit-learn, and leaves the list for user code unchanged."""
    code = (
        "import sys, sklearn.utils; from gnomon.compat.skops import import_without_estimators; "
        "import_without_estimators(); "
        "print('skops.io' in sys.modules, 'sklearn.gaussian_process' in sys.modules, "
        "len(sklearn.utils.all_estimators()) > 100)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "True"]


def test_what_is_asked_of_one_estimator_is_what_skops_lists() -> None:
    """Loading checks single estimators without importing all of scikit-learn, and accepts no more
    than skops's list.
    """
    # Made anew: what scikit-learn calls experimental is listed once any test has enabled it.
    listed = set(importlib.reload(_trusted_types).SKLEARN_ESTIMATOR_TYPE_NAMES)
    kinds = {estimator for _, estimator in all_estimators()} | set(_below(BaseEstimator))
    for kind in kinds:
        if kind.__module__.startswith("sklearn.") and "tests" not in kind.__module__:
            full = f"{kind.__module__}.{kind.__qualname__}"
            asked = pipeline_bytes.is_public_estimator(
                Named(kind.__module__, kind.__qualname__, "made")
            )
            assert asked is (full in listed), full


def _below(kind: type) -> list[type]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]


@pytest.mark.slow
def test_every_classifier_and_regressor_that_skops_stores_is_loaded() -> None:
    """The file is read without skops and accepts everything that skops accepts."""
    table, target = frame()
    refused = []
    for name, kind in all_estimators(type_filter=["classifier", "regressor"]):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = kind().fit(table, target)
            content = pipeline_bytes.dump(model, "skops")
        except (TypeError, ValueError, PackRefused):
            continue  # it needs arguments or another target, or skops does not store it
        trusted = [one for one in pipeline_bytes.untrusted_types(content) if is_known_safe(one)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of classes that scikit-learn will remove
                again = pipeline_bytes.load(content, "skops", trusted)
                np.testing.assert_array_equal(again.predict(table), model.predict(table))
        except GnomonError as error:
            refused.append((name, str(error)))
    assert refused == []


@pytest.mark.parametrize("field", ["left_child", "right_child", "feature"])
def test_a_tree_that_is_none_is_refused(field: str) -> None:
    """Cycles would never end, and indices out of bounds would read foreign memory."""
    table, target = frame()
    model = RandomForestClassifier(n_estimators=1, random_state=1).fit(table, target)
    nodes = model.estimators_[0].tree_.__getstate__()["nodes"]
    content = pipeline_bytes.dump(model, "skops")
    forged = nodes.copy()
    forged[field][0] = 0 if field != "feature" else 99
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(nodes.tobytes(), forged.tobytes()))
    trusted = ["numpy.dtype", "sklearn.tree._tree.Tree"]
    pipeline_bytes.load(content, "skops", trusted)
    with pytest.raises(ArtifactCorrupt, match="do not form a tree"):
        pipeline_bytes.load(buffer.getvalue(), "skops", trusted)


def test_a_name_fetched_from_an_overwritten_memo_is_the_last_one() -> None:
    """A pickler never writes a memo entry twice; an attacker may, to disguise a name."""

    def text(value: str) -> bytes:
        return pickle.BINUNICODE + len(value).to_bytes(4, "little") + value.encode()

    put, get = pickle.BINPUT + b"\0", pickle.BINGET + b"\0"
    forged = text("collections") + put + text("os") + put + get + text("system")
    content = pickle.PROTO + b"\4" + forged + pickle.STACK_GLOBAL + pickle.STOP
    assert pipeline_bytes.named_types(content, "pickle") == ("os.system",)


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
def test_a_path_may_be_pickled_wherever_python_defines_it(module: str) -> None:
    """Python 3.13 has it in ``pathlib._local``; an artifact packed there can be inspected here."""
    path = Named(module, "PosixPath", "unpickled", is_plain_in_pickle(f"{module}.PosixPath"))
    assert judge([path], [], [], "a pickle") == ()
    with pytest.raises(UntrustedTypes):
        judge([Named(module, "Path.touch", "unpickled", True)], [], [], "a pickle")
