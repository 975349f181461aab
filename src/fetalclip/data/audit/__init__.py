"""What is wrong with a data set before anything is trained on it: leaks, copies, labels, shortcuts, files. No torch.

>>> found = audit(read_dataset("hc18", "data"))  # doctest: +SKIP
>>> found.leaking, len(found.unreadable)  # doctest: +SKIP
"""

from __future__ import annotations

from fetalclip.data.audit.leaks import Leak, leaks
from fetalclip.data.audit.look import Look, clean
from fetalclip.data.audit.run import SCHEMA, Audit, audit, with_table

__all__ = ["SCHEMA", "Audit", "Leak", "Look", "audit", "clean", "leaks", "with_table"]
