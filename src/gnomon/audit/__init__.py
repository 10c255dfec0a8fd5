"""The audit of a rollout: its decisions as one signed file that anybody can check later.

:func:`~gnomon.audit.export.export` reads a storage root and writes a bundle.
:func:`~gnomon.audit.verification.verify` needs only that file.
"""

from gnomon.audit.audit_report import AuditCheck, AuditReport
from gnomon.audit.export import AuditExport, export
from gnomon.audit.verification import verify

__all__ = ["AuditCheck", "AuditExport", "AuditReport", "export", "verify"]
