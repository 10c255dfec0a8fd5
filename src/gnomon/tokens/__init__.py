"""Named tokens, issued to one person or program each, and the role of each.

They are kept under the storage root. What a server makes of a token that it gets is in
:mod:`gnomon.service.access`.
"""
