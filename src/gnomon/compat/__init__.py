"""Every use of a private part of a library, one file per package.

A private name may go with any release. So each is reached in one function here, which says what it
reaches, why there is no public way, and what happens without it. ``tests/compat`` has a test for
each that says in a sentence what a release has broken, and a test that nothing outside this room
reaches into private parts. ``pyproject.toml`` ends the range of each such package at the last
release that was seen to work.

:mod:`gnomon.compat.platform` does the same for calls that only some operating systems have.

Nothing is imported here: a worker must not pay for what only a gateway needs.
"""
