"""Cloud Storage through google-cloud-storage, every write and read pinned by a precondition."""

from geminate.adapters.gcs.store import GcsStore, read_bucket_location

__all__ = ["GcsStore", "read_bucket_location"]
