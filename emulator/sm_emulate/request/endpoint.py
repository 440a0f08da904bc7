"""An endpoint as it was asked for: CreateModel, CreateEndpointConfig and CreateEndpoint in one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import async_inference, hosted_model, location
from sm_emulate.request import data_capture as capturing
from sm_emulate.request.containers import create_pipeline, shares_instances
from sm_emulate.request.hosted_model import not_emulated
from sm_emulate.request.naming import DEFAULT_INSTANCE_TYPE
from sm_emulate.request.service_model import OperationModel, load
from sm_emulate.request.validate import require
from sm_emulate.request.variant import LISTS, other_name, variants_of
from sm_emulate.request.variant import problems as variant_problems
from sm_emulate.request.variant_flag import VariantFlags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sm_emulate.request.async_inference import AsyncInference
    from sm_emulate.request.containers import ContainerFlags
    from sm_emulate.request.data_capture import DataCapture
    from sm_emulate.request.hosted_model import HostedModel
    from sm_emulate.request.validate import Problem
    from sm_emulate.request.variant import Variant

_LOCATIONS = (*async_inference.LOCATIONS, *capturing.LOCATIONS)
DEFAULT_VARIANT_NAME = "AllTraffic"
_OPERATIONS = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint")


@dataclass(frozen=True, kw_only=True)
class EndpointModels:
    """What the three operations of an endpoint may hold."""

    create_model: OperationModel
    create_endpoint_config: OperationModel
    create_endpoint: OperationModel


@dataclass(frozen=True, kw_only=True)
class EndpointDocuments:
    """The documents of the API that make one endpoint."""

    create_model: Mapping[str, Any]
    create_endpoint_config: Mapping[str, Any]
    create_endpoint: Mapping[str, Any]
    more_models: tuple[Mapping[str, Any], ...] = ()
    """CreateModel of the variants' other models."""


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """One endpoint and its variants. Made, and checked, by `from_flags` or `from_aws`."""

    endpoint_name: str
    endpoint_config_name: str
    variants: tuple[Variant, ...]
    shadow: Variant | None = None
    instance_chosen: bool = True
    """False where nobody named an instance type: the containers then have all of this machine."""
    async_inference: AsyncInference | None = None
    """None for an endpoint that answers at once."""
    data_capture: DataCapture | None = None
    """None where nothing is captured."""
    documents: EndpointDocuments = field(repr=False, compare=False)
    """What it was made from, for what the emulator has no use for."""

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        """The production variants, then the shadow."""
        return self.variants if self.shadow is None else (*self.variants, self.shadow)

    @property
    def one_log(self) -> bool:
        """Whether all of it is one container."""
        return self.alone and not self.model.several

    @property
    def alone(self) -> bool:
        """Whether all of it is one instance of one variant."""
        return sum(each.initial_instance_count for each in self.all_variants) == 1

    @property
    def model(self) -> HostedModel:
        """The first variant's model."""
        return self.variants[0].model

    @property
    def variant_name(self) -> str:
        """The first variant's name."""
        return self.variants[0].variant_name

    @property
    def instance_type(self) -> str:
        """The first variant's."""
        return self.variants[0].instance_type

    def with_first(self, **changes: Any) -> EndpointRequest:
        """Give it with these fields of its first variant changed."""
        return replace(self, variants=(replace(self.variants[0], **changes), *self.variants[1:]))

    @property
    def written_places(self) -> tuple[str, ...]:
        """Where the endpoint itself writes objects."""
        config, capture = self.async_inference, self.data_capture
        places = (
            None if config is None else config.output_path,
            None if config is None else config.failure_path,
            None if capture is None else capture.destination,
        )
        return tuple(dict.fromkeys(place for place in places if place is not None))

    def as_aws(self) -> dict[str, Any]:
        """Give the documents as JSON, by operation; CreateModel is a list where there are several."""
        documents = self.documents
        models = [documents.create_model, *documents.more_models]
        return {
            "CreateModel": models if len(models) > 1 else models[0],
            "CreateEndpointConfig": documents.create_endpoint_config,
            "CreateEndpoint": documents.create_endpoint,
        }


def load_models(*, cache_dir: Path | None = None) -> EndpointModels:
    """Give the models of the three operations."""
    return EndpointModels(
        create_model=load("CreateModel", cache_dir=cache_dir),
        create_endpoint_config=load("CreateEndpointConfig", cache_dir=cache_dir),
        create_endpoint=load("CreateEndpoint", cache_dir=cache_dir),
    )


def from_flags(
    *,
    image: str | None,
    endpoint_name: str,
    instance_type: str | None = None,
    model_data: str | None = None,
    environment: Mapping[str, str] | None = None,
    model_name: str | None = None,
    variant_name: str = DEFAULT_VARIANT_NAME,
    instance_count: int = 1,
    routing: str | None = None,
    more_variants: Sequence[VariantFlags] = (),
    shadow: VariantFlags | None = None,
    startup_timeout_in_seconds: int | None = None,
    network_isolation: bool = False,
    role_arn: str | None = None,
    multi_model: bool = False,
    model_cache_setting: str | None = None,
    containers: Sequence[ContainerFlags] = (),
    direct: bool = False,
    more_config: Mapping[str, Any] | None = None,
    base_dir: Path | None = None,
    models: EndpointModels | None = None,
) -> EndpointRequest:
    """Give the endpoint that these flags mean, held against the same limits as the API's own documents.

    Model and endpoint configuration take the name of the endpoint unless they are named; models of further
    variants have the variant's name behind it.
    Without an image the variants are `more_variants` alone. With `containers` the first variant's model has these in
    place of an image: they are asked one after the other, or each `direct`ly.
    `more_config` holds further members of CreateEndpointConfig.
    """
    name = model_name or endpoint_name
    listed = list(more_variants)
    if image is not None:
        first = VariantFlags(name=variant_name, image=image, model_data=model_data, count=instance_count)
        listed.insert(0, first)
    elif containers:
        listed.insert(0, VariantFlags(name=variant_name, image=containers[0].image, count=instance_count))
    documents: list[dict[str, Any]] = []
    configured: list[dict[str, Any]] = []
    for each in [*listed, *([] if shadow is None else [shadow])]:
        alone = not documents
        if alone and containers:
            document = create_pipeline(
                containers,
                model_name=name,
                direct=direct,
                environment=environment,
                network_isolation=network_isolation,
                role_arn=role_arn,
            )
        else:
            document = hosted_model.create_model(
                each.image,
                model_name=name if alone else f"{name}-{each.name}",
                model_data=each.model_data,
                environment=environment,
                network_isolation=network_isolation,
                role_arn=role_arn,
                multi_model=multi_model,
                model_cache_setting=model_cache_setting,
            )
        documents.append(document)
        variant: dict[str, Any] = {
            "VariantName": each.name,
            "ModelName": document["ModelName"],
            "InstanceType": instance_type or DEFAULT_INSTANCE_TYPE,
            "InitialInstanceCount": each.count,
        }
        if each.weight is not None:
            variant["InitialVariantWeight"] = each.weight
        if routing is not None:
            variant["RoutingConfig"] = {"RoutingStrategy": routing}
        if startup_timeout_in_seconds is not None:
            variant["ContainerStartupHealthCheckTimeoutInSeconds"] = startup_timeout_in_seconds
        configured.append(variant)
    config: dict[str, Any] = {
        "EndpointConfigName": endpoint_name,
        "ProductionVariants": configured[: len(listed)],
        **(more_config or {}),
    }
    if shadow is not None:
        config["ShadowProductionVariants"] = configured[len(listed) :]
    request = from_aws(
        EndpointDocuments(
            create_endpoint={"EndpointName": endpoint_name, "EndpointConfigName": endpoint_name},
            create_endpoint_config=config,
            create_model=documents[0],
            more_models=tuple(documents[1:]),
        ),
        base_dir=base_dir,
        models=models,
    )
    return request if instance_type is not None else replace(request, instance_chosen=False)


def config_of_flags(
    *,
    endpoint_name: str,
    async_output: str | None = None,
    async_failure: str | None = None,
    max_concurrent: int | None = None,
    data_capture: str | None = None,
    sampling: int = 100,
) -> dict[str, Any]:
    """Give the members of CreateEndpointConfig that these flags of `sm-emulate serve` mean."""
    found: dict[str, Any] = {}
    if async_output is not None:
        found[async_inference.MEMBER] = async_inference.config_of_flags(
            output=async_output,
            failure=async_failure,
            max_concurrent=max_concurrent,
            endpoint_name=endpoint_name,
        )
    elif async_failure is not None or max_concurrent is not None:
        raise RequestError(
            "this endpoint answers at once: only an asynchronous one takes these",
            value=async_failure or max_concurrent,
            hint="--async-output makes it asynchronous",
        )
    if data_capture is not None:
        found[capturing.MEMBER] = capturing.config_of_flags(destination=data_capture, sampling=sampling)
    return found


def from_aws(
    documents: EndpointDocuments, *, base_dir: Path | None = None, models: EndpointModels | None = None
) -> EndpointRequest:
    """Check the documents and give the endpoint that they make.

    Args:
        documents: the JSON of the API. Where it names S3, a path or `file://` is taken too.
        base_dir: the folder that relative paths start from; the current one if not given.
        models: the models of the three operations, if the caller has them at hand.
    """
    models = models or load_models()
    # the endpoint's name is the one that a person gave: the others are often made from it
    require(documents.create_endpoint, models.create_endpoint)
    hosted = [
        hosted_model.from_aws(document, model=models.create_model, base_dir=base_dir)
        for document in (documents.create_model, *documents.more_models)
    ]
    named = {model.model_name: model for model in hosted}
    config = documents.create_endpoint_config
    require(
        config,
        models.create_endpoint_config,
        exempt=_LOCATIONS,
        rules=lambda sound: [
            *location.problems(sound, _LOCATIONS, models.create_endpoint_config),
            *async_inference.problems(sound),
            *_config_problems(sound, documents, tuple(named)),
        ],
    )
    shadows = variants_of(config, "ShadowProductionVariants", named)
    return EndpointRequest(
        endpoint_name=documents.create_endpoint["EndpointName"],
        endpoint_config_name=config["EndpointConfigName"],
        variants=variants_of(config, "ProductionVariants", named),
        shadow=shadows[0] if shadows else None,
        async_inference=async_inference.from_config(config, base_dir=base_dir),
        data_capture=capturing.from_config(config, base_dir=base_dir),
        documents=EndpointDocuments(
            create_model=hosted[0].document,
            more_models=tuple(model.document for model in hosted[1:]),
            create_endpoint_config=location.absolute(config, _LOCATIONS, base_dir=base_dir),
            create_endpoint=documents.create_endpoint,
        ),
    )


def from_request_file(
    document: Mapping[str, Any], *, base_dir: Path | None = None, models: EndpointModels | None = None
) -> EndpointRequest:
    """Check a request file and give the endpoint that it makes.

    Args:
        document: CreateModel (an object, or a list of them), CreateEndpointConfig and CreateEndpoint by operation, as
            `as_aws` gives them.
        base_dir: as for `from_aws`.
        models: likewise.
    """
    unknown = [name for name in document if name not in _OPERATIONS]
    missing = [name for name in _OPERATIONS if name not in document]
    if unknown or missing:
        raise RequestError(
            f"the request file has no {missing[0]}"
            if missing
            else "the request file holds something else, too",
            value=", ".join(map(str, unknown)) or None,
            expected=f"an object of {', '.join(_OPERATIONS)}",
            hint="`request.json` of an endpoint's run folder is one, secrets aside",
        )
    listed = document["CreateModel"]
    models_given = listed if isinstance(listed, list) else [listed]
    objects = [*models_given, document["CreateEndpointConfig"], document["CreateEndpoint"]]
    if not models_given or not all(isinstance(each, dict) for each in objects):
        raise RequestError("the request file has an operation that is no JSON object", expected="objects")
    return from_aws(
        EndpointDocuments(
            create_model=models_given[0],
            more_models=tuple(models_given[1:]),
            create_endpoint_config=document["CreateEndpointConfig"],
            create_endpoint=document["CreateEndpoint"],
        ),
        base_dir=base_dir,
        models=models,
    )


def _config_problems(
    document: Mapping[str, Any], documents: EndpointDocuments, model_names: tuple[str, ...]
) -> list[Problem]:
    models = (documents.create_model, *documents.more_models)
    if any(shares_instances(each) for each in models):
        instead = "a model of one container"
        if async_inference.MEMBER in document:
            subject = "an asynchronous endpoint of several containers is"
            return [not_emulated(async_inference.MEMBER, subject, instead)]
        if document.get("ShadowProductionVariants"):
            subject = "a shadow variant with several containers, or beside such a variant, is"
            return [not_emulated("ShadowProductionVariants", subject, instead)]
    if any(hosted_model.multi_model_in(each) for each in models):
        variants = [each for name in LISTS for each in document.get(name, ())]
        if async_inference.MEMBER in document:
            subject = "an asynchronous endpoint of a multi-model container is"
            return [not_emulated(async_inference.MEMBER, subject, "an endpoint that answers at once")]
        if len(variants) != 1 or variants[0].get("InitialInstanceCount", 1) != 1:
            subject = "a multi-model container beside other instances is"
            return [not_emulated("ProductionVariants", subject, "one variant with one instance")]
    found = variant_problems(document, model_names)
    if found:
        return found
    wanted = documents.create_endpoint["EndpointConfigName"]
    if document["EndpointConfigName"] != wanted:
        return [other_name("EndpointConfigName", document["EndpointConfigName"], wanted)]
    return []
