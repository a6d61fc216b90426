"""Chooses the place of files by FULLSCRIPT_FILES_URL: a folder of this machine, or a bucket.

obstore is imported for a bucket only. What does not belong here: what is kept there.
"""

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.files.folder import FolderFiles
from fullscript_pipeline.files.protocol import Files
from fullscript_pipeline.settings import Settings


def open_files(settings: Settings, folder: str) -> Files:
    """The files below a folder of the place. Raises ConfigurationError where obstore is not installed."""
    if settings.bucket_url is None:
        return FolderFiles(settings.files_dir / folder)
    return open_bucket(f"{settings.bucket_url}/{folder}")


def open_bucket(url: str) -> Files:
    """The objects below a place in a bucket. Raises ConfigurationError where obstore is not installed."""
    try:
        from fullscript_pipeline.files.bucket import BucketFiles  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "FULLSCRIPT_FILES_URL names a bucket, and obstore is not installed: `pip install "
            "'fullscript-pipeline[distributed]'`."
        ) from None
    return BucketFiles(url)
