"""The names in a serialized pipeline, and whether this process will run them.

Three lists decide, in this order; only the last comes from the artifact. *Forbidden*: names that
run commands, read files or reach into the interpreter are refused whatever the manifest says.
*Plain*: names that skops loads by default. *Trusted*: names that the packer accepted. This is only
a claim, since a forger can write it too, so :func:`judge` returns every such name, to be shown
before it runs. Only a signature shows who made the claim.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from types import ModuleType
from typing import Literal, NamedTuple

from gnomon.errors import UntrustedTypes

__all__ = [
    "NameReference",
    "Origin",
    "TrustedName",
    "Use",
    "check_resolved",
    "check_use",
    "is_known_safe",
    "is_plain_in_pickle",
    "judge",
]

Use = Literal["made", "called", "kept", "method", "unpickled"]
"""What loading does with a name: *made*: an instance is created without ``__init__`` and given its
state; *called* with arguments from the file; *kept*, to be called when the pipeline predicts; a
*method* of an object that is kept; *unpickled*: anything that a pickle says."""

Origin = Literal["own code", "installed package"]


class NameReference(NamedTuple):
    """One class or function that a serialized pipeline names."""

    module: str
    name: str
    use: Use
    plain: bool = False
    """Whether skops loads it by default for this use."""

    @property
    def full(self) -> str:
        """``module.name``, as in manifests."""
        return f"{self.module}.{self.name}"


class TrustedName(NamedTuple):
    """A name that the packer trusted, with everything that loading does with it."""

    name: str
    origin: Origin
    uses: tuple[Use, ...]


_IDENTIFIER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

_NUMERIC = frozenset({"numpy", "scipy", "sklearn"})
_UNSAFE_PARTS = frozenset(
    {
        *("testing", "tests", "f2py", "distutils", "io", "datasets", "_npyio_impl", "_datasource"),
        *("ctypeslib", "npyio", "externals", "_testing", "_testutils", "_show_versions", "fixes"),
        *("load", "loads", "loadtxt", "genfromtxt", "fromregex", "fromfile", "memmap"),
        *("save", "savez", "savez_compressed", "savetxt", "tofile", "dump", "dumps"),
        *("open_memmap", "DataSource", "LowLevelCallable", "load_npz", "save_npz", "mrecords"),
        *("format", "_format_impl", "export_graphviz", "check_memory", "_build_utils", "odr"),
        *("test", "_pytesttester", "conftest", "estimator_checks", "_examples", "_precompute"),
        *("_uarray", "_array_api_docs_tables", "_tmpdirs", "_ccallback", "pyprima", "deprecation"),
        *("_utils_impl", "_repr_html", "discovery", "add_newdoc", "delegate_xp", "clone_module"),
        *("check_library_installed", "show_options", "as_strided"),
        *("array_api_extra", "_check_response_method", "_get_feature_importances"),
        *("_get_response_values", "_fit_and_predict", "_fit_and_score"),
        *("_from_reconstruction_attributes", "_estimator_with_converted_arrays"),
    }
)
"""Parts of numpy, scipy and scikit-learn that read or write files, run programs, import what they
are told to, get attributes by name, or use addresses. ``numpy.load`` unpickles."""

_REBUILDING = frozenset(
    {
        *("_reconstruct", "_frombuffer", "_mareconstruct", "__randomstate_ctor"),
        *("__bit_generator_ctor", "__generator_ctor", "_timedelta_unpickle", "__nat_unpickle"),
    }
)
_REBUILDING_PREFIXES = ("__pyx_unpickle_", "_unpickle_", "_new_")
"""Private functions of numpy, scipy and pandas that their own objects name in order to be loaded.
No others are run: ``numpy.core._ufunc_reconstruct`` returns any function of any module."""

_VALUES = frozenset(
    {
        *("math", "cmath", "statistics", "decimal", "_decimal", "fractions", "numbers"),
        *("datetime", "zoneinfo", "calendar", "collections", "string", "unicodedata"),
        *("bisect", "_bisect", "heapq", "_heapq", "operator", "_operator", "random", "_random"),
        *("enum", "uuid", "re"),
    }
)
"""Modules of the standard library with value types and functions on them. All others are forbidden:
too many of them can run a command. So can private functions of these, such as
``uuid._get_command_stdout``."""

_NO_VALUES = frozenset(
    {
        *("operator.call", "_operator.call", "calendar.main", "uuid.main", "uuid.getnode"),
        "string.Formatter",
    }
)
"""Names of these modules that are no values; a formatter gets attributes by their names."""

_STANDARD_NAMES = frozenset(
    {
        *(
            f"{module}.{name}"
            for module in ("pathlib", "pathlib._local")  # the name in Python 3.13
            for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")
        ),
        *("copyreg._reconstructor", "copyreg.__newobj__", "_codecs.encode", "functools.partial"),
        *("types.SimpleNamespace", "types.MappingProxyType"),
        *(
            f"builtins.{name}"
            for name in (
                *("abs", "all", "any", "bool", "bytearray", "bytes", "chr", "complex", "dict"),
                *("divmod", "enumerate", "filter", "float", "frozenset", "hash", "int", "len"),
                *("list", "map", "max", "min", "object", "ord", "pow", "range", "repr"),
                *("reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "zip"),
                *("NoneType", "Ellipsis", "NotImplemented"),
            )
        ),
    }
)

_SAFE_NAMES = frozenset(
    {
        "builtins.bytes",
        "builtins.complex",
        "builtins.frozenset",
        "builtins.object",  # make_column_selector(dtype_include=object)
        "builtins.range",
        "collections.OrderedDict",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "functools.partial",
        "operator.itemgetter",
        "pandas.CategoricalDtype",
        "pandas.Index",  # X.columns
        "pandas.Interval",
        "pandas.RangeIndex",
        "pandas.Series",  # X.mean()
        "pandas.api.typing.NAType",  # SimpleImputer(missing_values=pandas.NA)
        "zoneinfo.ZoneInfo",
    }
)
"""What packing accepts of the standard library and pandas without being told to: values."""

_NO_MODEL = frozenset(
    {
        *("gnomon", "skops", "bentoml", "_bentoml_sdk", "_bentoml_impl", "joblib", "yaml"),
        *("cloudpickle", "dill", "ruamel", "click", "typer", "sh", "pexpect", "jinja2", "mako"),
        *("requests", "httpx", "urllib3", "aiohttp", "boto3", "s3fs", "paramiko", "sqlalchemy"),
        *("pandas.HDFStore", "pandas.ExcelWriter", "pandas.ExcelFile", "pandas.show_versions"),
        *("pandas.test", "pandas.tests", "pandas.testing", "pandas._testing", "pandas.conftest"),
        *("pandas.compat", "pandas._config", "pandas.plotting", "pandas._libs.parsers"),
        *("pandas.util._print_versions", "pandas.util._tester", "pandas.core.interchange"),
        "pandas.util._test_decorators",
        *("pandas.api.interchange", "pandas._version", "pandas.core.apply", "pandas.core.common"),
        *("fsspec", "obstore", "duckdb", "deltalake", "msgspec", "prometheus_client", "uvicorn"),
        *("uvloop", "starlette", "anyio", "tornado", "rich", "matplotlib", "watchfiles", "fs"),
        *("pip", "setuptools", "pkg_resources", "_distutils_hack", "IPython", "pytest", "_pytest"),
        *(
            "pandas.io",
            "pandas.core.computation",
            "distutils",
            "test",
            "cffi",
            "psutil",
            "circus",
            "kantoku",
        ),
    }
)
"""Installed packages that load, run or download things; no fitted step is one of their objects."""

_ARROW_FILES = re.compile(
    r"pyarrow(\.lib)?\.(OSFile|MemoryMappedFile|memory_map|create_memory_map|foreign_buffer"
    r"|(input|output)_stream)|pyarrow\._?(fs|csv|json|parquet|dataset|feather|orc|ipc|flight"
    r"|hdfs|cffi|jvm|cuda|acero|substrait|gandiva|azurefs|gcsfs|s3fs|util|pyarrow_cpp_tests)\b.*"
)
"""Parts of pyarrow that open files or use addresses; categories may have its types."""

_GETTERS = frozenset(
    f"{module}.{name}"
    for module in ("operator", "_operator")
    for name in ("attrgetter", "methodcaller")
)
"""Only :mod:`gnomon.artifact.serialization.skops_file` knows which names they may reach."""

_DANGEROUS_MODULES = frozenset(
    {
        *("os", "posix", "sys", "subprocess", "importlib", "shutil", "ctypes", "socket", "pickle"),
        *("builtins", "pty", "marshal", "runpy"),
    }
)
_DANGEROUS = _DANGEROUS_MODULES | {
    *("eval", "exec", "compile", "getattr", "setattr", "delattr", "system", "popen", "Popen"),
    *("import_module", "read_pickle", "check_call", "check_output", "globals", "vars", "io"),
}
"""Parts of a name that reach one of these indirectly: ``sklearn.utils.validation.os``. The
artifact's own code may name a function ``system``."""


def is_known_safe(name: str) -> bool:
    """Return whether a type or function belongs to scikit-learn, numpy, scipy or plain values.

    Parts of those packages that read files or run programs are excluded. Packing trusts these
    types by default.
    """
    if name in _SAFE_NAMES:
        return True
    return name.partition(".")[0] in _NUMERIC and not _is_unsafe_part(name)


def is_plain_in_pickle(name: str) -> bool:
    """Return whether a pickle may name this without it being shown."""
    return is_known_safe(name) or name in _STANDARD_NAMES


def judge(
    named: Iterable[NameReference], trusted: Collection[str], modules: Collection[str], where: str
) -> tuple[TrustedName, ...]:
    """Refuse names that must not run; return those that only the packer trusted.

    Args:
        named: all names that loading would run.
        trusted: the names that the manifest claims to be trusted.
        modules: the names of the artifact's vendored modules.
        where: the pipeline's file, for the message.

    Raises:
        UntrustedTypes: a name that is forbidden, or neither plain nor trusted.
    """
    own = {module.partition(".")[0] for module in modules}
    shown: dict[str, tuple[Origin, set[Use]]] = {}
    unknown = set()
    for one in set(named):
        is_own = one.module.partition(".")[0] in own
        check_allowed(one, is_own, where)
        if one.full not in trusted:
            if not one.plain or is_own:
                unknown.add(one.full)
            continue
        if one.plain and one.use == "unpickled":
            continue  # a pickle's manifest lists every name: scikit-learn's are not shown
        origin: Origin = "own code" if is_own else "installed package"
        shown.setdefault(one.full, (origin, set()))[1].add(one.use)
    if unknown:
        raise UntrustedTypes(
            "the pipeline names types that neither skops nor the manifest trusts: "
            + ", ".join(sorted(unknown)),
            where=where,
            hint="do not load it; find out who changed it",
        )
    return tuple(
        TrustedName(name, origin, tuple(sorted(uses)))
        for name, (origin, uses) in sorted(shown.items())
    )


def check_allowed(one: NameReference, is_own: bool, where: str) -> None:
    """Refuse a forbidden name.

    Raises:
        UntrustedTypes: it runs commands, reads files, or reaches into the interpreter; or it is not
            the name of a class or function.
    """
    if not _IDENTIFIER.fullmatch(one.full):
        raise UntrustedTypes(
            f"expected the name of a class or function, got {one.full!a}", where=where
        )
    dangerous = _DANGEROUS_MODULES if is_own else _DANGEROUS
    hidden = any(part.lstrip("_") in dangerous for part in one.name.split("."))
    private = not is_own and _is_private_function(one)
    if hidden or private or (not is_own and _is_forbidden(one.module, one.full)):
        raise UntrustedTypes(
            f"the pipeline names {one.full}, which no pipeline may run: it can run commands, read "
            "files or reach into the interpreter",
            where=where,
            hint="do not load it; find out who made it. If it is your own, wrap what you need of "
            "it in a function of your own module",
        )


def check_resolved(name: str, value: object, modules: Collection[str], where: str) -> None:
    """Refuse a forbidden object with a harmless name.

    ``preprocessing.clock.run`` may be ``os.system``, imported there. Neither may anything else of
    numpy or Python's library be named as part of another package: its name decides what it may be
    called with.

    Raises:
        UntrustedTypes: it is a module, its own module and name are forbidden, or it is of numpy or
            Python's library and named as part of another package.
    """
    own = {entry.partition(".")[0] for entry in modules}
    if isinstance(value, ModuleType):
        real, bad = f"the module {value.__name__}", True
    else:
        module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(qualname, str):
            return
        real = f"{module}.{qualname}"
        bad = module.partition(".")[0] not in own and _is_forbidden(module, real)
        bad = bad or (real in _GETTERS and name not in _GETTERS)
        of_others = _is_standard(module) or _top(module) == "numpy"
        bad = bad or (of_others and _top(name) != _top(module))
    if bad:
        raise UntrustedTypes(
            f"the pipeline names {name}, which is {real}: no pipeline may run that",
            where=where,
            hint="do not load it; find out who made it",
        )


def check_use(one: NameReference, value: object, where: str) -> None:
    """Refuse an object that skops would not have written for this use.

    It names a class to make an object of it, and never a function to be called. A function of
    pandas that is kept must be part of its public interface: inside pandas, some call whatever they
    are told to.

    Raises:
        UntrustedTypes: it is a function, or a function that is not public.
    """
    is_class = isinstance(value, type)
    of_pandas = str(getattr(value, "__module__", "")).partition(".")[0] == "pandas"
    if one.use in ("made", "called") and not is_class:
        what = "not a class: skops would call it when it loads the pipeline"
    elif one.use == "kept" and of_pandas and not (is_class or _is_public_in_pandas(value)):
        what = "a function inside pandas that is not public"
    else:
        return
    raise UntrustedTypes(
        f"the pipeline names {one.full}, which is {what}",
        where=where,
        hint="do not load it; find out who made it",
    )


def _is_standard(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.builtin_module_names or top in sys.stdlib_module_names


def _top(name: str) -> str:
    """Return the first part of a name; ``_operator`` is the compiled ``operator``."""
    return name.partition(".")[0].lstrip("_")


def _is_public_in_pandas(value: object) -> bool:
    public = (vars(sys.modules[name]) for name in ("pandas", "pandas.api.types"))
    return any(value is known for module in public for known in module.values())


def _is_forbidden(module: str, full: str) -> bool:
    top = full.partition(".")[0]
    if _is_standard(top) or top == "__main__":
        return not (full in _STANDARD_NAMES or _is_value(module, full))
    if top in _NUMERIC:
        return _is_unsafe_part(full)
    if full.startswith("pandas.read_") or _ARROW_FILES.fullmatch(full):
        return True
    return any(full == name or full.startswith(f"{name}.") for name in _NO_MODEL)


def _is_value(module: str, full: str) -> bool:
    is_private = full.rpartition(".")[2].startswith("_")
    return module in _VALUES and not is_private and full not in _NO_VALUES


def _is_unsafe_part(full: str) -> bool:
    return bool(_UNSAFE_PARTS.intersection(full.split(".")[1:]))


def _is_private_function(one: NameReference) -> bool:
    """Whether a name is that of a private function, and none that objects need to be loaded.

    Estimators of scikit-learn keep private functions; so do objects of pandas in a pickle.
    """
    top, last = one.full.partition(".")[0], one.full.rpartition(".")[2]
    if not last.startswith("_") or last in _REBUILDING or last.startswith(_REBUILDING_PREFIXES):
        return False
    if top in ("numpy", "scipy"):
        return one.use != "made"
    is_class = last.lstrip("_")[:1].isupper()
    return top == "pandas" and one.use in ("called", "kept") and not is_class
