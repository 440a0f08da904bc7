"""A folder that is uploaded all the while a container writes to it."""

from __future__ import annotations

import threading
import time

from sm_emulate.errors import EngineError
from sm_emulate.lifecycle import uploader as uploaders
from sm_emulate.lifecycle.uploader import Uploader

WAIT_SECONDS = 180


class Looked:
    """In a mirror's place: nothing there can be read until the files were handed back twice."""

    def __init__(self, tmp_path):
        self.folder, self.trouble, self.scan_seconds = tmp_path, None, 0.0
        self.looks, self.handed, self.many = 0, 0, threading.Event()

    @property
    def closed(self):
        return ["shut"] if self.handed < 2 else []

    def look(self, *, settled=True):
        del settled
        self.looks += 1
        if self.handed == 2 and self.looks >= 6:
            self.many.set()
        return not self.closed


def test_what_is_slow_after_a_look_does_not_put_off_the_next(tmp_path, monkeypatch):
    """A container that hands files back takes its time: it once counted as ours, and a minute was lost."""
    monkeypatch.setattr(uploaders, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(uploaders, "_SHARE", 10_000)
    monkeypatch.setattr(uploaders, "_OWN_SECONDS", 0.0)
    mirror = Looked(tmp_path)

    def hand_back(folder):
        assert folder == tmp_path
        time.sleep(0.05)
        mirror.handed += 1

    uploader = Uploader(mirror, hand_back=hand_back, publish=lambda event: None)
    uploader.begin()
    assert mirror.many.wait(WAIT_SECONDS), f"{mirror.looks} looks"
    assert uploader.end() is None


def test_the_same_trouble_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(uploaders, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(uploaders, "_OWN_SECONDS", 0.0)
    mirror, told, tries = Looked(tmp_path), [], []

    def hand_back(folder):
        tries.append(folder)
        if len(tries) < 4:
            raise EngineError("files could not be handed back")
        mirror.handed += 1

    uploader = Uploader(mirror, hand_back=hand_back, publish=told.append)
    uploader.begin()
    assert mirror.many.wait(WAIT_SECONDS)
    assert uploader.end() is None
    assert [event.message for event in told] == ["files could not be handed back"]
