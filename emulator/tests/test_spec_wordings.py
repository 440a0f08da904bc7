from __future__ import annotations

from sm_emulate.spec import wordings


def test_a_failure_reads_as_in_a_real_job() -> None:
    assert wordings.algorithm_error("", 1) == "AlgorithmError: , exit code: 1"
    assert wordings.algorithm_error("no such column", 3) == "AlgorithmError: no such column, exit code: 3"


def test_the_exit_code_outlives_a_long_failure_text() -> None:
    reason = wordings.algorithm_error("x" * 5000, 255)
    assert reason == f"AlgorithmError: {'x' * 1024}, exit code: 255"


def test_a_missing_program_is_told_in_the_engines_words() -> None:
    words = 'OCI runtime create failed: exec: "train": executable file not found in $PATH: unknown'
    assert wordings.cannot_start(words) == f"ClientError: Artifact upload failed:API error (400): {words}"


def test_the_ping_failure_reads_as_in_a_real_endpoint() -> None:
    assert wordings.ping_failed() == (
        "The primary container for production variant AllTraffic did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    assert wordings.ping_failed("blue", "container-2").startswith(
        "The container-2 for production variant blue "
    )


def test_a_container_error_says_whose_fault_it_is_and_where_the_log_lies() -> None:
    message = wordings.container_error(
        status=413, body="too big", region="us-east-1", endpoint="e", account="1"
    )
    assert message == (
        'Received client error (413) from primary with message "too big". '
        "See https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#logEventViewer:group=/aws/sagemaker/Endpoints/e in account 1 for more information."
    )
    server = wordings.container_error(status=500, body="", region="us-east-1", endpoint="e", account="1")
    assert server.startswith("Received server error (500) from primary ")


def test_a_long_body_is_cut_and_the_log_is_still_named() -> None:
    message = wordings.container_error(status=500, body="x" * 9000, region="r", endpoint="e", account="1")
    assert len(message) == wordings.MODEL_ERROR_MESSAGE_LIMIT
    assert message.endswith("in account 1 for more information.")


def test_a_timeout_and_a_dead_container_are_server_error_zero() -> None:
    timeout = wordings.invocation_timed_out(region="r", endpoint="e", account="1")
    assert timeout.startswith(
        'Received server error (0) from primary with message "Your invocation timed out while waiting for a '
        "response from container primary. Review the latency metrics"
    )
    dead = wordings.no_response(region="r", endpoint="e", account="1")
    assert 'message "Amazon SageMaker could not get a response from the e endpoint.' in dead


def test_an_empty_prefix_names_what_to_look_at() -> None:
    words = wordings.no_objects_found("s3://b/p", "us-east-1", "arn:role", "b")
    assert words.startswith('No S3 objects found under S3 URL "s3://b/p" given in input data source.')
    assert words.endswith('has "s3:ListBucket" permissions on bucket "b".')
