"""What the Multi Model Server calls: one worker, and one copy of this module, for each model."""

import os

from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler


class Words(DefaultInferenceHandler):
    def default_model_fn(self, model_dir, context=None):
        with open(os.path.join(model_dir, "words.txt"), encoding="utf-8") as words:
            return words.read().strip()

    def default_input_fn(self, input_data, content_type, context=None):
        return input_data.decode() if isinstance(input_data, (bytes, bytearray)) else input_data

    def default_predict_fn(self, data, model, context=None):
        return f"{model}: {data}"

    def default_output_fn(self, prediction, accept, context=None):
        return prediction, "text/plain"


from sagemaker_inference.transformer import Transformer  # noqa: E402

_service = DefaultHandlerService(transformer=Transformer(default_inference_handler=Words()))


def handle(data, context):
    if not _service._initialized if hasattr(_service, "_initialized") else False:
        _service.initialize(context)
    return _service.handle(data, context)
