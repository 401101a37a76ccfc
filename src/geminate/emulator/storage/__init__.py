"""A subset of Cloud Storage's JSON API over the emulator's folder of buckets: a reference of the rules, kept plain."""

from geminate.emulator.storage.serving import StorageServer

__all__ = ["StorageServer"]
