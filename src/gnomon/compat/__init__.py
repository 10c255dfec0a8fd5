"""All uses of private parts of libraries, one file per package.

A private name may disappear in any release. So each is used in one function here, whose docstring
says which name it uses, why there is no public alternative, and what happens without it.
``tests/compat`` has a test for each, whose message says what a release has broken, and a test that
no code outside this package uses private parts. ``pyproject.toml`` limits each such package to the
last release that was seen to work.

:mod:`gnomon.compat.platform` does the same for calls that only some operating systems have.

Nothing is imported here: a worker must not spend time on imports that only a gateway needs.
"""
