"""Which tests show which fact: one place to fill in."""

from __future__ import annotations

CONFIG = "emulator/tests/test_staging_config_files.py"
TREE = "emulator/tests/test_staging_tree.py"
OUTCOME = "emulator/tests/test_lifecycle_training_outcome.py"
EVENTS = "emulator/tests/test_lifecycle_training_events.py"
START = "emulator/tests/test_lifecycle_endpoint_start.py"
SERVICE = "emulator/tests/test_lifecycle_endpoint_service.py"
JOB_SPEC = "emulator/tests/test_spec_training_job.py"
WORDINGS = "emulator/tests/test_spec_wordings.py"
JOB_REQUEST = "emulator/tests/test_request_training.py"
ENDPOINT_REQUEST = "emulator/tests/test_request_endpoint.py"
SETTINGS = "emulator/tests/test_spec_settings.py"
CONTAINER = "emulator/tests/test_product_train_container.py"
CREDENTIALS = "emulator/tests/test_product_credentials.py"
CLUSTER = "emulator/tests/test_product_cluster.py"
HOSTS = "emulator/tests/test_product_train_hosts.py"
SIZES = "emulator/tests/test_instance_types.py"
RESULT = "emulator/tests/test_product_train_result.py"
STOP = "emulator/tests/test_product_train_stop.py"
AGAIN = "emulator/tests/test_lifecycle_training_again.py"
MIRROR = "emulator/tests/test_storage_mirror.py"
SYNCED = "emulator/tests/test_product_train_checkpoints.py"
PIPE = "emulator/tests/test_product_train_pipe.py"
CONTENT = "emulator/tests/test_staging_pipe_content.py"
ARTIFACTS = "emulator/tests/test_product_train_artifacts.py"
SERVE = "emulator/tests/test_product_serve.py"
VARIANTS = "emulator/tests/test_product_serve_variants.py"
UPDATE = "emulator/tests/test_product_update.py"
UPDATES = "emulator/tests/test_lifecycle_updates.py"
UPDATED_CONFIG = "emulator/tests/test_product_update_config.py"
COMPONENTS = "emulator/tests/test_product_components.py"
COPIES = "emulator/tests/test_lifecycle_components.py"
COMPONENT_DOOR = "emulator/tests/gateway/test_gateway_components.py"
SERVERLESS = "emulator/tests/test_product_serverless.py"
ENVIRONMENTS = "emulator/tests/test_lifecycle_serverless.py"
ON_DEMAND = "emulator/tests/gateway/test_gateway_on_demand.py"
ROUTE = "emulator/tests/gateway/test_gateway_routes.py"
PIPELINES = "emulator/tests/gateway/test_gateway_pipelines.py"
INSTANCES = "emulator/tests/test_lifecycle_pipelines.py"
PRODUCT_PIPELINES = "emulator/tests/test_product_pipelines.py"
CONTAINERS = "emulator/tests/test_request_containers.py"
MULTI = "emulator/tests/test_product_multi_model.py"
SHELF = "emulator/tests/test_lifecycle_model_shelf.py"
MODEL_LIST = "emulator/tests/test_gateway_model_list.py"
TRANSFORM = "emulator/tests/test_product_transform.py"
TRANSFORM_PIPELINES = "emulator/tests/test_lifecycle_transform_pipelines.py"
TRANSFORM_REQUEST = "emulator/tests/test_request_transform.py"
PAYLOADS = "emulator/tests/test_staging_payloads.py"
TRANSFORM_OUTPUT = "emulator/tests/test_artifacts_transform_output.py"
WRONG = "emulator/tests/test_product_wrong_input.py"
UNPACK = "emulator/tests/test_artifacts_unpack.py"
PACK = "emulator/tests/test_artifacts_pack.py"
METRICS = "emulator/tests/test_artifacts_metrics.py"
CHANNELS = "emulator/tests/test_channels.py"
S3 = "emulator/tests/test_product_channels.py"
FAILURE = "emulator/tests/test_artifacts_failure.py"
STREAMS = "emulator/tests/gateway/test_gateway_streams.py"
SESSIONS = "emulator/tests/gateway/test_gateway_sessions.py"
OPENAI = "emulator/tests/gateway/test_gateway_openai.py"
PRODUCT_STREAMS = "emulator/tests/test_product_streams.py"
ASYNC = "emulator/tests/test_product_async.py"
ASYNC_DOOR = "emulator/tests/gateway/test_gateway_async.py"
ASYNC_WORK = "emulator/tests/gateway/test_lifecycle_async.py"
CAPTURE = "emulator/tests/test_lifecycle_data_capture.py"
RULES = "emulator/tests/gateway/test_gateway_rules.py"
PING = "emulator/tests/gateway/test_gateway_ping.py"
HOSTILE = "emulator/tests/gateway/test_gateway_hostile_containers.py"
CONNECTIONS = "emulator/tests/gateway/test_gateway_connections.py"
TWO_WAY = "emulator/tests/gateway/test_gateway_bidirectional.py"
HTTP2 = "emulator/tests/gateway/test_gateway_http2.py"
PRODUCT_TWO_WAY = "emulator/tests/test_product_bidirectional.py"
BOTO3 = "emulator/tests/gateway/test_gateway_boto3.py"
PROCESS = "emulator/tests/test_product_process.py"
PROCESS_JOB = "emulator/tests/test_lifecycle_processing.py"
PROCESS_DATA = "emulator/tests/test_product_process_data.py"
PROCESS_FILES = "emulator/tests/test_staging_processing.py"
PROCESS_REQUEST = "emulator/tests/test_request_processing.py"
EXIT_MESSAGE = "emulator/tests/test_artifacts_exit_message.py"

IMAGE_RULES = "contract_tests/tests/test_rules_image.py"
SERVING_RULES = "contract_tests/tests/test_rules_serving.py"

TUNING = "emulator/tests/test_lifecycle_tuning.py"
TUNE = "emulator/tests/test_product_tune.py"
TUNING_REQUEST = "emulator/tests/test_request_tuning.py"

COMPLETE = True
"""Whether every emulated fact has to name a test; a test of this package holds us to it once it is True."""

SHOWN_BY: dict[str, tuple[str, ...]] = {
    "batch.same-container": (
        f"{TRANSFORM}::test_the_container_sees_a_batch_job",
        f"{TRANSFORM}::test_a_container_that_is_never_healthy",
    ),
    "batch.execution-parameters": (
        f"{TRANSFORM}::test_the_container_s_wishes_come_before_the_defaults_and_after_the_request",
    ),
    "batch.precedence": (
        f"{TRANSFORM}::test_the_container_s_wishes_come_before_the_defaults_and_after_the_request",
    ),
    "batch.spelling": (f"{TRANSFORM}::test_the_container_sees_a_batch_job",),
    "batch.payload": (
        f"{TRANSFORM_REQUEST}::test_what_sagemaker_refuses_is_refused",
        f"{TRANSFORM}::test_a_payload_of_any_size_is_streamed_in_chunks",
        f"{TRANSFORM}::test_a_record_that_is_too_large_is_an_error_of_the_client",
    ),
    "batch.split": (
        f"{PAYLOADS}::test_bodies_together_are_the_object_whatever_the_limit",
        f"{PAYLOADS}::test_recordio_keeps_its_framing_in_batches_and_loses_it_alone",
        f"{PAYLOADS}::test_tfrecord_likewise",
    ),
    "batch.client-config": (
        f"{TRANSFORM_REQUEST}::test_what_is_left_out_has_the_platform_s_defaults",
        f"{TRANSFORM}::test_what_fails_is_tried_again",
    ),
    "batch.retried-statuses": (f"{TRANSFORM}::test_what_fails_is_tried_again",),
    "batch.output": (
        f"{TRANSFORM}::test_a_failed_record_fails_its_file_and_the_job_and_no_other_file",
        f"{TRANSFORM}::test_each_file_becomes_an_out_file_in_its_sub_folder",
    ),
    "batch.assemble": (f"{TRANSFORM_OUTPUT}::test_answers_are_put_one_after_the_other_or_on_lines",),
    "batch.filters": (
        "emulator/tests/test_request_record_filter.py::test_a_row_is_an_array",
        "emulator/tests/test_request_record_filter.py::test_a_document_is_walked_by_names",
        f"{TRANSFORM}::test_records_are_filtered_joined_and_filtered_again",
    ),
    "batch.join": (
        f"{TRANSFORM_OUTPUT}::test_a_row_is_followed_by_its_answer",
        f"{TRANSFORM_OUTPUT}::test_a_document_is_given_its_answer_as_an_attribute",
    ),
    "batch.environment": (f"{TRANSFORM_REQUEST}::test_the_environment_has_the_api_s_limits",),
    "batch.log-lines": (
        f"{TRANSFORM}::test_a_failed_record_fails_its_file_and_the_job_and_no_other_file",
        f"{TRANSFORM}::test_a_container_that_dies_gives_no_answer",
    ),
    "batch.instances": (
        f"{TRANSFORM}::test_several_instances_share_the_objects",
        f"{TRANSFORM_REQUEST}::test_what_sagemaker_refuses_is_refused",
    ),
    "batch.record-counts": (f"{TRANSFORM_OUTPUT}::test_what_cannot_be_joined_or_filtered_is_told",),
    "batch.pipeline": (
        "emulator/tests/test_product_samples.py::test_the_pipeline_transforms_a_folder",
        f"{TRANSFORM_PIPELINES}::test_what_one_answers_is_what_the_next_is_asked_with_its_content_type",
        f"{TRANSFORM_PIPELINES}::test_an_error_names_its_container_and_those_after_it_are_not_asked",
        f"{TRANSFORM_PIPELINES}::test_each_instance_has_the_whole_pipeline_and_its_share_of_the_objects",
    ),
    "batch.pipeline-parameters": (
        f"{TRANSFORM_PIPELINES}::test_the_first_says_how_it_is_sent_records_or_the_strictest_of_all",
    ),
    "batch.pipeline-limit": (f"{TRANSFORM_PIPELINES}::test_between_two_there_is_no_limit_unless_one_is_set",),
    "batch.pipeline-environment": (
        f"{TRANSFORM_PIPELINES}::test_each_container_is_told_that_it_is_a_batch_job_and_where_to_listen",
        f"{TRANSFORM_PIPELINES}::test_the_job_s_environment_may_be_for_the_first_alone",
    ),
    "batch.slow-bodies": (f"{TRANSFORM}::test_a_container_that_dies_gives_no_answer",),
    "hosting.environment.batch": (f"{TRANSFORM}::test_the_container_sees_a_batch_job",),
    "hosting.environment.batch-parameters": (f"{TRANSFORM}::test_the_container_sees_a_batch_job",),
    "hosting.limits.batch": (
        f"{TRANSFORM}::test_a_record_that_is_too_large_is_an_error_of_the_client",
        f"{TRANSFORM}::test_the_container_s_wishes_come_before_the_defaults_and_after_the_request",
        f"{TRANSFORM_REQUEST}::test_what_sagemaker_refuses_is_refused",
    ),
    "hosting.start.architecture": (f"{IMAGE_RULES}::test_rule",),
    "hosting.start.image-size": (
        f"{ENVIRONMENTS}::test_gpus_and_large_images_are_refused",
        f"{IMAGE_RULES}::test_rule",
        f"{IMAGE_RULES}::test_too_large_is_an_error_for_serverless_endpoints_only",
    ),
    "hosting.health.static-200": (f"{SERVING_RULES}::test_a_rule_on_evidence",),
    "registry.oci-manifest": (f"{IMAGE_RULES}::test_rule",),
    "registry.attestations": (f"{IMAGE_RULES}::test_rule",),
    "training.invocation.train-replaces-cmd": (
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
        f"{JOB_SPEC}::test_the_four_ways_to_start_a_program",
    ),
    "training.invocation.train-program-on-path": (
        f"{RESULT}::test_a_missing_program_is_told_in_the_engines_words",
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
    ),
    "training.invocation.container-entrypoint": (
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
        f"{JOB_SPEC}::test_the_four_ways_to_start_a_program",
    ),
    "training.invocation.container-arguments": (
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
        f"{JOB_SPEC}::test_the_four_ways_to_start_a_program",
    ),
    "training.invocation.entrypoint-and-arguments": (
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
        f"{JOB_SPEC}::test_the_four_ways_to_start_a_program",
    ),
    "training.invocation.argument-limits": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.invocation.entrypoint-exec-form": (
        f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",
    ),
    "training.invocation.entrypoint-in-channel": (f"{CONTAINER}::test_a_start_script_may_lie_in_a_channel",),
    "training.invocation.exec-form-signals": (
        f"{STOP}::test_only_an_entrypoint_in_exec_form_hears_the_stop",
    ),
    "training.invocation.init-entrypoint": (
        f"{CONTAINER}::test_an_init_program_as_entrypoint_gets_the_word_train_and_needs_such_a_program",
    ),
    "training.invocation.tini-without-train": (
        f"{CONTAINER}::test_an_init_program_as_entrypoint_gets_the_word_train_and_needs_such_a_program",
    ),
    "training.invocation.opt-ml-reserved": (
        f"{CONTAINER}::test_code_in_the_image_survives_while_model_and_output_are_hidden",
        f"{TREE}::test_only_the_three_directories_are_mounted_so_that_opt_ml_code_survives",
    ),
    "training.invocation.shadowed-content": (
        f"{CONTAINER}::test_code_in_the_image_survives_while_model_and_output_are_hidden",
    ),
    "training.invocation.working-directory": (
        f"{CONTAINER}::test_user_and_working_directory_of_the_image_hold",
        f"{CONTAINER}::test_root_is_the_directory_where_the_setting_says_so",
    ),
    "training.invocation.user": (f"{CONTAINER}::test_user_and_working_directory_of_the_image_hold",),
    "training.invocation.non-root-cannot-write": (
        f"{CONTAINER}::test_user_and_working_directory_of_the_image_hold",
        f"{CONTAINER}::test_directories_exist_before_the_program_with_the_platforms_modes",
    ),
    "training.invocation.no-privileges": (
        f"{CONTAINER}::test_a_container_has_no_more_rights_and_limits_than_docker_run_gives_and_no_other_program",
    ),
    "training.invocation.no-tty": (f"{CONTAINER}::test_the_program_is_pid_1_without_a_terminal",),
    "training.invocation.log-group": (
        f"{HOSTS}::test_two_hosts_find_each_other_and_every_line_says_whose_it_is",
        f"{EVENTS}::test_all_lines_come_in_order_and_the_last_one_is_not_lost",
    ),
    "training.invocation.architecture": (
        f"{RESULT}::test_a_program_that_the_kernel_refuses_fails_the_job_with_the_kernels_words",
    ),
    "training.invocation.image-reference": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
        f"{JOB_REQUEST}::test_an_image_may_be_named_by_its_digest",
    ),
    "training.invocation.no-secret-key": (f"{JOB_REQUEST}::test_there_is_no_secret_key",),
    "training.invocation.job-run-number": (
        f"{CONTAINER}::test_init_config_has_the_agents_form",
        f"{AGAIN}::test_an_interrupted_job_starts_again_with_its_checkpoints_and_nothing_else",
        f"{AGAIN}::test_without_the_signal_a_program_is_killed_at_once",
    ),
    "training.invocation.no-port": (
        f"{OUTCOME}::test_a_training_container_opens_no_port_and_may_write_beside_its_input",
    ),
    "training.invocation.shebang": (
        f"{RESULT}::test_a_program_named_by_its_path_without_the_right_to_run_is_permission_denied",
        f"{RESULT}::test_a_program_that_the_kernel_refuses_fails_the_job_with_the_kernels_words",
    ),
    "training.invocation.cmd-is-ignored": (f"{CONTAINER}::test_train_is_appended_as_the_four_cases_say",),
    "training.environment.job-name": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.job-arn": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
        f"{JOB_SPEC}::test_the_arn_knows_its_partition",
    ),
    "training.environment.request-environment": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.region": (f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",),
    "training.environment.credentials": (
        f"{CREDENTIALS}::test_boto3_in_a_container_lists_reads_and_writes",
        f"{CREDENTIALS}::test_temporary_keys_are_made_from_long_lived_ones",
    ),
    "training.environment.no-credentials-when-isolated": (
        f"{CREDENTIALS}::test_isolated_hosts_reach_each_other_and_nothing_else",
        f"{HOSTS}::test_an_isolated_host_has_no_network_at_all",
    ),
    "training.environment.ecs-metadata": (
        f"{CONTAINER}::test_the_platform_of_2020_had_ecs_addresses_and_an_open_config_directory",
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.execution-env": (
        f"{CONTAINER}::test_the_platform_of_2020_had_ecs_addresses_and_an_open_config_directory",
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.dmlc-interface": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
        f"{JOB_SPEC}::test_settings_decide_about_unsure_variables",
    ),
    "training.environment.nvidia-visible-devices": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
        f"{JOB_SPEC}::test_settings_decide_about_unsure_variables",
        f"{OUTCOME}::test_a_gpu_that_is_there_is_given_and_not_hidden",
    ),
    "training.environment.hostname": (
        f"{CONTAINER}::test_the_hostname_is_ec2s_and_never_algo_1",
        f"{JOB_SPEC}::test_a_host_has_ec2s_name_and_keeps_it",
    ),
    "training.environment.metrics-directory": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
        f"{JOB_SPEC}::test_settings_decide_about_unsure_variables",
    ),
    "training.environment.no-sm-variables": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.no-distributed-variables": (
        f"{CONTAINER}::test_the_environment_is_the_platforms_and_nothing_else",
    ),
    "training.environment.limits": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
        f"{JOB_REQUEST}::test_a_wrong_document_is_refused_in_exact_words",
    ),
    "training.config.files": (
        f"{CONTAINER}::test_config_files_are_those_of_the_year_to_the_byte",
        f"{CONFIG}::test_files_of_what_was_not_asked_for_are_absent",
    ),
    "training.config.file-mode": (
        f"{CONTAINER}::test_directories_exist_before_the_program_with_the_platforms_modes",
        f"{TREE}::test_the_config_directory_has_the_mode_of_its_year_and_its_files_0644",
    ),
    "training.config.directory-mode": (
        f"{CONTAINER}::test_a_user_who_is_not_root_cannot_read_the_config_of_2022_but_that_of_2020",
        f"{TREE}::test_the_mode_of_the_config_directory_is_a_setting",
    ),
    "training.config.compact-json": (
        f"{CONTAINER}::test_config_files_are_those_of_the_year_to_the_byte",
        f"{CONFIG}::test_every_file_is_one_line_without_a_newline",
    ),
    "training.config.spaced-in-2020": (
        f"{CONFIG}::test_resourceconfig_of_2020_has_three_keys_and_blanks_and_91_bytes",
    ),
    "training.config.optional-files": (f"{CONFIG}::test_files_of_what_was_not_asked_for_are_absent",),
    "training.config.hyperparameters-strings": (
        f"{CONTAINER}::test_a_file_of_hyperparameters_becomes_strings_and_a_flag_goes_over_it",
        f"{JOB_REQUEST}::test_a_wrong_document_is_refused_in_exact_words",
    ),
    "training.config.hyperparameters-empty": (
        f"{CONTAINER}::test_without_anything_the_files_are_empty_objects",
    ),
    "training.config.hyperparameters-order": (
        f"{CONTAINER}::test_hyperparameters_of_the_notes_arrive_with_their_quotes_and_order",
    ),
    "training.config.hyperparameters-count": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.config.hyperparameters-value-length": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.config.inputdataconfig-keys": (
        f"{CONTAINER}::test_fastfile_is_written_as_file_and_the_content_type_is_passed_on",
        f"{CONFIG}::test_a_channel_in_inputdataconfig_has_the_size_of_2022",
    ),
    "training.config.inputdataconfig-distribution-key": (
        f"{CONFIG}::test_a_sharded_channel_says_so_under_the_platform_s_own_key",
    ),
    "training.config.inputdataconfig-fast-file": (
        f"{CONTAINER}::test_fastfile_is_written_as_file_and_the_content_type_is_passed_on",
        f"{CONFIG}::test_content_type_comes_first_and_fast_file_is_written_as_file",
    ),
    "training.config.inputdataconfig-file-system": (
        f"{CONFIG}::test_a_pipe_channel_and_a_file_system_channel",
    ),
    "training.config.inputdataconfig-empty": (
        f"{CONTAINER}::test_without_anything_the_files_are_empty_objects",
    ),
    "training.config.resourceconfig-keys": (
        f"{CONTAINER}::test_config_files_are_those_of_the_year_to_the_byte",
        f"{CONFIG}::test_resourceconfig_of_2022",
    ),
    "training.config.resourceconfig-2020": (
        f"{CONFIG}::test_resourceconfig_of_2020_has_three_keys_and_blanks_and_91_bytes",
    ),
    "training.config.homogeneous-cluster": (
        f"{CONFIG}::test_resourceconfig_of_2022",
        f"{HOSTS}::test_each_of_three_hosts_has_its_own_resources_and_finds_the_others",
    ),
    "training.config.topology-null": (
        f"{CONFIG}::test_resourceconfig_of_2025_ends_in_a_null_topology",
        f"{CONFIG}::test_topology_follows_its_setting",
    ),
    "training.config.hosts-sorted": (
        f"{HOSTS}::test_eleven_hosts_are_listed_as_text",
        f"{CONFIG}::test_each_host_of_many_is_told_its_own_name_and_all_names_as_sorted_text",
    ),
    "training.config.heterogeneous-groups": (f"{CONFIG}::test_instance_groups_are_told_to_every_host",),
    "training.config.network-interface-name": (
        f"{CONFIG}::test_the_network_interface_follows_its_setting",
        f"{CONFIG}::test_resourceconfig_of_2022",
    ),
    "training.config.init-config": (
        f"{CONFIG}::test_init_config_is_the_agent_s_own",
        f"{CONTAINER}::test_init_config_has_the_agents_form",
    ),
    "training.config.trainingjobconfig": (
        f"{CONFIG}::test_trainingjobconfig_has_the_request_in_the_order_of_2020",
    ),
    "training.config.trainingjobconfig-optional": (
        f"{CONFIG}::test_a_setting_stands_over_the_profile",
        f"{CONFIG}::test_files_of_what_was_not_asked_for_are_absent",
    ),
    "training.config.checkpointconfig": (
        f"{CONFIG}::test_checkpointconfig_holds_the_local_path_alone",
        f"{ARTIFACTS}::test_checkpoints_of_a_request_in_json_come_back",
    ),
    "training.config.tensorboardoutputconfig": (
        f"{CONFIG}::test_tensorboardoutputconfig",
        f"{JOB_REQUEST}::test_what_is_left_out_has_the_documented_default",
    ),
    "training.config.debughookconfig": (f"{CONFIG}::test_debughookconfig",),
    "training.config.metric-definition-regex-empty": (
        f"{CONFIG}::test_without_hyperparameters_channels_and_metrics_the_files_are_there_and_empty",
    ),
    "training.config.metric-definition-regex": (
        f"{CONFIG}::test_metric_definitions_are_written_as_given_or_not_at_all",
    ),
    "training.config.upstreamoutputdataconfig": (
        f"{CONFIG}::test_a_setting_stands_over_the_profile",
        f"{CONTAINER}::test_trainingjobconfig_of_2020_says_the_request_again",
    ),
    "training.config.input-writable": (
        f"{OUTCOME}::test_a_training_container_opens_no_port_and_may_write_beside_its_input",
    ),
    "training.channels.limits": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
        f"{JOB_REQUEST}::test_a_wrong_document_is_refused_in_exact_words",
    ),
    "training.channels.enums": (f"{JOB_REQUEST}::test_each_word_of_a_channel_is_one_of_the_api_s",),
    "training.channels.mode-overrides": (f"{JOB_REQUEST}::test_the_request_speaks_in_aws_words",),
    "training.channels.file-directory": (
        f"{CONTAINER}::test_channels_take_folders_files_and_file_uris_and_each_has_a_manifest",
        f"{S3}::test_a_file_channel_is_whole_before_the_program_starts",
    ),
    "training.channels.file-modes": (
        f"{TREE}::test_a_folder_is_mounted_where_it_lies_read_only",
        f"{S3}::test_the_first_read_of_a_fast_file_comes_before_the_channel_could_have",
    ),
    "training.channels.manifest-file": (
        f"{CONTAINER}::test_channels_take_folders_files_and_file_uris_and_each_has_a_manifest",
        f"{TREE}::test_the_manifest_lies_beside_the_channel_with_prefix_and_sorted_uris",
        f"{CHANNELS}::test_the_manifest_names_the_prefix_and_every_object",
    ),
    "training.channels.file-writable": (
        f"{CONTAINER}::test_channels_are_mounted_read_only_by_default_and_written_when_the_setting_says_so",
        f"{CHANNELS}::test_a_channel_may_be_written_to_and_s3_and_the_cache_stay_as_they_are",
    ),
    "training.channels.absent-channel": (
        f"{TREE}::test_the_directories_of_the_platform_are_there_empty_and_0755",
        f"{CONTAINER}::test_directories_exist_before_the_program_with_the_platforms_modes",
    ),
    "training.channels.empty-prefix": (
        f"{JOB_REQUEST}::test_a_channel_that_is_not_there_is_refused_with_the_name_that_was_meant",
        f"{WRONG}::test_a_wrong_job_is_refused_before_anything_starts",
        f"{CHANNELS}::test_an_empty_prefix_is_refused_in_sagemaker_s_words",
    ),
    "training.channels.fast-file": (
        f"{CONTAINER}::test_channels_are_mounted_read_only_by_default_and_written_when_the_setting_says_so",
        f"{TREE}::test_a_channel_may_be_written_to_where_the_setting_says_so_but_never_a_fast_file_one",
        f"{S3}::test_the_first_read_of_a_fast_file_comes_before_the_channel_could_have",
    ),
    "training.channels.attribute-names": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
        f"{PIPE}::test_an_augmented_manifest_is_sent_in_the_order_of_its_attribute_names",
    ),
    "training.channels.augmented-manifest-mode": (
        f"{JOB_REQUEST}::test_a_wrong_document_is_refused_in_exact_words",
    ),
    "training.channels.pipe-fifos": (f"{PIPE}::test_every_byte_of_three_epochs_comes_in_order",),
    "training.channels.pipe-wait": (
        "emulator/tests/test_lifecycle_pipe_feeder.py::test_the_next_fifo_is_there_when_the_last_is_taken",
    ),
    "training.channels.pipe-one-reader": (f"{PIPE}::test_channels_do_not_wait_for_each_other",),
    "training.channels.pipe-early-close": (f"{PIPE}::test_a_reader_may_leave_early",),
    "training.channels.pipe-epoch-restarts": (f"{PIPE}::test_every_byte_of_three_epochs_comes_in_order",),
    "training.channels.pipe-reopen": (f"{PIPE}::test_a_fifo_that_was_read_is_gone_if_so_set",),
    "training.channels.pipe-timeout": (
        f"{PIPE}::test_a_channel_that_is_not_drained_is_the_platform_s_failure",
    ),
    "training.channels.pipe-timeout-next-epoch": (
        f"{PIPE}::test_who_has_read_an_epoch_may_train_on_it_for_long_unless_set",
    ),
    "training.channels.gzip": (f"{PIPE}::test_gzip_is_unpacked_on_the_way",),
    "training.channels.shuffle": (
        f"{CONTENT}::test_what_is_shuffled_is_in_another_order_in_each_epoch",
        f"{PIPE}::test_a_shuffled_channel_has_another_order_in_each_epoch_and_the_same_in_each_job",
    ),
    "training.channels.shuffle-algorithm": (
        f"{PIPE}::test_a_shuffled_channel_has_another_order_in_each_epoch_and_the_same_in_each_job",
    ),
    "training.channels.recordio-wrapping": (f"{PIPE}::test_recordio_makes_a_record_of_each_object",),
    "training.channels.recordio-framing": (
        f"{CONTENT}::test_a_record_is_magic_flag_and_length_payload_and_padding",
    ),
    "training.channels.augmented-manifest": (
        f"{PIPE}::test_an_augmented_manifest_is_sent_in_the_order_of_its_attribute_names",
    ),
    "training.channels.augmented-strings": (
        f"{CONTENT}::test_strings_of_an_augmented_manifest_are_bare_or_quoted_as_set",
    ),
    "training.channels.incremental": (
        f"{TREE}::test_a_channel_with_a_model_to_start_from_is_a_channel_like_any_other",
    ),
    "training.channels.incremental-packed": (
        f"{TREE}::test_a_channel_with_a_model_to_start_from_is_a_channel_like_any_other",
    ),
    "training.channels.base-model": (
        f"{TREE}::test_a_channel_with_a_model_to_start_from_is_a_channel_like_any_other",
    ),
    "training.channels.s3-data-types": (
        f"{CHANNELS}::test_a_manifest_file_s_objects_and_no_others",
        f"{CHANNELS}::test_a_file_s_path_is_its_key_below_the_folder_of_the_prefix",
    ),
    "training.channels.manifest-sharded": (
        f"{CHANNELS}::test_hosts_share_the_objects_and_every_manifest_names_all",
    ),
    "training.channels.sub-paths": (
        f"{CHANNELS}::test_a_file_s_path_is_its_key_below_the_folder_of_the_prefix",
    ),
    "training.channels.partial-prefix": (
        f"{CHANNELS}::test_a_file_s_path_is_its_key_below_the_folder_of_the_prefix",
    ),
    "training.channels.more-hosts-than-objects": (
        f"{CHANNELS}::test_with_more_hosts_than_objects_a_channel_is_empty",
    ),
    "training.channels.sharding-by-object": (
        f"{CHANNELS}::test_hosts_share_the_objects_and_every_manifest_names_all",
        f"{CHANNELS}::test_only_the_named_groups_get_a_channel_and_share_it",
    ),
    "training.channels.sharding-order": (f"{CHANNELS}::test_objects_may_be_shared_out_in_blocks",),
    "training.channels.fast-file-prefix": (f"{CHANNELS}::test_fast_file_takes_whole_folders_only",),
    "training.channels.manifest-json": (f"{CHANNELS}::test_a_manifest_file_s_objects_and_no_others",),
    "training.channels.file-systems": (
        f"{CHANNELS}::test_a_local_folder_stands_for_a_file_system",
        f"{S3}::test_a_folder_stands_for_a_file_system",
    ),
    "training.channels.file-system-owner": (f"{CHANNELS}::test_a_local_folder_stands_for_a_file_system",),
    "training.channels.model-access": (f"{CHANNELS}::test_access_to_models_is_taken_and_has_no_effect",),
    "training.outputs.compression-none": (
        f"{OUTCOME}::test_without_compression_the_model_s_files_are_put_one_by_one",
    ),
    "training.outputs.compression-none-layout": (
        f"{OUTCOME}::test_without_compression_a_local_output_path_gets_the_files_too",
    ),
    "training.outputs.reason-disk-download": (
        f"{CHANNELS}::test_a_disk_that_is_too_small_fails_the_job_in_sagemaker_s_words",
    ),
    "training.outputs.created": (
        f"{CONTAINER}::test_directories_exist_before_the_program_with_the_platforms_modes",
        f"{TREE}::test_the_directories_of_the_platform_are_there_empty_and_0755",
    ),
    "training.outputs.no-intermediate": (
        f"{TREE}::test_the_directories_of_the_platform_are_there_empty_and_0755",
    ),
    "training.outputs.model-archive": (
        f"{ARTIFACTS}::test_with_an_output_path_the_archives_lie_as_in_s3_and_the_run_folder_links_to_them",
        f"{ARTIFACTS}::test_model_and_output_data_are_packed_with_their_contents_at_the_root",
    ),
    "training.outputs.archive-members": (
        f"{ARTIFACTS}::test_model_and_output_data_are_packed_with_their_contents_at_the_root",
        f"{PACK}::test_members_lie_at_the_root_sorted_with_folders_first",
    ),
    "training.outputs.output-archive": (
        f"{ARTIFACTS}::test_with_an_output_path_the_archives_lie_as_in_s3_and_the_run_folder_links_to_them",
        f"{ARTIFACTS}::test_model_and_output_data_are_packed_with_their_contents_at_the_root",
    ),
    "training.outputs.other-files": (
        f"{OUTCOME}::test_other_files_of_output_are_left_unless_the_setting_says_uploaded",
        f"{ARTIFACTS}::test_model_and_output_data_are_packed_with_their_contents_at_the_root",
    ),
    "training.outputs.hosts-merged": (
        f"{HOSTS}::test_artifacts_of_all_hosts_are_merged_and_a_clash_is_told",
    ),
    "training.outputs.empty-model": (f"{ARTIFACTS}::test_an_empty_model_leaves_no_archive_unless_set",),
    "training.outputs.links": (
        f"{ARTIFACTS}::test_links_stay_links_and_what_is_no_file_is_left_out_with_a_warning",
        f"{ARTIFACTS}::test_links_are_followed_inside_the_folder_only_where_set",
        f"{SERVE}::test_a_bad_archive_is_refused_and_leaves_nothing",
    ),
    "training.outputs.failure-file": (
        f"{RESULT}::test_the_reason_is_the_failure_files_text_in_sagemakers_words",
        f"{FAILURE}::test_it_ends_after_1024_characters_not_bytes",
    ),
    "training.outputs.failure-file-exit-zero": (
        f"{RESULT}::test_a_failure_file_of_a_program_that_exits_0_is_ignored_unless_set",
    ),
    "training.outputs.reason-algorithm-error": (
        f"{RESULT}::test_the_reason_is_the_failure_files_text_in_sagemakers_words",
    ),
    "training.outputs.reason-cannot-pull": (f"{WRONG}::test_a_wrong_job_is_refused_before_anything_starts",),
    "training.outputs.reason-no-program": (f"{RESULT}::test_a_missing_program_is_told_in_the_engines_words",),
    "training.outputs.reason-internal": (
        f"{OUTCOME}::test_an_engine_that_breaks_leaves_a_clear_error_and_a_failed_job",
    ),
    "training.outputs.reason-out-of-memory": (
        f"{RESULT}::test_a_program_that_outgrows_the_memory_is_told_to_take_a_larger_instance",
        f"{OUTCOME}::test_out_of_memory_is_told_in_the_platform_s_words_or_by_its_code",
    ),
    "training.outputs.failure-host": (
        f"{OUTCOME}::test_one_host_that_fails_stops_the_others_and_gives_the_reason",
        f"{OUTCOME}::test_the_reason_of_the_lowest_host_where_the_setting_says_so",
    ),
    "training.outputs.uploaded-on-failure": (
        f"{ARTIFACTS}::test_artifacts_are_packed_on_failure_too",
        f"{RESULT}::test_statuses_follow_each_other_as_on_the_platform_and_their_times_fit",
    ),
    "training.outputs.checkpoints": (
        f"{SYNCED}::test_an_interrupted_job_resumes_from_its_checkpoints",
        f"{SYNCED}::test_hosts_share_one_prefix_and_a_failed_job_keeps_its_checkpoints",
        f"{SYNCED}::test_checkpoints_go_to_s3_and_come_back",
    ),
    "training.outputs.checkpoint-sidecars": (
        f"{SYNCED}::test_sidecars_are_seen_from_inside_and_the_target_is_like_the_folder_during_the_job",
        f"{MIRROR}::test_sidecars_stand_beside_a_file_during_its_upload_and_after_it_and_are_not_uploaded",
    ),
    "training.outputs.ignored-files": (
        f"{MIRROR}::test_links_are_never_followed_and_unfinished_files_of_xgboost_left",
    ),
    "training.outputs.continuous": (
        f"{SYNCED}::test_tensors_tensorboard_and_profiler_files_are_uploaded_while_the_job_runs",
    ),
    "training.outputs.synced-paths": (
        f"{SYNCED}::test_tensors_tensorboard_and_profiler_files_are_uploaded_while_the_job_runs",
    ),
    "training.config.profilerconfig": (f"{CONFIG}::test_profilerconfig",),
    "training.channels.manifest-checkpoints": (
        f"{SYNCED}::test_an_interrupted_job_resumes_from_its_checkpoints",
    ),
    "training.environment.warm-pool-cache": (
        f"{SYNCED}::test_a_warm_pool_is_used_by_the_next_job_that_matches",
    ),
    "training.invocation.retry": (f"{AGAIN}::test_an_engine_that_breaks_is_retried",),
    "training.outputs.metrics-folder": (
        f"{TREE}::test_the_directories_of_the_platform_are_there_empty_and_0755",
    ),
    "training.outputs.metric-definitions": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.outputs.metric-search": (
        f"{RESULT}::test_metrics_are_read_from_both_streams_while_the_job_runs",
        f"{METRICS}::test_the_first_group_is_the_number",
    ),
    "training.outputs.final-metrics": (
        f"{RESULT}::test_metrics_are_read_from_both_streams_while_the_job_runs",
        f"{METRICS}::test_final_values_are_the_last_ones_in_awss_shape_and_fit_in_json",
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.outputs.what-persists": (
        f"{TREE}::test_only_the_three_directories_are_mounted_so_that_opt_ml_code_survives",
        f"{SYNCED}::test_an_interrupted_job_resumes_from_its_checkpoints",
    ),
    "training.outputs.checkpoint-path": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.outputs.metrics-buffered": (f"{EVENTS}::test_a_carriage_return_ends_no_line",),
    "training.lifecycle.stop": (
        f"{STOP}::test_stop_from_another_process",
        f"{STOP}::test_a_program_that_does_not_stop_is_killed_after_the_grace",
        f"{OUTCOME}::test_a_stop_gives_the_program_120_seconds_unless_told_otherwise",
    ),
    "training.lifecycle.max-runtime-stop": (f"{STOP}::test_max_run_stops_and_says_so",),
    "training.lifecycle.stopped": (
        f"{STOP}::test_stop_from_another_process",
        f"{OUTCOME}::test_stop_sends_sigterm_and_packs_the_model",
    ),
    "training.lifecycle.stop-nonzero-exit": (
        f"{STOP}::test_a_code_other_than_0_after_a_stop_does_not_fail_the_job_unless_set",
    ),
    "training.lifecycle.upload-after-stop": (
        f"{STOP}::test_ctrl_c_stops_gently_packs_and_exits_130",
        f"{OUTCOME}::test_stop_sends_sigterm_and_packs_the_model",
    ),
    "training.lifecycle.grace-is-the-programs": (
        f"{STOP}::test_a_program_that_does_not_stop_is_killed_after_the_grace",
        f"{STOP}::test_ctrl_c_twice_kills_at_once_and_still_packs",
    ),
    "training.lifecycle.stopping-then-uploading": (
        f"{STOP}::test_stop_from_another_process",
        f"{OUTCOME}::test_stop_sends_sigterm_and_packs_the_model",
    ),
    "training.lifecycle.max-runtime": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
        f"{JOB_REQUEST}::test_what_is_left_out_has_the_documented_default",
    ),
    "training.lifecycle.max-wait": (
        f"{JOB_REQUEST}::test_a_wrong_document_is_refused_in_exact_words",
        f"{AGAIN}::test_max_wait_stops_a_job_that_runs",
    ),
    "training.lifecycle.spot": (
        f"{AGAIN}::test_an_interrupted_job_starts_again_with_its_checkpoints_and_nothing_else",
        f"{AGAIN}::test_a_job_that_waits_for_too_long_ends_as_the_guide_says",
        f"{SYNCED}::test_max_wait_ends_a_spot_job",
    ),
    "training.lifecycle.spot-fresh": (
        f"{AGAIN}::test_an_interrupted_job_starts_again_with_its_checkpoints_and_nothing_else",
    ),
    "training.lifecycle.spot-billable": (f"{AGAIN}::test_a_spot_job_is_billed_less",),
    "training.lifecycle.spot-signal": (
        f"{AGAIN}::test_a_program_that_does_not_hear_is_killed_after_the_grace_period",
        f"{AGAIN}::test_without_the_signal_a_program_is_killed_at_once",
    ),
    "training.lifecycle.warm-pool": (f"{AGAIN}::test_the_setting_says_how_long_a_warm_pool_may_wait",),
    "training.lifecycle.warm-pool-life": (
        f"{SYNCED}::test_a_warm_pool_is_used_by_the_next_job_that_matches",
        f"{SYNCED}::test_a_warm_pool_whose_time_is_over_is_swept_by_the_next_job",
        f"{AGAIN}::test_a_pool_is_left_by_a_job_that_fails_by_its_own_fault_only",
    ),
    "training.lifecycle.warm-pool-not-with": (
        f"{AGAIN}::test_warm_pools_are_not_for_spot_and_mixed_clusters",
    ),
    "training.lifecycle.warm-pool-filesystem": (
        f"{SYNCED}::test_a_warm_pool_is_used_by_the_next_job_that_matches",
    ),
    "training.lifecycle.warm-pool-match": (
        f"{SYNCED}::test_a_warm_pool_is_used_by_the_next_job_that_matches",
        f"{AGAIN}::test_a_job_that_does_not_match_has_a_pool_of_its_own",
    ),
    "training.lifecycle.warm-pool-status": (
        f"{SYNCED}::test_a_warm_pool_is_used_by_the_next_job_that_matches",
    ),
    "training.lifecycle.max-pending": (
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.lifecycle.statuses": (
        f"{JOB_SPEC}::test_the_status_that_goes_with_a_secondary_status",
        f"{RESULT}::test_the_json_is_describe_training_jobs_answer_and_an_emulator_object",
    ),
    "training.lifecycle.secondary-statuses": (
        f"{EVENTS}::test_statuses_come_in_order_with_their_messages",
        f"{JOB_SPEC}::test_every_status_has_its_row_and_the_last_ones_lead_nowhere",
    ),
    "training.lifecycle.order": (
        f"{RESULT}::test_statuses_follow_each_other_as_on_the_platform_and_their_times_fit",
        f"{JOB_SPEC}::test_any_other_step_is_refused",
    ),
    "training.lifecycle.messages": (f"{EVENTS}::test_statuses_come_in_order_with_their_messages",),
    "training.lifecycle.stop-messages": (
        f"{EVENTS}::test_the_messages_of_a_stop_are_made_like_their_neighbours",
    ),
    "training.lifecycle.exit-code": (
        f"{OUTCOME}::test_exit_0_completes_the_job_with_its_model",
        f"{OUTCOME}::test_a_non_zero_exit_fails_the_job_with_the_failure_file_and_the_code",
    ),
    "training.lifecycle.any-host-fails": (
        f"{HOSTS}::test_one_host_that_fails_fails_the_job_and_ends_the_others",
    ),
    "training.resources.volume": (
        f"{JOB_REQUEST}::test_a_volume_has_a_size",
        f"{CLUSTER}::test_a_volume_that_is_too_small_is_told",
    ),
    "training.resources.gpu-count": (
        f"{SIZES}::test_sizes_are_those_of_ec2",
        f"{SIZES}::test_a_type_has_its_own_number_of_gpus_as_far_as_they_are_there",
    ),
    "training.resources.cpu-memory": (
        f"{SIZES}::test_every_type_that_a_job_may_ask_for_has_a_size_or_is_known_to_have_none",
        f"{SIZES}::test_vcpus_are_limited_where_there_are_more",
        f"{CLUSTER}::test_an_instance_type_that_is_named_limits_memory_and_one_that_is_not_does_not",
        f"{CLUSTER}::test_a_larger_instance_than_this_machine_is_told_and_runs",
    ),
    "training.resources.shared-memory": (f"{CONTAINER}::test_shared_memory_is_64_megabytes_or_as_set",),
    "training.resources.ulimits": (
        f"{CONTAINER}::test_a_container_has_no_more_rights_and_limits_than_docker_run_gives_and_no_other_program",
        f"{CLUSTER}::test_ulimits_are_as_set",
    ),
    "training.resources.gpu": (
        f"{OUTCOME}::test_a_gpu_that_is_there_is_given_and_not_hidden",
        f"{WRONG}::test_a_gpu_that_is_not_there_is_said",
    ),
    "training.resources.instance-types": (
        f"{WRONG}::test_a_wrong_job_is_refused_before_anything_starts",
        f"{ENDPOINT_REQUEST}::test_an_unknown_instance_type_is_answered_with_the_nearest",
    ),
    "training.resources.out-of-memory": (
        f"{OUTCOME}::test_a_training_container_opens_no_port_and_may_write_beside_its_input",
        f"{RESULT}::test_a_program_that_outgrows_the_memory_is_told_to_take_a_larger_instance",
        f"{CLUSTER}::test_more_memory_than_the_limit_ends_in_the_platforms_words",
    ),
    "training.resources.network-interface": (f"{HOSTS}::test_an_isolated_host_has_no_network_at_all",),
    "training.resources.host-names": (
        f"{HOSTS}::test_two_hosts_find_each_other_and_every_line_says_whose_it_is",
        f"{HOSTS}::test_one_host_finds_itself_by_name",
        f"{CLUSTER}::test_a_host_finds_one_that_has_ended_until_the_whole_job_is_over",
        f"{CLUSTER}::test_names_resolve_as_late_as_the_setting_says",
        f"{CLUSTER}::test_twenty_hosts_start_resolve_each_other_and_finish",
    ),
    "training.resources.isolation": (
        f"{CREDENTIALS}::test_isolated_hosts_reach_each_other_and_nothing_else",
        f"{HOSTS}::test_an_isolated_host_has_no_network_at_all",
        f"{HOSTS}::test_isolated_hosts_meet_on_a_network_without_a_way_out",
    ),
    "training.resources.no-ssh": (
        f"{CONTAINER}::test_a_container_has_no_more_rights_and_limits_than_docker_run_gives_and_no_other_program",
        f"{CLUSTER}::test_a_real_mpi_program_runs_on_two_hosts",
    ),
    "training.resources.heterogeneous": (
        f"{OUTCOME}::test_every_group_of_a_cluster_runs_the_same_image_and_command",
        f"{CLUSTER}::test_three_groups_are_told_to_every_host_and_channels_go_where_they_are_meant",
        f"{JOB_REQUEST}::test_the_limits_of_the_api_hold_to_the_last_character",
    ),
    "training.resources.isolation-credentials": (
        f"{HOSTS}::test_an_isolated_host_has_no_network_at_all",
        f"{CREDENTIALS}::test_isolated_hosts_reach_each_other_and_nothing_else",
    ),
    "training.resources.no-driver": (f"{WRONG}::test_a_gpu_that_is_not_there_is_said",),
    "hosting.environment.multi-model": (
        f"{MULTI}::test_a_model_is_loaded_on_its_first_use_from_a_read_only_folder_under_an_opaque_name",
    ),
    "hosting.invocation.not-ready": (
        f"{MULTI}::test_a_model_that_takes_long_is_not_ready_and_goes_on_loading",
        f"{ON_DEMAND}::test_a_request_that_waits_for_too_long_is_told_that_the_model_is_not_ready",
    ),
    "hosting.headers.target-model": (f"{MULTI}::test_the_container_sees_the_headers_of_the_invocation",),
    "hosting.multi-model.label": (f"{MULTI}::test_an_image_without_the_label_is_refused",),
    "hosting.multi-model.prefix": (
        f"{MULTI}::test_models_come_from_an_s3_prefix_and_a_new_object_when_the_old_is_unloaded",
        f"{ENDPOINT_REQUEST}::test_a_multi_model_container_has_the_prefix_of_its_models",
    ),
    "hosting.multi-model.load": (
        f"{MULTI}::test_the_published_cases_of_statuses_409_507_and_404",
        f"{SHELF}::test_a_model_that_is_loaded_already_is_loaded",
    ),
    "hosting.multi-model.eviction": (
        f"{MULTI}::test_two_hundred_models_in_room_for_ten",
        f"{SHELF}::test_a_model_with_requests_stays_and_who_needs_room_waits_for_an_idle_one",
    ),
    "hosting.multi-model.list": (
        f"{MODEL_LIST}::test_a_list_is_read_page_by_page",
        f"{MULTI}::test_the_multi_model_server_passes_the_cases_of_awss_inference_toolkit",
    ),
    "hosting.multi-model.get": (
        f"{SHELF}::test_what_the_container_lost_is_loaded_again_and_a_404_of_the_model_is_its_own",
    ),
    "hosting.multi-model.unload": (
        f"{MULTI}::test_the_least_recently_used_model_makes_room_and_its_files_stay",
    ),
    "hosting.multi-model.invoke": (
        f"{MULTI}::test_the_container_sees_the_headers_of_the_invocation",
        f"{MULTI}::test_no_room_at_an_invocation_costs_another_model_its_place",
    ),
    "hosting.multi-model.opaque-name": (
        f"{MULTI}::test_a_model_is_loaded_on_its_first_use_from_a_read_only_folder_under_an_opaque_name",
    ),
    "hosting.multi-model.polling": (
        f"{MODEL_LIST}::test_a_container_without_models_path_does_not_come_into_service",
        f"{MULTI}::test_a_model_is_loaded_on_its_first_use_from_a_read_only_folder_under_an_opaque_name",
    ),
    "hosting.multi-model.ping-empty": (
        f"{MULTI}::test_a_model_is_loaded_on_its_first_use_from_a_read_only_folder_under_an_opaque_name",
    ),
    "hosting.multi-model.cache": (
        f"{MULTI}::test_without_a_cache_nothing_of_a_model_stays",
        f"{MULTI}::test_a_full_disk_loses_the_files_of_unused_models",
    ),
    "hosting.multi-model.order": (f"{SHELF}::test_the_least_recently_used_model_makes_room",),
    "hosting.multi-model.not-ready": (
        f"{MULTI}::test_a_model_that_takes_long_is_not_ready_and_goes_on_loading",
    ),
    "hosting.multi-model.replaced-object": (
        f"{MULTI}::test_models_come_from_an_s3_prefix_and_a_new_object_when_the_old_is_unloaded",
    ),
    "hosting.start.serve-replaces-cmd": (
        f"{SERVE}::test_the_entrypoint_of_the_image_gets_serve_as_its_argument",
        f"{SERVE}::test_the_container_gets_serve_and_the_requests_environment_only",
    ),
    "hosting.start.serve-program-on-path": (
        f"{SERVE}::test_an_image_without_serve_is_told_at_once",
        f"{SERVE}::test_the_container_gets_serve_and_the_requests_environment_only",
    ),
    "hosting.start.exec-form-signals": (
        f"{SERVE}::test_a_folder_is_mounted_read_only_and_the_endpoint_runs_until_ctrl_c",
        f"{SERVE}::test_the_container_gets_serve_and_the_requests_environment_only",
    ),
    "hosting.start.init-entrypoint": (
        f"{SERVE}::test_the_entrypoint_of_the_image_gets_serve_as_its_argument",
    ),
    "hosting.start.user": (f"{SERVE}::test_the_user_of_the_image_serves",),
    "hosting.start.gpu": (
        f"{START}::test_a_gpu_that_is_there_is_given",
        f"{START}::test_a_gpu_that_is_not_there_is_this_machine_s_fault",
    ),
    "hosting.start.shared-memory": (
        f"{START}::test_the_container_has_the_engine_s_own_limits_and_shared_memory_as_set",
    ),
    "hosting.start.limits": (
        f"{START}::test_the_container_has_the_engine_s_own_limits_and_shared_memory_as_set",
    ),
    "hosting.start.network": (
        f"{SERVE}::test_an_isolated_endpoint_is_reached_all_the_same",
        f"{START}::test_an_isolated_endpoint_has_a_network_of_its_own_and_answers",
    ),
    "hosting.start.image-reference": (f"{ENDPOINT_REQUEST}::test_a_wrong_flag_meets_the_services_own_limit",),
    "hosting.start.startup-timeout": (f"{ENDPOINT_REQUEST}::test_a_wrong_flag_meets_the_services_own_limit",),
    "hosting.start.startup-timeout-default": (
        f"{ENDPOINT_REQUEST}::test_few_flags_make_an_endpoint_with_the_documented_defaults",
    ),
    "hosting.start.wrong-program": (f"{SERVE}::test_an_image_without_serve_is_told_at_once",),
    "hosting.environment.container-environment": (
        f"{SERVE}::test_the_container_gets_serve_and_the_requests_environment_only",
        f"{START}::test_the_container_has_the_request_s_environment_and_no_more",
    ),
    "hosting.environment.limits": (f"{ENDPOINT_REQUEST}::test_a_wrong_flag_meets_the_services_own_limit",),
    "hosting.environment.container-hostname": (
        f"{START}::test_the_container_host_name_of_a_single_container_is_ignored",
    ),
    "hosting.environment.bind-to-port": (
        f"{START}::test_the_container_has_the_request_s_environment_and_no_more",
        f"{START}::test_diagnosis_another_port",
        f"{INSTANCES}::test_each_container_is_told_a_port_and_a_range_of_its_own",
        f"{INSTANCES}::test_settings_choose_the_ports",
    ),
    "hosting.environment.safe-port-range-single": (f"{START}::test_the_range_of_safe_ports_is_a_setting",),
    "hosting.environment.hostname": (
        f"{START}::test_the_host_name_is_a_setting_that_ping_and_gateway_follow",
        f"{START}::test_the_first_healthy_ping_is_enough_and_is_told",
    ),
    "hosting.environment.credentials": (
        f"{CREDENTIALS}::test_a_served_model_has_credentials_too_and_none_in_isolation",
    ),
    "hosting.environment.no-credentials-when-isolated": (
        f"{CREDENTIALS}::test_a_served_model_has_credentials_too_and_none_in_isolation",
        f"{SERVE}::test_the_container_gets_serve_and_the_requests_environment_only",
    ),
    "hosting.model.directory": (
        f"{SERVE}::test_an_archive_is_unpacked_and_mounted_read_only",
        f"{START}::test_a_model_archive_is_unpacked_before_the_start",
    ),
    "hosting.model.read-only": (
        f"{SERVE}::test_an_archive_is_unpacked_and_mounted_read_only",
        f"{SERVE}::test_a_folder_is_mounted_read_only_and_the_endpoint_runs_until_ctrl_c",
    ),
    "hosting.model.archive-kind": (
        f"{UNPACK}::test_hosting_downloads_nothing_but_tar_gz",
        f"{ENDPOINT_REQUEST}::test_a_model_that_is_not_what_it_should_be",
    ),
    "hosting.model.optional": (f"{SERVE}::test_the_entrypoint_of_the_image_gets_serve_as_its_argument",),
    "hosting.model.no-links": (
        f"{SERVE}::test_a_bad_archive_is_refused_and_leaves_nothing",
        f"{UNPACK}::test_a_bad_archive_is_refused_in_words_and_leaves_nothing",
    ),
    "hosting.model.uncompressed": (
        f"{START}::test_a_prefix_of_the_embedded_s3_is_a_folder",
        f"{START}::test_additional_model_data_lies_in_folders_of_its_own",
        f"{ENDPOINT_REQUEST}::test_what_is_not_emulated_is_said_plainly",
    ),
    "hosting.model.uncompressed-names": (
        "emulator/tests/test_staging_model_files.py::test_a_name_that_fails_the_deployment",
        "emulator/tests/test_staging_model_files.py::test_a_file_that_is_also_a_folder",
    ),
    "hosting.model.data-source-limits": (
        f"{TRANSFORM_REQUEST}::test_a_model_in_s3_is_an_archive_and_a_folder_is_taken_from_here_only",
        f"{ENDPOINT_REQUEST}::test_what_serverless_does_not_go_with_is_refused",
    ),
    "hosting.model.additional": (f"{START}::test_additional_model_data_lies_in_folders_of_its_own",),
    "hosting.model.layout": (f"{UNPACK}::test_one_folder_around_everything_is_noted_as_a_likely_mistake",),
    "hosting.health.get-ping": (
        f"{START}::test_the_first_healthy_ping_is_enough_and_is_told",
        f"{SERVICE}::test_a_ping_that_fails_in_service_is_a_warning",
    ),
    "hosting.health.method": (f"{START}::test_the_first_healthy_ping_is_enough_and_is_told",),
    "hosting.health.status-200": (
        f"{PING}::test_a_status_is_a_status",
        f"{START}::test_diagnosis_a_wrong_status",
    ),
    "hosting.health.other-2xx": (f"{PING}::test_a_status_is_a_status",),
    "hosting.health.body-ignored": (f"{PING}::test_a_status_is_a_status",),
    "hosting.health.timeout": (
        f"{START}::test_diagnosis_too_slow",
        f"{PING}::test_an_answer_that_is_not_whole_in_time_is_a_timeout",
    ),
    "hosting.health.period": (
        f"{SETTINGS}::test_an_endpoint_is_pinged_every_five_seconds_unless_set",
        f"{SERVICE}::test_a_ping_that_fails_in_service_is_a_warning",
    ),
    "hosting.health.client": (
        f"{PING}::test_the_container_sees_a_ping_of_the_platform",
        f"{START}::test_the_host_name_is_a_setting_that_ping_and_gateway_follow",
    ),
    "hosting.health.start-window": (
        f"{SERVE}::test_an_endpoint_that_does_not_become_healthy_says_what_was_seen",
        f"{START}::test_diagnosis_nothing_listens",
    ),
    "hosting.health.failure-reason": (
        f"{START}::test_diagnosis_nothing_listens",
        f"{WORDINGS}::test_the_ping_failure_reads_as_in_a_real_endpoint",
    ),
    "hosting.health.term-after-failure": (
        f"{START}::test_a_container_that_is_not_healthy_in_time_gets_sigterm",
    ),
    "hosting.health.connect": (
        f"{HOSTILE}::test_a_container_that_accepts_no_connection_is_a_model_error",
        f"{START}::test_the_gateway_holds_the_documented_limits",
    ),
    "hosting.health.listen-everywhere": (
        f"{SERVE}::test_an_endpoint_that_does_not_become_healthy_says_what_was_seen",
        f"{START}::test_diagnosis_loopback_only",
    ),
    "hosting.health.lazy-workers": (
        f"{SERVE}::test_an_endpoint_that_does_not_become_healthy_says_what_was_seen",
        f"{START}::test_diagnosis_too_slow",
    ),
    "hosting.health.proxy-first": (
        f"{START}::test_a_proxy_that_listens_before_its_backend_is_not_healthy_until_the_backend_is",
    ),
    "hosting.invocation.path": (
        f"{RULES}::test_the_container_is_asked_at_its_own_path",
        f"{RULES}::test_bodies_pass_byte_for_byte",
    ),
    "hosting.invocation.client-path": (
        f"{BOTO3}::test_invoke_endpoint",
        f"{RULES}::test_the_container_is_asked_at_its_own_path",
    ),
    "hosting.invocation.timeout": (
        f"{START}::test_the_gateway_holds_the_documented_limits",
        f"{HOSTILE}::test_an_answer_that_does_not_end_is_cut_at_the_limit",
    ),
    "hosting.invocation.timeout-adjustable": (f"{START}::test_the_gateway_holds_the_documented_limits",),
    "hosting.invocation.disconnect": (
        f"{HOSTILE}::test_at_the_limit_the_container_sees_its_client_leave_and_may_work_on",
    ),
    "hosting.invocation.http-1-1": (
        f"{HOSTILE}::test_at_the_limit_the_container_sees_its_client_leave_and_may_work_on",
    ),
    "hosting.invocation.keep-alive": (
        f"{CONNECTIONS}::test_both_sides_are_kept_alive",
        f"{CONNECTIONS}::test_an_unused_connection_to_the_container_is_closed",
    ),
    "hosting.invocation.framing": (f"{RULES}::test_bodies_pass_byte_for_byte",),
    "hosting.invocation.encoding": (
        f"{HOSTILE}::test_an_odd_answer_that_is_whole_is_passed_on",
        f"{RULES}::test_only_headers_of_the_api_reach_the_container",
    ),
    "hosting.invocation.redirects": (
        f"{RULES}::test_other_paths_are_not_passed",
        f"{HOSTILE}::test_a_broken_answer_is_a_model_error",
    ),
    "hosting.invocation.other-2xx": (f"{RULES}::test_any_success_is_passed_on_with_its_status_and_body",),
    "hosting.invocation.model-error": (
        f"{BOTO3}::test_model_error",
        f"{SERVE}::test_boto3_speaks_to_the_gateway",
    ),
    "hosting.invocation.message-server-error": (
        f"{HOSTILE}::test_a_broken_answer_is_a_model_error",
        f"{SERVE}::test_an_error_of_the_container_is_a_model_error_with_its_parts",
    ),
    "hosting.invocation.message-client-error": (
        f"{RULES}::test_a_model_error_is_worded_as_sagemaker_does",
        f"{SERVE}::test_an_error_of_the_container_is_a_model_error_with_its_parts",
    ),
    "hosting.invocation.message-timeout": (
        f"{HOSTILE}::test_an_answer_that_does_not_end_is_cut_at_the_limit",
        f"{BOTO3}::test_a_timeout_is_a_model_error",
    ),
    "hosting.invocation.message-no-response": (
        f"{HOSTILE}::test_a_broken_answer_is_a_model_error",
        f"{HOSTILE}::test_a_container_that_is_gone_is_a_model_error",
    ),
    "hosting.invocation.message-cut-body": (f"{HOSTILE}::test_a_broken_answer_is_a_model_error",),
    "hosting.invocation.message-limit": (f"{RULES}::test_messages_are_cut_where_the_api_cuts_them",),
    "hosting.invocation.validation-error": (
        f"{RULES}::test_wrong_requests_are_validation_errors",
        f"{BOTO3}::test_validation_error",
    ),
    "hosting.invocation.ping-beside": (f"{SERVICE}::test_a_ping_that_fails_in_service_is_a_warning",),
    "hosting.headers.stripped": (f"{RULES}::test_only_headers_of_the_api_reach_the_container",),
    "hosting.headers.content-type": (
        f"{RULES}::test_the_container_is_asked_at_its_own_path",
        f"{RULES}::test_only_headers_of_the_api_reach_the_container",
        f"{RULES}::test_wrong_requests_are_validation_errors",
    ),
    "hosting.headers.accept": (
        f"{RULES}::test_only_headers_of_the_api_reach_the_container",
        f"{SERVE}::test_invoke_passes_bytes_headers_and_types_through",
    ),
    "hosting.headers.accept-absent": (
        f"{START}::test_the_accept_header_of_a_caller_that_sends_none_is_a_setting",
    ),
    "hosting.headers.custom-attributes": (
        f"{BOTO3}::test_invoke_endpoint",
        f"{SERVE}::test_invoke_passes_bytes_headers_and_types_through",
    ),
    "hosting.headers.target-variant": (
        f"{VARIANTS}::test_two_variants_share_the_traffic_by_weight_and_can_be_asked_by_name",
        f"{RULES}::test_wrong_requests_are_validation_errors",
        f"{BOTO3}::test_invoke_endpoint",
    ),
    "hosting.headers.inference-id": (
        f"{CAPTURE}::test_the_schema",
        f"{RULES}::test_wrong_requests_are_validation_errors",
        f"{RULES}::test_only_headers_of_the_api_reach_the_container",
    ),
    "hosting.headers.forwarded-unsure": (
        f"{RULES}::test_only_headers_of_the_api_reach_the_container",
        f"{BOTO3}::test_invoke_endpoint",
    ),
    "hosting.headers.session": (
        f"{BOTO3}::test_invoke_endpoint",
        f"{BOTO3}::test_sessions_come_back",
    ),
    "hosting.headers.invoked-variant": (
        f"{BOTO3}::test_invoke_endpoint",
        f"{RULES}::test_the_container_is_asked_at_its_own_path",
    ),
    "hosting.headers.response-content-type": (
        f"{BOTO3}::test_invoke_endpoint",
        f"{RULES}::test_only_headers_of_the_api_reach_the_caller",
    ),
    "hosting.limits.payload-real-time": (
        f"{RULES}::test_a_body_above_the_limit_never_reaches_the_container",
        f"{START}::test_the_gateway_holds_the_documented_limits",
    ),
    "hosting.limits.too-long": (
        f"{BOTO3}::test_a_body_over_the_limit",
        f"{RULES}::test_a_body_above_the_limit_never_reaches_the_container",
        f"{RULES}::test_a_body_above_the_limit_can_be_a_validation_error",
    ),
    "hosting.stop.term-kill": (
        f"{SERVICE}::test_a_container_that_does_not_hear_sigterm_is_killed_and_the_user_is_told",
        f"{SERVE}::test_a_container_that_ignores_sigterm_is_killed_after_the_grace",
        f"{START}::test_a_stop_gives_the_server_30_seconds_unless_told_otherwise",
    ),
    "hosting.stop.delete-endpoint": (f"{SERVICE}::test_stop_is_sigterm_and_out_of_service",),
    "hosting.stop.draining": (
        f"{CONNECTIONS}::test_closing_lets_requests_in_flight_end",
        f"{CONNECTIONS}::test_closing_does_not_wait_longer_than_its_grace",
    ),
    "hosting.stop.log-group": (
        f"{SERVE}::test_logs_of_an_endpoint_go_to_its_log_and_follow",
        f"{RULES}::test_a_model_error_is_worded_as_sagemaker_does",
    ),
    "hosting.streaming.two-way-label": (
        f"{PRODUCT_TWO_WAY}::test_an_image_without_the_label_is_refused_unless_that_is_ignored",
        f"{TWO_WAY}::test_an_image_without_the_label_is_refused",
    ),
    "hosting.streaming.two-way-client": (
        f"{HTTP2}::test_what_the_sdk_sends_is_understood",
        f"{HTTP2}::test_two_hundred_and_fifty_streams_over_one_connection",
    ),
    "hosting.streaming.two-way-container": (
        f"{TWO_WAY}::test_the_handshake_that_a_container_sees",
        f"{TWO_WAY}::test_what_is_no_websocket_is_a_model_error",
    ),
    "hosting.streaming.two-way-path": (
        f"{TWO_WAY}::test_the_handshake_that_a_container_sees",
        f"{TWO_WAY}::test_wrong_requests_are_refused_before_the_container_is_asked",
    ),
    "hosting.streaming.two-way-frames": (
        f"{PRODUCT_TWO_WAY}::test_ten_thousand_frames_come_back_identical_and_in_order",
        f"{TWO_WAY}::test_every_part_is_one_frame_and_every_frame_one_part",
    ),
    "hosting.streaming.two-way-close": (
        f"{TWO_WAY}::test_a_close_frame_becomes_model_stream_error",
        f"{TWO_WAY}::test_a_normal_close_may_be_the_end",
    ),
    "hosting.streaming.two-way-pings": (f"{TWO_WAY}::test_a_ping_is_answered_and_a_pong_is_waited_for",),
    "hosting.streaming.two-way-unanswered-pings": (
        f"{TWO_WAY}::test_a_ping_is_answered_and_a_pong_is_waited_for",
    ),
    "hosting.streaming.two-way-time": (f"{TWO_WAY}::test_a_stream_past_its_time",),
    "hosting.streaming.two-way-input-end": (
        f"{TWO_WAY}::test_every_part_is_one_frame_and_every_frame_one_part",
        f"{TWO_WAY}::test_the_end_of_the_callers_stream_may_leave_the_socket_open",
    ),
    "hosting.streaming.new-session": (f"{BOTO3}::test_sessions_come_back",),
    "hosting.streaming.session-closed": (f"{BOTO3}::test_sessions_come_back",),
    "hosting.streaming.session-pinned": (
        f"{SESSIONS}::test_requests_of_a_session_go_to_the_instance_that_opened_it",
    ),
    "hosting.streaming.unknown-session": (
        f"{SESSIONS}::test_a_closed_session_is_at_home_nowhere",
        f"{SESSIONS}::test_a_session_that_is_not_open_can_be_refused",
    ),
    "hosting.streaming.request": (
        f"{STREAMS}::test_what_the_container_and_the_caller_see",
        f"{PRODUCT_STREAMS}::test_boto3_reads_the_stream_of_a_container_as_it_comes",
    ),
    "hosting.streaming.events": (
        f"{STREAMS}::test_each_part_comes_before_the_next_is_made",
        f"{STREAMS}::test_the_end_of_the_gateway_ends_a_stream_with_a_word",
    ),
    "hosting.streaming.errors": (
        f"{STREAMS}::test_the_error_code_is_in_the_event_though_boto3_drops_it",
        f"{PRODUCT_STREAMS}::test_a_stream_that_ends_badly_is_told_on_stderr",
    ),
    "hosting.limits.first-byte": (f"{STREAMS}::test_errors_before_the_first_byte_are_model_errors",),
    "hosting.limits.streaming": (
        f"{STREAMS}::test_a_stream_past_its_time",
        f"{PRODUCT_STREAMS}::test_a_stream_that_ends_badly_is_told_on_stderr",
    ),
    "hosting.streaming.timeout-message": (f"{STREAMS}::test_a_stream_past_its_time",),
    "hosting.streaming.boundaries": (f"{STREAMS}::test_an_answer_that_is_no_stream_comes_as_one",),
    "hosting.streaming.no-target-model": (
        f"{STREAMS}::test_headers_of_the_other_operation_are_stripped",
        f"{STREAMS}::test_a_stream_cannot_open_a_session",
    ),
    "hosting.invocation.openai": (
        f"{OPENAI}::test_the_container_sees_its_own_path_and_no_token",
        f"{OPENAI}::test_events_are_flushed_one_by_one",
        f"{OPENAI}::test_an_error_of_the_container_comes_as_it_is",
    ),
    "hosting.invocation.openai-path": (
        f"{OPENAI}::test_the_container_sees_its_own_path_and_no_token",
        f"{OPENAI}::test_models_are_listed_with_get_and_a_query",
    ),
    "hosting.headers.stream-names": (
        f"{ASYNC_DOOR}::test_a_call_is_answered_with_202_and_the_places_to_look_at",
    ),
    "hosting.limits.async": (
        f"{ASYNC_DOOR}::test_an_inline_body_and_the_defaults",
        f"{ASYNC_DOOR}::test_what_the_api_does_not_take_is_a_validation_error_and_is_not_accepted",
        f"{ASYNC_WORK}::test_an_input_of_more_than_1_gb_fails",
    ),
    "hosting.headers.inference-component": (
        f"{COMPONENT_DOOR}::test_a_request_goes_to_a_copy_of_the_component_that_it_names",
        f"{COMPONENT_DOOR}::test_a_request_that_names_none_or_an_unknown_one_is_refused",
        f"{RULES}::test_wrong_requests_are_validation_errors",
    ),
    "hosting.several.components": (
        f"{COMPONENTS}::test_components_share_an_instance_and_are_scaled_added_and_deleted_while_it_serves",
        f"{COMPONENTS}::test_a_request_file_has_components_and_a_plain_endpoint_none",
        f"{COPIES}::test_copies_reserve_their_limits_and_answer_by_component",
    ),
    "hosting.several.component-limits": (f"{COPIES}::test_the_limit_of_memory_may_be_the_instances",),
    "hosting.several.component-placement": (
        f"{COPIES}::test_copies_are_spread_over_instances_until_one_of_the_resources_is_gone",
        f"{COPIES}::test_binpack_fills_one_instance_first_and_a_seat_that_is_left_is_free",
        f"{COPIES}::test_without_room_nothing_starts_and_the_others_go_on",
    ),
    "hosting.several.component-scaling": (
        f"{COPIES}::test_a_component_is_scaled_out_and_in_to_nothing_and_back",
        f"{COPIES}::test_a_component_that_cannot_be_is_refused",
        f"{COMPONENT_DOOR}::test_a_component_without_copies_has_no_capacity_until_there_is_one",
    ),
    "hosting.several.component-openai": (
        f"{COMPONENT_DOOR}::test_the_openai_path_names_the_component_in_itself",
    ),
    "hosting.several.component-hardware": (f"{COPIES}::test_a_component_that_cannot_be_is_refused",),
    "hosting.several.serverless": (
        f"{ENDPOINT_REQUEST}::test_a_serverless_variant_has_a_size_a_concurrency_and_three_minutes",
        f"{ENDPOINT_REQUEST}::test_what_serverless_does_not_go_with_is_refused",
        f"{SERVERLESS}::test_a_request_file_a_kill_and_what_is_refused",
        f"{ENVIRONMENTS}::test_each_part_of_it_is_a_setting",
    ),
    "hosting.several.serverless-user": (
        f"{SERVERLESS}::test_a_serverless_container_is_small_is_nobody_and_writes_to_tmp_alone",
    ),
    "hosting.several.serverless-files": (
        f"{SERVERLESS}::test_a_serverless_container_is_small_is_nobody_and_writes_to_tmp_alone",
        f"{ENVIRONMENTS}::test_each_part_of_it_is_a_setting",
    ),
    "hosting.several.serverless-scaling": (
        f"{ON_DEMAND}::test_requests_at_once_have_an_environment_each_and_one_too_many_is_throttled",
        f"{ON_DEMAND}::test_idle_environments_end_and_provisioned_ones_stay",
        f"{ENVIRONMENTS}::test_the_first_request_starts_an_environment_and_the_second_finds_it",
        f"{ENVIRONMENTS}::test_provisioned_environments_are_there_from_the_start_and_serve",
    ),
    "hosting.several.serverless-shm": (
        f"{SERVERLESS}::test_a_serverless_container_is_small_is_nobody_and_writes_to_tmp_alone",
    ),
    "hosting.several.serverless-idle": (
        f"{ENVIRONMENTS}::test_an_idle_environment_ends_and_the_next_request_starts_another",
    ),
    "hosting.several.serverless-first": (
        f"{ENVIRONMENTS}::test_the_first_request_starts_an_environment_and_the_second_finds_it",
    ),
    "hosting.several.serverless-throttling": (
        f"{SERVERLESS}::test_each_request_at_once_has_a_container_and_one_too_many_is_throttled",
    ),
    "hosting.several.serverless-cpus": (f"{ENVIRONMENTS}::test_what_a_container_is_given",),
    "hosting.several.serverless-setup-time": (f"{ON_DEMAND}::test_the_time_of_a_cold_start_is_overhead",),
    "hosting.health.serverless": (
        f"{ENDPOINT_REQUEST}::test_a_serverless_variant_has_a_size_a_concurrency_and_three_minutes",
        f"{ENVIRONMENTS}::test_an_image_that_does_not_come_up_fails_in_the_words_of_serverless",
    ),
    "hosting.limits.serverless": (f"{ON_DEMAND}::test_no_more_than_4_mb_each_way",),
    "hosting.several.pipeline": (
        f"{PRODUCT_PIPELINES}::test_a_pipeline_from_flags_serves_names_its_failures_and_leaves_nothing",
        f"{PIPELINES}::test_the_answer_of_one_is_the_request_of_the_next",
        f"{PIPELINES}::test_the_stream_comes_from_the_last_container",
        f"{CONTAINERS}::test_what_is_not_emulated_with_several_containers_is_said",
    ),
    "hosting.several.pipeline-label": (
        f"{INSTANCES}::test_an_image_without_the_label_is_refused_in_create_models_words",
    ),
    "hosting.several.pipeline-error": (f"{PIPELINES}::test_an_error_names_its_container_and_ends_the_way",),
    "hosting.several.pipeline-health": (
        f"{INSTANCES}::test_all_that_fail_are_named",
        f"{INSTANCES}::test_a_container_that_ends_at_its_start_is_named_and_nobody_waits_for_the_others",
    ),
    "hosting.several.pipeline-names": (
        f"{CONTAINERS}::test_host_names_are_given_to_all_or_to_none_and_once",
        f"{INSTANCES}::test_each_has_a_log_of_its_own",
    ),
    "hosting.several.pipeline-content-type": (
        f"{PIPELINES}::test_each_containers_content_type_is_passed_along_and_the_caller_gets_the_last",
    ),
    "hosting.several.pipeline-accept": (f"{PIPELINES}::test_which_accept_the_containers_see_is_a_rule",),
    "hosting.several.pipeline-attributes": (
        f"{PIPELINES}::test_which_custom_attributes_they_see_is_a_rule_and_the_caller_gets_the_lasts",
    ),
    "hosting.several.pipeline-network": (
        f"{PRODUCT_PIPELINES}::test_a_pipeline_from_flags_serves_names_its_failures_and_leaves_nothing",
        f"{INSTANCES}::test_a_setting_gives_each_a_network_of_its_own",
    ),
    "hosting.several.pipeline-timeout": (
        f"{PIPELINES}::test_the_time_is_for_the_whole_way_and_the_late_one_is_named",
        f"{PIPELINES}::test_whether_the_time_begins_anew_with_each_container_is_a_rule",
    ),
    "hosting.several.direct": (
        f"{PRODUCT_PIPELINES}::test_direct_containers_of_a_request_file_are_asked_by_name",
        f"{PIPELINES}::test_a_request_that_names_none_or_an_unknown_one_is_a_validation_error",
        f"{PIPELINES}::test_a_pipeline_takes_no_name_of_a_container",
    ),
    "hosting.several.direct-limits": (f"{CONTAINERS}::test_one_to_fifteen_containers",),
    "hosting.limits.between-containers": (
        f"{PIPELINES}::test_a_long_answer_between_two_names_both_and_its_bytes",
    ),
    "hosting.stop.log-stream-pipeline": (
        f"{INSTANCES}::test_each_has_a_log_of_its_own",
        f"{INSTANCES}::test_several_instances_put_theirs_between",
    ),
    "hosting.environment.safe-port-range": (
        f"{INSTANCES}::test_each_container_is_told_a_port_and_a_range_of_its_own",
        f"{INSTANCES}::test_settings_choose_the_ports",
    ),
    "hosting.several.async-request": (
        f"{ASYNC_DOOR}::test_a_call_is_answered_with_202_and_the_places_to_look_at",
        f"{ASYNC_WORK}::test_the_container_gets_an_ordinary_invocation_and_the_answer_becomes_an_object",
        f"{ASYNC}::test_kill_9_with_100_accepted_requests_loses_none_and_does_none_twice",
    ),
    "hosting.several.async-limits": (
        f"{ASYNC_DOOR}::test_an_inline_body_and_the_defaults",
        f"{ASYNC_DOOR}::test_what_the_api_does_not_take_is_a_validation_error_and_is_not_accepted",
        f"{ASYNC_WORK}::test_a_request_that_waited_longer_than_its_ttl_fails",
    ),
    "hosting.several.async-concurrency": (
        f"{ASYNC_WORK}::test_no_more_than_the_limit_at_once_for_each_instance",
        f"{ASYNC}::test_flags_of_an_asynchronous_endpoint_alone_are_refused",
    ),
    "hosting.several.async-concurrency-default": (
        f"{ASYNC_WORK}::test_without_a_limit_a_setting_says_how_many_at_once",
    ),
    "hosting.several.async-output": (
        f"{ASYNC_WORK}::test_the_container_gets_an_ordinary_invocation_and_the_answer_becomes_an_object",
        f"{ASYNC_WORK}::test_filename_and_extension_name_the_output",
        f"{ASYNC_WORK}::test_requests_of_one_inference_id_keep_their_own_outputs_unless_a_setting_says_so",
    ),
    "hosting.several.async-notification": (
        f"{ASYNC_WORK}::test_the_success_notification",
        f"{ASYNC_WORK}::test_an_error_of_the_container_leaves_its_answer_as_the_failure_object",
    ),
    "hosting.several.async-timeout": (
        f"{ASYNC_DOOR}::test_a_call_is_answered_with_202_and_the_places_to_look_at",
        f"{ASYNC_WORK}::test_a_container_that_is_too_slow_or_breaks_off_fails_the_request",
    ),
    "hosting.several.async-only": (
        f"{ASYNC_DOOR}::test_an_async_endpoint_takes_async_calls_only_and_another_takes_none",
    ),
    "hosting.several.capture": (
        f"{CAPTURE}::test_the_schema",
        f"{CAPTURE}::test_lines_go_to_files_by_variant_and_hour",
        f"{ASYNC}::test_captured_invocations_are_stored_when_the_endpoint_stops",
    ),
    "hosting.several.update-capture": (
        f"{UPDATES}::test_capture_begins_changes_and_ends_with_updates",
        f"{UPDATES}::test_a_request_that_the_old_containers_answer_is_captured_as_it_began",
        f"{UPDATES}::test_capture_that_an_update_did_not_bring_is_rolled_back",
        f"{UPDATED_CONFIG}::test_capture_changes_under_load_and_every_request_is_captured_once",
    ),
    "hosting.several.async-update": (
        f"{UPDATES}::test_the_two_kinds_are_not_updated_into_each_other",
        f"{UPDATED_CONFIG}::test_accepted_requests_survive_an_update_and_the_kind_stays",
    ),
    "hosting.several.async-update-topics": (
        f"{UPDATES}::test_accepted_requests_survive_an_update_and_go_where_they_were_told",
        f"{UPDATES}::test_whose_topics_hold_is_a_setting",
    ),
    "hosting.several.capture-inference-id": (f"{CAPTURE}::test_the_schema",),
    "hosting.start.restarts": (
        f"{VARIANTS}::test_an_instance_that_dies_is_replaced_while_the_others_serve",
        f"{VARIANTS}::test_instances_that_die_again_and_again_end_the_endpoint",
        f"{UPDATE}::test_an_update_starts_new_containers_and_switches_without_a_failed_request",
    ),
    "hosting.health.tolerated-failures": (f"{VARIANTS}::test_an_instance_that_fails_its_pings_is_replaced",),
    "hosting.several.variants": (
        f"{VARIANTS}::test_two_variants_share_the_traffic_by_weight_and_can_be_asked_by_name",
        f"{ROUTE}::test_traffic_follows_the_weights",
    ),
    "hosting.several.shadow": (
        f"{VARIANTS}::test_a_shadow_gets_copies_and_its_end_is_no_matter_to_callers",
        f"{ROUTE}::test_a_shadow_gets_its_percentage",
        f"{ROUTE}::test_a_shadow_that_hangs_or_is_gone_holds_nobody_up",
    ),
    "hosting.several.deployment": (
        f"{UPDATE}::test_an_update_starts_new_containers_and_switches_without_a_failed_request",
        f"{UPDATE}::test_an_update_that_does_not_become_healthy_is_rolled_back",
    ),
    "hosting.several.routing": (
        f"{VARIANTS}::test_instances_of_a_variant_all_get_requests",
        f"{ROUTE}::test_the_least_busy_instance_is_chosen",
    ),
    "hosting.stop.log-stream": (
        f"{VARIANTS}::test_two_variants_share_the_traffic_by_weight_and_can_be_asked_by_name",
    ),
    "hosting.several.endpoint-status": (
        f"{UPDATE}::test_an_update_that_does_not_become_healthy_is_rolled_back",
        f"{START}::test_a_healthy_container_comes_into_service_and_answers",
        f"{SERVICE}::test_a_container_that_dies_in_service_fails_the_endpoint",
    ),
    "processing.invocation": (
        f"{PROCESS}::test_the_image_s_own_command_is_left_alone",
        f"{PROCESS_JOB}::test_the_four_ways_to_start_a_program",
    ),
    "processing.entrypoint-arguments": (
        f"{PROCESS}::test_entrypoint_and_arguments_are_docker_s",
        f"{PROCESS_JOB}::test_the_four_ways_to_start_a_program",
    ),
    "processing.layout": (
        f"{PROCESS}::test_opt_ml_is_that_of_a_real_job",
        f"{PROCESS_FILES}::test_the_tree_is_that_of_a_real_job",
    ),
    "processing.config-directory-mode": (
        f"{PROCESS}::test_opt_ml_is_that_of_a_real_job",
        f"{PROCESS}::test_a_user_who_is_not_root_is_told_why",
    ),
    "processing.resourceconfig": (
        f"{PROCESS_FILES}::test_resourceconfig_of_one_host_has_44_bytes",
        f"{PROCESS}::test_config_files_name_the_job",
    ),
    "processing.jobconfig": (
        f"{PROCESS_FILES}::test_processingjobconfig_is_what_a_real_job_found",
        f"{PROCESS}::test_config_files_name_the_job",
    ),
    "processing.jobconfig-unset": (f"{PROCESS_FILES}::test_what_a_request_leaves_out_is_null",),
    "processing.environment": (
        f"{PROCESS}::test_the_environment_holds_no_job_name",
        f"{PROCESS_JOB}::test_the_environment_is_the_request_s_the_region_and_no_more",
    ),
    "processing.environment-limits": (f"{PROCESS_REQUEST}::test_what_the_api_refuses",),
    "processing.inputs": (
        f"{PROCESS_REQUEST}::test_what_the_api_refuses",
        f"{PROCESS}::test_inputs_lie_where_the_request_says",
        f"{PROCESS_DATA}::test_objects_are_shared_out_among_hosts",
        f"{PROCESS_DATA}::test_a_pipe_input_is_unpacked_on_the_way",
    ),
    "processing.no-fast-file": (
        f"{PROCESS_REQUEST}::test_what_the_api_refuses",
        f"{PROCESS}::test_a_wrong_request_is_refused_before_anything_starts",
    ),
    "processing.dataset-definition": (
        f"{PROCESS_REQUEST}::test_what_the_api_refuses",
        f"{PROCESS_REQUEST}::test_what_the_program_manages_by_itself_is_taken_as_it_is",
    ),
    "processing.outputs": (
        f"{PROCESS_JOB}::test_exit_0_completes_the_job_with_its_outputs",
        f"{PROCESS}::test_hosts_find_each_other_and_share_a_prefix",
        f"{PROCESS_DATA}::test_a_continuous_output_comes_while_the_job_runs",
    ),
    "processing.outputs-unless-completed": (
        f"{PROCESS_JOB}::test_a_program_that_exits_non_zero_fails_the_job_and_its_outputs_are_uploaded",
        f"{PROCESS_JOB}::test_the_outputs_of_a_failed_job_can_be_left_where_they_are",
    ),
    "processing.output-shadow": (
        f"{PROCESS}::test_opt_ml_is_that_of_a_real_job",
        f"{PROCESS_FILES}::test_the_tree_is_that_of_a_real_job",
    ),
    "processing.feature-store": (
        f"{PROCESS_REQUEST}::test_what_the_api_refuses",
        f"{PROCESS_REQUEST}::test_what_the_program_manages_by_itself_is_taken_as_it_is",
    ),
    "processing.cluster": (f"{PROCESS_REQUEST}::test_what_the_api_refuses",),
    "processing.pipe-names": (f"{PROCESS_DATA}::test_a_pipe_input_is_streamed_once_for_each_fifo",),
    "processing.links": (
        f"{PROCESS}::test_symlinks_are_left_out_of_an_output",
        f"{PROCESS_JOB}::test_symlinks_in_an_output_are_not_followed_and_that_is_told",
    ),
    "processing.exit": (
        f"{PROCESS_JOB}::test_exit_0_completes_the_job_with_its_outputs",
        f"{PROCESS}::test_one_host_that_fails_stops_the_others",
    ),
    "processing.failure-reason": (f"{PROCESS}::test_a_program_that_fails_says_so_in_the_exit_message",),
    "processing.out-of-memory": (f"{PROCESS_JOB}::test_a_program_that_was_killed_for_memory",),
    "processing.max-runtime": (
        f"{PROCESS}::test_a_job_that_runs_for_too_long_is_stopped",
        f"{PROCESS_JOB}::test_a_job_that_runs_for_too_long_is_stopped",
    ),
    "processing.failure-file": (f"{PROCESS_JOB}::test_the_failure_file_plays_no_part",),
    "processing.exit-message": (
        f"{PROCESS}::test_a_message_that_is_not_utf8_fails_the_job",
        f"{EXIT_MESSAGE}::test_a_kilobyte_ends_with_a_whole_character",
    ),
    "processing.exit-message-hosts": (
        f"{EXIT_MESSAGE}::test_messages_are_joined_in_the_order_of_hosts_and_then_cut",
        f"{PROCESS_JOB}::test_messages_of_several_hosts_are_joined_and_then_cut",
    ),
    "processing.stop": (
        f"{PROCESS}::test_ctrl_c_sends_sigint_uploads_and_exits_130",
        f"{PROCESS}::test_sigterm_first_where_the_setting_says_so",
        f"{PROCESS}::test_a_program_that_does_not_stop_is_killed_after_the_grace",
    ),
    "training.toolkit.tuning-metric": (
        f"{TUNING}::test_a_container_gets_static_and_searched_hyperparameters_as_strings_and_the_objective",
        f"{TUNING_REQUEST}::test_the_objectives_name_is_one_of_the_hundred_hyperparameters",
    ),
    "training.toolkit.tuning-job": (
        f"{TUNING}::test_training_jobs_are_ordinary_ones_with_the_tuning_jobs_name",
        f"{TUNE}::test_training_jobs_are_runs_like_any_other",
    ),
    "training.environment.tuning-limit": (f"{TUNING_REQUEST}::test_the_limits_of_the_api_hold",),
    "tuning.ranges": (
        f"{TUNING}::test_a_container_gets_static_and_searched_hyperparameters_as_strings_and_the_objective",
        f"{TUNING_REQUEST}::test_what_is_wrong_with_ranges_is_told",
    ),
    "tuning.scaling": (
        f"{TUNING}::test_half_of_what_is_tried_lies_on_each_side_of_the_scales_middle",
        f"{TUNING_REQUEST}::test_what_is_wrong_with_ranges_is_told",
    ),
    "tuning.auto-scaling": (f"{TUNING}::test_the_setting_decides_about_scale_auto",),
    "tuning.combinations": (
        f"{TUNING_REQUEST}::test_more_jobs_than_combinations_are_refused_in_sagemakers_words",
        f"{TUNING}::test_no_combination_is_tried_twice",
    ),
    "tuning.strategies": (
        f"{TUNING}::test_a_grid_is_every_combination_once",
        f"{TUNING}::test_bayesian_search_comes_nearer_than_its_random_beginning",
    ),
    "tuning.seed": (f"{TUNING}::test_the_same_seed_chooses_the_same_again",),
    "tuning.objective-definition": (
        f"{TUNE}::test_an_objective_without_a_metric_definition_is_refused_in_sagemakers_words",
    ),
    "tuning.hyperband": (
        f"{TUNING}::test_hyperband_stops_what_is_bad_early_and_everything_at_its_most",
        f"{TUNING}::test_hyperband_reads_its_most_from_a_static_hyperparameter",
    ),
    "tuning.early-stopping-rule": (
        f"{TUNING}::test_the_median_rule_compares_with_running_averages_up_to_the_same_step",
        f"{TUNING}::test_a_job_worse_than_the_median_is_stopped_early",
    ),
    "tuning.early-stopping": (f"{TUNING}::test_the_setting_decides_how_many_completed_jobs_it_takes",),
    "tuning.criteria": (
        f"{TUNING}::test_it_ends_at_the_number_of_training_jobs",
        f"{TUNING}::test_time_that_is_over_ends_it",
        f"{TUNING}::test_a_target_that_is_reached_ends_it",
        f"{TUNING}::test_less_than_one_percent_is_no_improvement",
    ),
    "tuning.completion": (f"{TUNING}::test_the_setting_decides_about_what_runs_when_it_is_over",),
    "tuning.convergence": (f"{TUNING}::test_convergence_ends_it_after_as_many_jobs_as_the_setting_says",),
    "tuning.failure": (f"{TUNING}::test_five_failures_at_the_beginning_fail_it_in_sagemakers_words",),
    "tuning.objective-status": (
        f"{TUNING}::test_training_jobs_that_never_print_the_objective_fail_it",
        f"{TUNING}::test_the_run_folder_says_how_it_stands_while_it_runs",
    ),
    "tuning.stop": (
        f"{TUNE}::test_another_process_stops_it_and_sees_how_it_stands",
        f"{TUNE}::test_ctrl_c_stops_every_training_job_and_exits_130",
    ),
    "tuning.warm-start": (
        f"{TUNING}::test_a_warm_start_learns_from_its_parents_and_names_the_best_of_all",
        f"{TUNING}::test_a_warm_start_that_does_not_fit_is_refused_before_anything_starts",
        f"{TUNING}::test_six_changed_static_values_are_too_many_for_a_warm_start",
    ),
    "tuning.overall-best": (
        f"{TUNING}::test_a_warm_start_learns_from_its_parents_and_names_the_best_of_all",
        f"{TUNING}::test_with_transfer_learning_results_do_not_compare",
    ),
    "tuning.definitions": (f"{TUNING}::test_several_definitions_take_turns",),
    "tuning.checkpoints": (f"{TUNING}::test_the_setting_decides_where_checkpoints_are_kept",),
    "tuning.autotune": (f"{TUNING}::test_autotune_chooses_ranges_around_the_examples_and_a_number_of_jobs",),
}
"""Fact id to pytest node ids, such as `emulator/tests/test_train.py::test_train_replaces_cmd`."""
