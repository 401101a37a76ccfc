"""Geminate with one promise broken: what the proofs have to notice. ``python mutations.py NAME COMMAND…`` runs it."""

import os
import stat
import sys
from dataclasses import replace
from types import SimpleNamespace


def post_before_the_intent():
    from geminate.pipeline.submit import Submitter
    from geminate.wire.jobs import encode_job

    post = Submitter._post

    def reversed_order(self, attempt):
        job = self.jobs.create(encode_job(self.stager.plan.request(attempt)))
        return post(replace(self, jobs=SimpleNamespace(create=lambda _: job)), attempt)

    Submitter._post = reversed_order


def files_are_not_synced():
    _sync_only(stat.S_ISDIR)


def folders_are_not_synced():
    _sync_only(stat.S_ISREG)


def _sync_only(is_meant):
    sync = os.fsync
    os.fsync = lambda fd: sync(fd) if is_meant(os.fstat(fd).st_mode) else None


def the_ledger_is_not_synced():
    _open_ledger_with("OFF")


def the_ledgers_folder_is_not_synced():
    _open_ledger_with("FULL")


def _open_ledger_with(mode):
    from geminate import ledger

    make_durable = ledger._make_durable

    def make_less_durable(db):
        make_durable(db)
        db.execute(f"PRAGMA synchronous = {mode}")

    ledger._make_durable = make_less_durable


MUTATIONS = {
    made.__name__: made
    for made in (
        post_before_the_intent,
        files_are_not_synced,
        folders_are_not_synced,
        the_ledger_is_not_synced,
        the_ledgers_folder_is_not_synced,
    )
}

if __name__ == "__main__":
    from geminate.cli import main

    MUTATIONS[sys.argv.pop(1)]()
    main()
