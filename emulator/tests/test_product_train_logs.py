"""Every line that a program writes reaches the user, in order, however fast it ends."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.engine

HUNDRED_THOUSAND = [f"line {number}" for number in range(100_000)]


def test_a_hundred_thousand_lines_then_exit_1_are_all_shown_in_order(product, images):
    image = images.train('seq -f "line %.0f" 0 99999; exit 1')
    job = product.train(image, "--quiet", code=1)
    assert job.err.splitlines() == HUNDRED_THOUSAND
    assert job.log().splitlines() == HUNDRED_THOUSAND
    assert job.reason == "AlgorithmError: , exit code: 1"


@pytest.mark.parametrize(
    ("program", "log"),
    [
        ("echo out; echo err >&2; exit 3", "out\nerr\n"),
        ("printf 'first\\nno newline at the end'; exit 3", "first\nno newline at the end\n"),
        ("printf 'no line at all' >&2; exit 3", "no line at all\n"),
        (
            "printf 'tab\\there, \\033[31mred\\033[0m, \\303\\251, \\377'; exit 3",
            "tab\there, \x1b[31mred\x1b[0m, é, \\xff\n",
        ),
        ("exit 3", None),
    ],
    ids=["both-streams", "no-newline", "stderr-without-newline", "bytes", "nothing"],
)
def test_a_program_that_ends_at_once_loses_nothing(product, images, program, log):
    job = product.train(images.train(program), "--quiet", code=1)
    shown = job.err_bytes.decode(errors="backslashreplace")
    # an engine passes on each stream in order, but not the one against the other
    assert sorted(shown.splitlines()) == sorted((log or "").splitlines())
    if log is None:
        assert not list(job.folder.glob("logs/*.log"))
    else:
        assert (job.folder / "logs/algo-1.log").read_bytes() == job.err_bytes
    assert job.codes == {"algo-1": 3}


def test_both_streams_keep_their_own_order_under_load(product, images):
    image = images.train_python(
        """
        import os
        for number in range(2000):
            os.write(1 + number % 2, f"{number} {'x' * 200}\\n".encode())
        open("/opt/ml/model/m", "w")
        """
    )
    job = product.train(image, "--quiet")
    numbers = [int(line.split()[0]) for line in job.err.splitlines()]
    assert [n for n in numbers if n % 2 == 0] == list(range(0, 2000, 2))
    assert [n for n in numbers if n % 2] == list(range(1, 2000, 2))


def test_a_very_long_line_is_cut_where_cloudwatch_cuts_it_and_loses_nothing(product, images):
    image = images.train_python("print('x' * 3_000_000 + '!'); open('/opt/ml/model/m', 'w')")
    lines = product.train(image, "--quiet").err.splitlines()
    assert "".join(lines) == "x" * 3_000_000 + "!"
    assert all(len(line) >= 256 * 1024 for line in lines[:-1])


def test_lines_come_while_the_program_runs(product, images):
    image = images.train("echo ready; while [ ! -e /opt/ml/output/data/go ]; do sleep 0.05; done; echo gone")
    running = product.start("train", image, "--job-name", "live", "--output", "json").wait_for("ready\n")
    assert b"gone" not in running.err
    (product.home / "training-jobs/live/opt-ml/algo-1/output/data/go").touch()
    assert running.finish().code == 0
    assert b"gone\n" in running.err
