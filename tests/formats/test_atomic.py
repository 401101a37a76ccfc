import errno
import os
import stat

import pytest

from geminate.errors import AccessError, TargetError, TransientError
from geminate.formats.atomic import AtomicFiles, check_path, open_atomic, publish_file


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "out.jsonl"
    with open_atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert all(entry.name.startswith(".") for entry in tmp_path.iterdir())
    assert path.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_rights_that_new_files_have(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with open_atomic(tmp_path / "out"):
        pass
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("error", [ValueError("stop"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_block_that_fails(tmp_path, error):
    with pytest.raises(type(error)), open_atomic(tmp_path / "out"):
        raise error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_stays(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", no_links)
    path = tmp_path / "out"
    with pytest.raises(TargetError, match="exists already"), open_atomic(path):
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_file_systems_without_links_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.hardlink_to", no_links)
    with open_atomic(tmp_path / "out") as file:
        file.write(b"ours")
    assert (tmp_path / "out").read_bytes() == b"ours"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def no_links(*_):
    raise OSError(errno.EPERM, "no links here")


def test_an_existing_file_is_replaced_only_if_allowed(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(TargetError, match="exists already"), open_atomic(path):
        pass
    with open_atomic(path, overwrite=True) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_worth_another_try(tmp_path):
    with pytest.raises(TransientError, match="no room left"), open_atomic(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_a_target_is_refused(tmp_path):
    with pytest.raises(TargetError, match="is a folder"):
        check_path(tmp_path, overwrite=True)
    with pytest.raises(TargetError, match="its folder does not exist"):
        check_path(tmp_path / "no" / "out")
    with pytest.raises(TargetError, match="not a regular file"):
        check_path(os.devnull, overwrite=True)
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(TargetError, match="exists already"):
        check_path(tmp_path / "dangling")


def test_a_folder_that_may_not_be_written_is_no_input_error(tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):  # The superuser may write all, so the refusal is made up.
        monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(AccessError, match="may not be written"):
        check_path(tmp_path / "out")
    tmp_path.chmod(0o700)


def test_a_finished_file_can_be_published(tmp_path):
    written, path = tmp_path / "written", tmp_path / "out"
    written.write_bytes(b"done")
    publish_file(written, path)
    assert path.read_bytes() == b"done"
    assert not written.exists()


def test_files_appear_together_and_the_last_one_last(tmp_path, monkeypatch):
    appeared = []
    publish = "geminate.formats.atomic.publish_file"
    monkeypatch.setattr(publish, lambda hidden, path, **_: appeared.append((path.name, hidden.read_bytes())))
    with AtomicFiles(last=tmp_path / "out") as files:
        for name in ["a", "out", "b"]:
            files.open(tmp_path / name).write(name.encode())
        assert appeared == []
    assert appeared == [("a", b"a"), ("b", b"b"), ("out", b"out")]


def test_files_that_appeared_are_taken_back_if_another_cannot(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(TargetError, match="exists already"), AtomicFiles(last=tmp_path / "out") as files:
        write_while_another_takes_a_name(files, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"new", "out": b"theirs"}


def write_while_another_takes_a_name(files, folder):
    files.open(folder / "side")
    files.open(folder / "old", overwrite=True).write(b"new")
    files.open(folder / "out")
    (folder / "out").write_bytes(b"theirs")
