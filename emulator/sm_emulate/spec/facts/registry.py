from __future__ import annotations

from sm_emulate.spec.fact import OUTSIDE, PARTLY, Area, confirmed, disputed
from sm_emulate.spec.facts.sources import (
    API,
    DLC,
    EXAMPLES,
    HOST,
    MARKETPLACE_IMAGES,
    MARKETPLACE_LIMITS,
    guide_2023,
    sdk,
    thread,
)

LATER = "image checks and push"

AREA = Area(
    prefix="registry",
    title="Images, ECR and the Marketplace",
    facts=(
        confirmed(
            "registry.oci-manifest",
            "CreateModel refuses images with an OCI manifest or index: Unsupported manifest media type.",
            thread("aws/amazon-sagemaker-feedback", 180),
            thread("mlflow/mlflow", 13834),
            thread("moby/buildkit", 5480),
            level=PARTLY,
            note="nothing is refused here; SM101 of `validate` finds it",
        ),
        confirmed(
            "registry.attestations",
            "Provenance attestations of buildx make such an index.",
            thread("docker/build-push-action", 755),
            thread("mlflow/mlflow", 14699),
            level=PARTLY,
            note="nothing is refused here; SM102 of `validate` finds it",
        ),
        disputed(
            "registry.manifest-list",
            "The Graviton page allows multi-architecture manifest lists, which holds for Docker's kind and not for OCI's.",
            guide_2023("realtime-endpoints-graviton"),
            thread("aws/amazon-sagemaker-feedback", 180),
            planned=LATER,
        ),
        confirmed("registry.region", "Image and model lie in the endpoint's region.", API, planned=LATER),
        confirmed(
            "registry.repository-name",
            "AmazonSageMakerFullAccess can push only to repositories with sagemaker in their name.",
            guide_2023("security-iam-awsmanpol"),
            thread(EXAMPLES, 544),
            planned=LATER,
        ),
        confirmed(
            "registry.pull-policy",
            "Custom images in a pipeline with built-in ones need a repository policy for sagemaker.amazonaws.com.",
            guide_2023("inference-pipeline-troubleshoot"),
            planned=LATER,
        ),
        confirmed(
            "registry.cross-account",
            "Images of another account need a policy, and serverless takes none.",
            guide_2023("serverless-endpoints-create"),
            thread("awslabs/aws-solutions-constructs", 986),
            planned=LATER,
        ),
        confirmed(
            "registry.host-names",
            "ECR's host is ACCOUNT.dkr.ecr.REGION.amazonaws.com, with another domain in China and the isolated partitions.",
            sdk("test_retrieve.py"),
            planned=LATER,
        ),
        confirmed(
            "registry.dlc-accounts",
            "AWS's deep learning images lie in 763104351884 for most regions and in accounts of their own for the others.",
            sdk("sagemaker-core/src/sagemaker/core/image_uri_config/pytorch.json"),
            planned=LATER,
        ),
        confirmed(
            "registry.login",
            "An ECR token has user AWS and lives 12 hours.",
            "boto/botocore botocore/data/ecr",
            planned=LATER,
        ),
        confirmed(
            "registry.quotas",
            "ECR layers have at most 52000 MiB in 4200 parts.",
            "https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html",
        ),
        confirmed(
            "registry.private",
            "Hosting may pull over the VPC from a private registry with a Lambda function's credentials, not for serverless.",
            API,
            guide_2023("your-algorithms-containers-inference-private"),
        ),
        confirmed(
            "registry.labels",
            "Three labels announce what an image can do: accept-bind-to-port, multi-models, bidirectional-streaming.",
            HOST,
            DLC,
            planned=LATER,
        ),
        confirmed(
            "registry.marketplace",
            "Marketplace models run isolated, without AWS calls, with 25 MB and 60 s, neither async nor serverless, and are validated by a batch job.",
            MARKETPLACE_LIMITS,
            MARKETPLACE_IMAGES,
            guide_2023("sagemaker-mkt-create-model-package"),
        ),
        confirmed(
            "registry.training-image-as-server",
            "Training images usually hold no server, and fail as an endpoint.",
            thread("aws/sagemaker-tensorflow-training-toolkit", 372),
            thread("aws/sagemaker-huggingface-inference-toolkit", 45),
            level=OUTSIDE,
        ),
        confirmed(
            "registry.marketplace-account",
            "A Marketplace image lies in the seller's own ECR, in the model package's region, and is scanned for vulnerabilities.",
            guide_2023("sagemaker-mkt-create-model-package"),
        ),
        confirmed(
            "registry.scan-on-push",
            "A repository may scan images as they are pushed.",
            "boto/botocore botocore/data/ecr",
            planned=LATER,
        ),
    ),
)
