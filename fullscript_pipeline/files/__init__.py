"""Where the files that people read are kept: a folder, or a bucket of an object store.

A file has a name below its root, with slashes, and is replaced as a whole. What does not belong here: what is in a
file, and who may read it.
"""

from fullscript_pipeline.files.folder import FolderFiles
from fullscript_pipeline.files.opening import open_bucket, open_files
from fullscript_pipeline.files.protocol import Files
from fullscript_pipeline.files.server_address import server_address

__all__ = ["Files", "FolderFiles", "open_bucket", "open_files", "server_address"]
