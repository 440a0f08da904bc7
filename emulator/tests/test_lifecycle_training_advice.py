"""What a job that is over is told with, beyond SageMaker's words; and what a hostile program leaves."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.errors import StartError
from sm_emulate.events import Warned
from sm_emulate.spec.training_job import LAYOUT


def warnings(jobs):
    return [event.message for event in jobs.heard.of(Warned)]


def write(box, inside, text="x"):
    box.path(inside, write=True).write_text(text)


def replaced(box, by):
    """Put something in the place of /opt/ml/output/data."""
    data = box.path(LAYOUT.output_data)
    data.rmdir()
    by(data)
    write(box, "/opt/ml/model/weights")


@pytest.mark.parametrize("rule", ["keep", "follow", "skip"])
def test_a_link_in_the_place_of_output_data_shows_nothing_of_this_machine(jobs, tmp_path, rule):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("of the host")
    result = jobs.run(
        lambda box: replaced(box, lambda data: data.symlink_to(tmp_path / "secret")),
        platform=api.platform(settings={"links-in-artifacts": rule}),
    )
    assert result.status.value == "Completed"
    assert result.output_archive is None
    assert warnings(jobs) == ["output.tar.gz is without data: it is no folder any more"]


@pytest.mark.parametrize("rule", ["left", "uploaded"])
def test_a_job_may_remove_all_of_output(jobs, rule):
    def program(box):
        for each in box.path("/opt/ml/output").iterdir():
            shutil.rmtree(each)
        write(box, "/opt/ml/model/weights")

    result = jobs.run(program, platform=api.platform(settings={"output-other-files": rule}))
    assert (result.status.value, result.output_archive) == ("Completed", None)
    assert warnings(jobs) == []


def test_a_file_in_the_place_of_output_data_is_named(jobs):
    result = jobs.run(lambda box: replaced(box, lambda data: data.write_text("x")))
    assert (result.status.value, result.output_archive) == ("Completed", None)
    assert warnings(jobs) == ["output.tar.gz is without data: it is no folder any more"]


def test_what_is_left_out_is_named_though_there_is_nothing_else_to_pack(jobs):
    def program(box):
        write(box, "/opt/ml/model/weights")
        os.mkfifo(box.path("/opt/ml/output/data/pipe"))

    jobs.run(program)
    assert warnings(jobs) == ["output.tar.gz is without pipe: it is a FIFO"]


def test_links_in_the_model_are_named_since_hosting_refuses_them(jobs):
    def program(box):
        for name in "abcde":
            box.path(f"/opt/ml/model/{name}").symlink_to("nowhere")

    result = jobs.run(program)
    with tarfile.open(result.model_archive) as archive:
        assert archive.getnames() == list("abcde")
    assert warnings(jobs) == [
        "model.tar.gz holds symlinks (a, b, c and 2 more): hosting refuses such an archive"
    ]


def test_a_completed_job_without_a_model_says_so(jobs):
    jobs.run(lambda box: 0)
    assert warnings(jobs) == ["nothing was written to /opt/ml/model: there is no model.tar.gz"]


def of_user(jobs, user):
    plain = jobs.engine.add_image("user:1", lambda box: 1)
    jobs.engine.add_image("user:1", lambda box: 1, image=replace(plain, user=user))


@pytest.mark.parametrize(
    ("user", "told"), [("1000:1000", True), ("app", True), ("root", False), ("0:0", False)]
)
def test_an_ordinary_user_s_failure_points_at_the_config_folder(jobs, user, told):
    of_user(jobs, user)
    jobs.run(lambda box: 1, request=api.training_request("user:1", job_name="job"))
    assert [words for words in warnings(jobs) if "config-directory-mode=0755" in words] == (
        warnings(jobs) if told else []
    )
    assert bool(warnings(jobs)) is told


def test_an_ordinary_user_who_may_read_the_config_folder_is_told_nothing(jobs):
    of_user(jobs, "app")
    jobs.run(
        lambda box: 1,
        request=api.training_request("user:1", job_name="job"),
        platform=api.platform(settings={"config-directory-mode": "0755"}),
    )
    assert warnings(jobs) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("exec /usr/local/bin/train: no such file or directory", "Windows line ends"),
        (
            "standard_init_linux.go:228: exec user process caused: no such file or directory",
            "Windows line ends",
        ),
        ("exec /usr/local/bin/train: exec format error", "another processor"),
    ],
)
def test_a_program_that_the_kernel_cannot_run_is_explained(jobs, line, hint):
    def program(box):
        box.print(line, error=True)
        return 1

    result = jobs.run(program)
    assert result.failure_reason == "AlgorithmError: , exit code: 1", "SageMaker's words stay as they are"
    (words,) = warnings(jobs)
    assert hint in words


def test_an_image_without_train_is_told_what_was_expected(jobs, monkeypatch):
    def no_train(_container):
        raise StartError('exec: "train": executable file not found in $PATH')

    monkeypatch.setattr(jobs.engine, "start", no_train)
    jobs.run(lambda box: 0)
    assert warnings(jobs) == [
        "expected: an ENTRYPOINT that takes the argument `train`, or an executable `train` on PATH"
    ]
