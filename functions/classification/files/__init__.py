"""Files of texts: rows in, result lines out. Used by the command line and by the upload handler.

Works on any binary stream; knows nothing of a model, of S3 or of a terminal.
"""

from __future__ import annotations

from functions.classification.files.reader import Format, read_rows
from functions.classification.files.rows import FileError, Row, RowError

__all__ = ["FileError", "Format", "Row", "RowError", "read_rows"]
