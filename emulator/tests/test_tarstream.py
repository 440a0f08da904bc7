"""Names out of a tar stream, whatever wrote it, however it is cut into pieces."""

import io
import tarfile

import pytest

from sm_emulate.engine.tarstream import TarError, TarStream

LONG = "a-folder-with-a-long-name/" * 12 + "file"


def packed(kind):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as tar:
        folder = tarfile.TarInfo("opt/")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name, size in (("opt/empty", 0), ("opt/é", 1), (LONG, 70_000), ("opt/block", 512)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = size, 0o4755
            tar.addfile(member, io.BytesIO(b"x" * size))
        link = tarfile.TarInfo("opt/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/" + LONG
        tar.addfile(link)
        same = tarfile.TarInfo("opt/same")
        same.type, same.linkname = tarfile.LNKTYPE, "opt/block"
        tar.addfile(same)
        device = tarfile.TarInfo("opt/device")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
    return made.getvalue()


def stream(data, piece):
    source = io.BytesIO(data)
    return TarStream(lambda view: source.readinto(view[:piece]))


@pytest.mark.parametrize("piece", [1, 511, 512, 513, 1 << 20])
@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_entry_is_named(kind, piece):
    found = {entry.path: entry for entry in stream(packed(kind), piece)}
    assert list(found) == [
        "opt/", "opt/empty", "opt/é", LONG, "opt/block", "opt/link", "opt/same", "opt/device",
    ]  # fmt: skip
    assert [entry.kind for entry in found.values()] == [
        "directory", "file", "file", "file", "file", "link", "file", "other",
    ]  # fmt: skip
    assert (found[LONG].size, found[LONG].mode) == (70_000, 0o755)
    assert found["opt/link"].target == "/" + LONG
    assert found["opt/same"].target == ""


def test_content_is_read_on_demand():
    tar = stream(packed(tarfile.PAX_FORMAT), 1000)
    read = {entry.path: tar.content(600) for entry in tar if entry.kind == "file"}
    assert read[LONG] == b"x" * 600
    assert read["opt/block"] == b"x" * 512
    assert read["opt/empty"] == b""


def test_content_of_any_size_is_passed_over_without_being_held():
    large = tarfile.TarInfo("large")
    large.size = 12 << 30
    after = tarfile.TarInfo("after").tobuf() + b"\0" * 1024
    header = large.tobuf(tarfile.GNU_FORMAT)
    sent = 0

    def receive(view):
        nonlocal sent
        end = len(header) + large.size
        if sent < len(header):
            piece = header[sent : sent + len(view)]
        elif sent < end:
            size = min(len(view), end - sent)
            sent += size
            return size  # as if zeros had been received
        else:
            piece = after[sent - end :][: len(view)]
        view[: len(piece)] = piece
        sent += len(piece)
        return len(piece)

    assert [(entry.path, entry.size) for entry in TarStream(receive)] == [("large", 12 << 30), ("after", 0)]


@pytest.mark.parametrize("data", [b"", b"too short", b"no archive " * 100, packed(tarfile.GNU_FORMAT)[:5000]])
def test_what_is_cut_short_or_no_archive_is_an_error(data):
    with pytest.raises(TarError):
        list(stream(data, 4096))
